"""The latency profile of a device: measured models, the rates fitted to them, and the errors of predictions.

The file is described in docs/latency-predictor.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, PlainSerializer, PlainValidator, model_validator

from edgenext_search.arch.blocks import Block, Kind
from edgenext_search.arch.candidate import STAGES, Candidate, NormAct
from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.results import DeploymentResult
from edgenext_search.errors import UserError
from edgenext_search.latency.devices.device import DeviceInfo
from edgenext_search.latency.measurement import Microseconds
from edgenext_search.latency.profile.features import block_features
from edgenext_search.latency.profile.measured_model import (
    UNKNOWN_HALF_WIDTH,
    MeasuredModel,
    undisturbed_reference_us,
)
from edgenext_search.latency.profile.measurement_plan import OPTIONS
from edgenext_search.latency.profile.prediction_error import PredictionErrors, prediction_errors
from edgenext_search.latency.profile.regression import RUN, Sample, fit, held_out, model_features
from edgenext_search.results import Result

FORMAT = 1  # of the file; increased by a change that older releases cannot read
STAGE_WEIGHT = 0.1  # of a single stage, relative to a network
FEWEST_NETWORKS = 24  # of a profile; with fewer the errors of predictions are not known well enough

_Range = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]


def _deployment(values: object) -> Deployment:
    if isinstance(values, Deployment):
        return values
    return Deployment(**dict(DeploymentResult.model_validate(values)))


DeploymentKeys = Annotated[
    Deployment,
    PlainValidator(_deployment, json_schema_input_type=DeploymentResult),
    PlainSerializer(Deployment.to_dict),
]


class Load(Result):
    """Load average of the machine while a profile was measured."""

    median: float
    """Median."""
    most: float
    """Maximum."""


class ProfileConditions(Result):
    """The conditions of a profile. A key is null where it is not known."""

    edgenext_search: str | None = None
    """Version of this package."""
    date: str | None = None
    """Date of the last measurement."""
    networks: int | None = None
    """Number of measured networks."""
    stages: int | None = None
    """Number of measured single stages."""
    measurements: int | None = None
    """Number of measurements, with repetitions."""
    seed: int | None = None
    """Seed of the drawn networks and stages."""
    load: Load | None = None
    """Load average of the machine; null where the device does not report it."""


class Reference(Result):
    """The network that ran in turns with every model."""

    model_config = ConfigDict(allow_inf_nan=False)

    candidate: Candidate
    """The network."""
    microseconds: Microseconds
    """Its time on the undisturbed device, to which all times refer."""
    range: tuple[Microseconds, Microseconds]
    """Its shortest and longest median during the measurements."""


class Coverage(Result):
    """What was measured of one kind of block in one stage."""

    kind: Kind
    """``stem``, ``downsample``, ``conv``, ``sdta`` or ``head``."""
    stage: Annotated[int, Field(ge=1, le=STAGES)]
    """Number of the stage, from 1."""
    norm_act: NormAct
    """``ln_gelu`` or ``bn_hs``."""
    width: _Range
    """Narrowest and widest."""
    width_in: _Range
    """Narrowest and widest input."""
    options: dict[str, Annotated[tuple[int, ...], Field(min_length=1)]]
    """Measured values of ``kernel_size``, ``sdta_splits``, ``heads``, ``pos_emb`` and ``expand_ratio``."""

    @model_validator(mode="after")
    def _require_options(self) -> Self:
        if missing := [name for name in OPTIONS if name not in self.options]:
            raise ValueError(f"options must have {', '.join(OPTIONS)}, but {missing[0]} is missing")
        return self

    def terms(self) -> set[str]:
        """The terms of the blocks that were measured."""
        return {
            name
            for kernel_size in self.options["kernel_size"]
            for name in block_features(
                Block(
                    kind=self.kind,
                    stage=self.stage,
                    side=1,
                    width_in=1,
                    width=1,
                    norm_act=self.norm_act,
                    kernel_size=kernel_size,
                    sdta_splits=2,
                    heads=1,
                    pos_emb=max(self.options["pos_emb"]) > 0,
                    expand_ratio=1,
                    num_classes=1,
                )
            )
        }


class ProfileSummary(Result):
    """What was measured, and how well it predicts."""

    model_config = ConfigDict(allow_inf_nan=False)

    device: DeviceInfo
    """The measured device."""
    conditions: ProfileConditions
    """Date, version of this package, and how much was measured."""
    deployment: DeploymentKeys
    """Number of classes and image size of all networks."""
    held_out: PredictionErrors
    """Errors of cross-validated predictions, each at the speed of the device during the measurement."""
    seconds: float
    """Time that all measurements took."""
    reference: Reference
    """The network that ran in turns with every model."""


class Profile(ProfileSummary):
    """The latency profile of a device for one space and one deployment."""

    format: Literal[1] = 1
    """Version of the file's format."""
    covered: tuple[Coverage, ...]
    """What was measured of each kind of block."""
    rates: dict[str, dict[int, Annotated[float, Field(ge=0)]]]
    """Microseconds of one unit of each term, by stage; ``run`` of stage 0 is the constant of a network."""
    busy: dict[str, dict[int, float]]
    """Change of the rates for the share of the reference's time that is due to other load on the device."""
    space: dict[str, JsonValue]
    """The keys of the space."""
    measured: tuple[MeasuredModel, ...] = Field(repr=False)
    """All measured models."""

    @model_validator(mode="after")
    def _require_rates(self) -> Self:
        needed = {(name, own.stage) for own in self.covered for name in own.terms()} | {(RUN, 0)}
        for name, stage in sorted(needed):
            if stage not in self.rates.get(name, {}):
                raise ValueError(f"rates must have the term {name} of stage {stage}, but it is missing")
        return self

    @classmethod
    def load(cls, path: Path) -> Profile:
        """Read the file of a profile.

        Raises:
            UserError: The file cannot be read, is not a profile, or is damaged.
        """
        try:
            values = json.loads(path.read_bytes())
        except OSError as error:
            raise UserError(f"The profile {path} cannot be read: {error.strerror}.") from error
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path} is not a latency profile: it is not JSON ({error}).") from error
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise UserError(
                f"{path} is not a latency profile of format {FORMAT}; "
                "make one with: edgenext-search latency profile --device host --out FILE"
            )
        return cls.read(values, where=f"{path} is a damaged latency profile; measure it again")


class ProfileResult(ProfileSummary):
    """The result of ``latency profile``."""

    profile: str
    """Path of the profile's file."""

    @classmethod
    def of(cls, profile: Profile, path: Path) -> Self:
        """What to say of a profile that was written to ``path``."""
        return cls(profile=str(path), **{name: getattr(profile, name) for name in ProfileSummary.model_fields})


def make_profile(
    measured: Sequence[MeasuredModel],
    *,
    device: DeviceInfo,
    conditions: ProfileConditions,
    space: Mapping[str, JsonValue],
    deployment: Deployment,
    reference: Candidate,
    seconds: float,
) -> Profile:
    """Fit rates to measured models and cross-validate them on the networks.

    Args:
        measured: The measured models.
        device: The measured device.
        conditions: The conditions of the profile.
        space: The keys of the space.
        deployment: Number of classes and image size of all networks.
        reference: The network that ran in turns with every model.
        seconds: Time that all measurements took.

    Raises:
        UserError: Fewer than :data:`FEWEST_NETWORKS` networks were measured.
    """
    networks = [index for index, entry in enumerate(measured) if entry.what == "network"]
    if len(networks) < FEWEST_NETWORKS:
        raise UserError(
            f"A profile needs at least {FEWEST_NETWORKS} measured networks, but has {len(networks)}; measure longer."
        )
    reference_us = undisturbed_reference_us(measured)
    reference_times = [entry.reference_p50 for entry in measured]
    samples = [_sample(entry, reference_us, deployment) for entry in measured]
    predicted = held_out(samples, networks)
    fitted = fit(samples)
    return Profile(
        device=device,
        conditions=conditions,
        space=dict(space),
        deployment=deployment,
        reference=Reference(
            candidate=reference, microseconds=reference_us, range=(min(reference_times), max(reference_times))
        ),
        rates=fitted.rates,
        busy=fitted.busy,
        covered=tuple(_covered(block for entry in measured for block in entry.blocks(deployment))),
        held_out=prediction_errors(list(predicted.values()), [samples[index].microseconds for index in predicted]),
        seconds=round(seconds, 1),
        measured=tuple(measured),
    )


def _sample(entry: MeasuredModel, reference_us: float, deployment: Deployment) -> Sample:
    return Sample(
        features=model_features(entry.blocks(deployment), run=entry.stage),
        microseconds=entry.ratio * reference_us,
        busy=max(1 - reference_us / entry.reference_p50, 0.0),
        weight=(1.0 if entry.what == "network" else STAGE_WEIGHT) / (1 + (entry.half_width / UNKNOWN_HALF_WIDTH) ** 2),
    )


def _covered(blocks: Iterable[Block]) -> list[Coverage]:
    groups: dict[tuple[Kind, int, NormAct], list[Block]] = {}
    for block in blocks:
        groups.setdefault((block.kind, block.stage, block.norm_act), []).append(block)
    return [
        Coverage(
            kind=kind,
            stage=stage,
            norm_act=norm_act,
            width=(min(block.width for block in own), max(block.width for block in own)),
            width_in=(min(block.width_in for block in own), max(block.width_in for block in own)),
            options={name: tuple(sorted({int(getattr(block, name)) for block in own})) for name in OPTIONS},
        )
        for (kind, stage, norm_act), own in sorted(groups.items())
    ]
