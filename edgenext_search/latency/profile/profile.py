"""The profile of a device: what was measured on it, and what follows for every block of a space."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgenext_search.arch.blocks import Block
from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment
from edgenext_search.errors import UserError
from edgenext_search.latency.devices.device import DeviceInfo
from edgenext_search.latency.measurement import Measurement
from edgenext_search.latency.profile.measurement_plan import OPTIONS, Target
from edgenext_search.latency.profile.prediction_error import Accuracy, accuracy
from edgenext_search.latency.profile.regression import Rates, Sample, fit, held_out, total_work

FORMAT = 1  # of the file; a change that older releases cannot read counts it up
STAGE_WEIGHT = 0.1  # of a stage measured alone, relative to a network: it shows which block the time belongs to
FEWEST_NETWORKS = 24  # of which a profile is made; fewer say too little of its errors
SLOWER = 0.1  # slow-down of the reference beside which a measurement had better be repeated
WIDE = 0.03  # half width of the ratio's interval, as a share, with which it had
VAGUE = 0.1  # half width that halves a measurement's weight; it stands for intervals that are not known

_TIMES = ("ratio", "ratio_low", "ratio_high", "p50", "reference_p50")


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """What was measured of one kind of block in one stage.

    Attributes:
        kind: See :class:`~edgenext_search.arch.blocks.Block`.
        stage: The stage, from 1.
        norm_act: As in a candidate.
        width: Narrowest and widest.
        width_in: Narrowest and widest input.
        options: Measured values of ``kernel_size``, ``sdta_splits``, ``heads``, ``pos_emb`` and ``expand_ratio``.
    """

    kind: str
    stage: int
    norm_act: str
    width: tuple[int, int]
    width_in: tuple[int, int]
    options: dict[str, tuple[int, ...]]

    def to_dict(self) -> dict[str, Any]:
        """Plain values; :meth:`from_dict` reads them back."""
        return {
            "kind": self.kind,
            "stage": self.stage,
            "norm_act": self.norm_act,
            "width": list(self.width),
            "width_in": list(self.width_in),
            "options": {name: list(values) for name, values in self.options.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Covered:
        """Read what :meth:`to_dict` wrote."""
        return cls(
            kind=values["kind"],
            stage=int(values["stage"]),
            norm_act=values["norm_act"],
            width=(int(values["width"][0]), int(values["width"][1])),
            width_in=(int(values["width_in"][0]), int(values["width_in"][1])),
            options={name: tuple(map(int, own)) for name, own in values["options"].items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One measured model of a profile.

    Attributes:
        target: The model.
        ratio: Its time over the reference's, taken in turns.
        ratio_low: Lower end of the 95 % interval of the ratio; None after too few turns, as is ``ratio_high``.
        ratio_high: Its upper end.
        p50: Median of its runs, in microseconds, at the speed that the device had then.
        reference_p50: The same of the reference.
        n: Runs.
    """

    target: Target
    ratio: float
    ratio_low: float | None
    ratio_high: float | None
    p50: float
    reference_p50: float
    n: int

    @classmethod
    def of(cls, target: Target, measurement: Measurement) -> Measured:
        """What a profile keeps of a measurement that was made beside the reference.

        Raises:
            UserError: The device does not say how the model compares to the reference.
        """
        if measurement.ratio is None or measurement.reference_p50 is None:
            raise UserError(
                "A profile needs the ratio of each model to the reference, taken in turns, but the device gave none; "
                "see docs/latency.md for what a program of yours has to print."
            )
        return cls.from_dict({**target.to_dict(), **measurement.to_dict()})

    def to_dict(self) -> dict[str, Any]:
        """Plain values; :meth:`from_dict` reads them back."""
        values = {name: getattr(self, name) for name in _TIMES}
        rounded = {name: None if value is None else float(f"{value:.6g}") for name, value in values.items()}
        return {**self.target.to_dict(), **rounded, "n": self.n}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Measured:
        """Read what :meth:`to_dict` wrote."""
        return cls(target=Target.from_dict(values), n=int(values["n"]), **{name: values[name] for name in _TIMES})


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A device as the predictor knows it; see docs/latency-predictor.md for the file.

    Attributes:
        device: What was measured: name, runtime, version, machine, threads.
        conditions: What else the figures depend on, such as the package's version, the load and the date.
        space: The keys of the space.
        deployment: The deployment of all networks.
        reference: The network that ran in turns with every model.
        reference_us: Its time in microseconds, to which all times refer: see :func:`undisturbed_speed`.
        reference_range: Shortest and longest time of it that a measurement saw: how steady the device was.
        rates: Microseconds of one unit of each term of work, by stage; ``run`` of stage 0 is what every network has.
        busy: See :class:`~edgenext_search.latency.profile.regression.Fit`; what a busy device does to the rates.
        covered: What was measured of each kind of block.
        held_out: Errors for networks that the fit had not seen, each at the speed that the device had then.
        seconds: How long measuring took.
        measured: All measured models.
    """

    device: DeviceInfo
    conditions: dict[str, Any]
    space: dict[str, Any]
    deployment: Deployment
    reference: Candidate
    reference_us: float
    reference_range: tuple[float, float]
    rates: Rates
    busy: Rates
    covered: tuple[Covered, ...]
    held_out: Accuracy
    seconds: float
    measured: tuple[Measured, ...] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; :meth:`from_dict` reads them back."""
        info = self.device
        return {
            "format": FORMAT,
            "device": {name: getattr(info, name) for name in ("name", "runtime", "version", "machine", "threads")},
            "conditions": self.conditions,
            "deployment": {"num_classes": self.deployment.num_classes, "img_size": self.deployment.img_size},
            "held_out": self.held_out.to_dict(),
            "seconds": round(self.seconds, 1),
            "reference": {
                "candidate": self.reference.to_dict(),
                "microseconds": self.reference_us,
                "range": list(self.reference_range),
            },
            "covered": [covered.to_dict() for covered in self.covered],
            "rates": _plain(self.rates),
            "busy": _plain(self.busy),
            "space": self.space,
            "measured": [measured.to_dict() for measured in self.measured],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str = "profile") -> Profile:
        """Read what :meth:`to_dict` wrote.

        Raises:
            UserError: It is no profile, or one of another format.
        """
        if values.get("format") != FORMAT:
            raise UserError(
                f"{where} is no latency profile of format {FORMAT}; "
                "make one with: edgenext-search latency profile --device host --out FILE"
            )
        try:
            reference = values["reference"]
            low, high = reference["range"]
            return cls(
                device=DeviceInfo(**values["device"]),
                conditions=dict(values["conditions"]),
                space=dict(values["space"]),
                deployment=Deployment(**values["deployment"]),
                reference=Candidate.from_dict(reference["candidate"]),
                reference_us=float(reference["microseconds"]),
                reference_range=(float(low), float(high)),
                rates=_rates(values["rates"]),
                busy=_rates(values["busy"]),
                covered=tuple(Covered.from_dict(covered) for covered in values["covered"]),
                held_out=Accuracy.from_dict(values["held_out"]),
                seconds=float(values["seconds"]),
                measured=tuple(Measured.from_dict(measured) for measured in values["measured"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(f"{where} is a damaged latency profile ({error!r}); measure it again.") from error

    @classmethod
    def load(cls, path: Path) -> Profile:
        """Read a profile's file.

        Raises:
            UserError: It cannot be read, or is no profile.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UserError(f"The profile {path} cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise UserError(f"{path} is no latency profile: it is not JSON ({error}).") from error
        if not isinstance(values, dict):
            raise UserError(f"{path} is no latency profile: it holds no JSON object.")
        return cls.from_dict(values, where=str(path))


def _plain(rates: Rates) -> dict[str, dict[str, float]]:
    return {name: {str(stage): rate for stage, rate in own.items()} for name, own in rates.items()}


def _rates(values: Mapping[str, Any]) -> Rates:
    return {str(name): {int(stage): float(rate) for stage, rate in own.items()} for name, own in values.items()}


def make_profile(
    measured: Sequence[Measured],
    *,
    device: DeviceInfo,
    conditions: Mapping[str, Any],
    space: Mapping[str, Any],
    deployment: Deployment,
    reference: Candidate,
    seconds: float,
) -> Profile:
    """Fit what was measured, and check it on networks that each fit has not seen.

    Raises:
        UserError: Fewer than :data:`FEWEST_NETWORKS` networks were measured.
    """
    networks = [index for index, entry in enumerate(measured) if entry.target.what == "network"]
    if len(networks) < FEWEST_NETWORKS:
        raise UserError(
            f"A profile needs at least {FEWEST_NETWORKS} measured networks, but has {len(networks)}; measure longer."
        )
    reference_us = undisturbed_speed(measured)
    speeds = sorted(entry.reference_p50 for entry in measured)
    samples = [_sample(entry, reference_us, deployment) for entry in measured]
    checked = held_out(samples, networks)
    found = fit(samples)
    return Profile(
        device=device,
        conditions=dict(conditions),
        space=dict(space),
        deployment=deployment,
        reference=reference,
        reference_us=reference_us,
        reference_range=(speeds[0], speeds[-1]),
        rates=found.rates,
        busy=found.busy,
        covered=tuple(_covered(block for entry in measured for block in entry.target.blocks(deployment))),
        held_out=accuracy(list(checked.values()), [samples[index].microseconds for index in checked]),
        seconds=seconds,
        measured=tuple(measured),
    )


def undisturbed_speed(measured: Sequence[Measured]) -> float:
    """Microseconds of the reference while nothing else kept the device busy: the lower quartile of what was seen."""
    return sorted(entry.reference_p50 for entry in measured)[len(measured) // 4]


def disturbance(measured: Measured, speed: float) -> float:
    """How little a measurement can be trusted; above 1 it had better be repeated.

    A device that is kept busy does not slow all of a network alike, so the ratio to the reference is not all that
    matters, but also how slow the reference was.

    Args:
        measured: The measurement.
        speed: See :func:`undisturbed_speed`.
    """
    slower = max(measured.reference_p50 / speed - 1, 0.0)
    return (slower / SLOWER) ** 2 + (_half_width(measured) / WIDE) ** 2


def _half_width(measured: Measured) -> float:
    """Of the ratio's 95 % interval, as a share of the ratio."""
    if measured.ratio_low is None or measured.ratio_high is None:
        return VAGUE
    return (measured.ratio_high - measured.ratio_low) / 2 / measured.ratio


def _sample(entry: Measured, reference_us: float, deployment: Deployment) -> Sample:
    return Sample(
        work=total_work(entry.target.blocks(deployment), run=entry.target.stage),
        microseconds=entry.ratio * reference_us,
        busy=max(1 - reference_us / entry.reference_p50, 0.0),
        weight=(1.0 if entry.target.what == "network" else STAGE_WEIGHT) / (1 + (_half_width(entry) / VAGUE) ** 2),
    )


def _covered(blocks: Iterable[Block]) -> list[Covered]:
    groups: dict[tuple[str, int, str], list[Block]] = {}
    for block in blocks:
        groups.setdefault((block.kind, block.stage, block.norm_act), []).append(block)
    return [
        Covered(
            kind=kind,
            stage=stage,
            norm_act=norm_act,
            width=(min(block.width for block in own), max(block.width for block in own)),
            width_in=(min(block.width_in for block in own), max(block.width_in for block in own)),
            options={name: tuple(sorted({int(getattr(block, name)) for block in own})) for name in OPTIONS},
        )
        for (kind, stage, norm_act), own in sorted(groups.items())
    ]
