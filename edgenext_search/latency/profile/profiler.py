"""Measuring a device's profile: in order of a plan, each result kept at once, so that a killed run goes on."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from edgenext_search import __version__
from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.published import published_variant
from edgenext_search.arch.space import Space
from edgenext_search.errors import UserError
from edgenext_search.files import write_text
from edgenext_search.latency.devices.device import Device, DeviceError, DeviceInfo
from edgenext_search.latency.measurement import Measurement, MeasureSettings
from edgenext_search.latency.profile.journal import Record
from edgenext_search.latency.profile.measurement_plan import Target, make_plan
from edgenext_search.latency.profile.profile import FEWEST_NETWORKS, Measured, Profile, make_profile

NETWORKS, STAGES = 160, 60
MINUTES = 9.0  # leaves the last group, which may begin just before, its time
GROUP = 6  # models that are measured in one process on the device; what a killed run loses at most
PRECISION = 0.01
SECONDS = 1.2  # at most for a model
SHORTEST = 0.2  # of what may be set: the warm-up, and some turns
RUNS = 40  # of model and reference together, that a slow device gets time for
REFERENCE = {"ln_gelu": "edgenext_xx_small", "bn_hs": "edgenext_xx_small_bn_hs"}

Listener = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileSettings:
    """How much to measure.

    Attributes:
        networks: Whole networks.
        stages: Single stages.
        seed: What they are drawn from.
        minutes: No further group of models begins after this time, once the fewest networks are measured.
        seconds: The longest time for one model, longer only where a run of the reference takes more than a fortieth.
    """

    networks: int = NETWORKS
    stages: int = STAGES
    seed: int = 0
    minutes: float = MINUTES
    seconds: float = SECONDS

    def __post_init__(self) -> None:
        if self.networks < FEWEST_NETWORKS:
            raise UserError(f"networks must be >= {FEWEST_NETWORKS}, but got {self.networks}.")
        if self.stages < 0:
            raise UserError(f"stages must be >= 0, but got {self.stages}.")
        if not self.minutes > 0:
            raise UserError(f"minutes must be > 0, but got {self.minutes}.")
        if not self.seconds >= SHORTEST:
            raise UserError(f"seconds must be >= {SHORTEST}, but got {self.seconds}.")


DEFAULT_PROFILE = ProfileSettings()


def measure_profile(
    device: Device,
    space: Space,
    deployment: Deployment,
    out: Path,
    *,
    settings: ProfileSettings = DEFAULT_PROFILE,
    listener: Listener | None = None,
) -> Profile:
    """Measure a device and write its profile; a run that was killed goes on where it was.

    What was measured while something else kept the device busy is measured again, as long as there is time.

    Args:
        device: Where the models run.
        space: What the networks are drawn from.
        deployment: Their classes and image size.
        out: The profile's file. ``OUT.partial`` beside it keeps what is measured until the profile is complete.
        settings: How much to measure.
        listener: Called with the models done, and their number.

    Raises:
        UserError: ``out`` exists, or ``OUT.partial`` is of another device, space or deployment.
        DeviceError: The device failed; what is measured is kept.
    """
    if out.exists():
        raise UserError(f"{out} exists already; give another --out, or remove it to measure again.")
    if not out.parent.is_dir():
        raise UserError(f"There is no folder {out.parent} for the profile; create it first.")
    info = device.check()
    plan = make_plan(space, deployment, networks=settings.networks, stages=settings.stages, seed=settings.seed)
    record = Record.open(out.with_name(f"{out.name}.partial"), _header(info, space, deployment, settings))
    reference = published_variant(REFERENCE[str(space.norm_acts[0])]).candidate
    work = _Work(device=device, plan=plan, deployment=deployment, record=record, settings=settings, listener=listener)
    with tempfile.TemporaryDirectory(prefix="edgenext-search-") as folder:
        try:
            work.finish(reference, Path(folder))
        except DeviceError as error:
            kept = f" {len(record.tries)} of {len(plan)} models are measured; the same command goes on from there."
            raise DeviceError(f"{error}{kept}", transient=error.transient) from error
    measured = list(record.best().values())
    profile = make_profile(
        measured,
        device=info,
        conditions=_conditions(measured, record, settings),
        space=space.to_dict(),
        deployment=deployment,
        reference=reference,
        seconds=record.seconds,
    )
    write_text(out, json.dumps(profile.to_dict(), indent=1))
    record.path.unlink()
    return profile


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """Measuring what a record lacks."""

    device: Device
    plan: Sequence[Target]
    deployment: Deployment
    record: Record
    settings: ProfileSettings
    listener: Listener | None

    def finish(self, reference: Candidate, folder: Path) -> None:
        """Measure group by group, until the plan or the time is at its end."""
        from edgenext_search.models.measurable import export_for_measuring

        record = self.record
        if not self._left():
            return
        started, before = time.monotonic(), record.seconds
        self._say(0)
        beside = folder / "reference.onnx"
        export_for_measuring(reference, self.deployment, beside)
        (alone,) = self.device.measure([beside], settings=MeasureSettings(seconds=2.0))
        how = MeasureSettings(
            precision=PRECISION,
            seconds=max(self.settings.seconds, RUNS * alone.p50 / 1e6),
            warmup_seconds=0.1,
            min_runs=10,
            precise="ratio",
        )
        while (group := self._left()[:GROUP]) and not (self._enough() and record.seconds > 60 * self.settings.minutes):
            measurements = self._group(group, beside, folder, how)
            entries = zip(group, measurements, strict=True)
            record.add(
                {index: Measured.of(self.plan[index], entry) for index, entry in entries},
                seconds=time.monotonic() - started + before - record.seconds,
                load=measurements[-1].conditions.get("load"),
            )

    def _left(self) -> list[int]:
        """What is not measured yet, and after that what was disturbed."""
        left = [index for index in range(len(self.plan)) if index not in self.record.tries]
        return left or self.record.disturbed()

    def _group(self, group: Sequence[int], beside: Path, folder: Path, how: MeasureSettings) -> list[Measurement]:
        paths = [folder / f"{index}.onnx" for index in group]
        for index, path in zip(group, paths, strict=True):
            _export(self.plan[index], self.deployment, path)
        try:
            return self.device.measure(paths, reference=beside, settings=how, progress=lambda done, _: self._say(done))
        finally:
            for path in paths:
                path.unlink()

    def _enough(self) -> bool:
        return sum(self.plan[index].what == "network" for index in self.record.tries) >= FEWEST_NETWORKS

    def _say(self, more: int) -> None:
        if self.listener:
            done = sum(map(len, self.record.tries.values()))
            self.listener(done + more, done + len(self._left()))


def _export(target: Target, deployment: Deployment, path: Path) -> None:
    if target.what == "network":
        from edgenext_search.models.measurable import export_for_measuring

        export_for_measuring(target.candidate, deployment, path)
    else:
        from edgenext_search.latency.profile.stage_models import export_stage

        export_stage(target.candidate, target.stage, deployment, path)


def _header(info: DeviceInfo, space: Space, deployment: Deployment, settings: ProfileSettings) -> dict[str, Any]:
    """What all measurements of one profile share, as JSON gives it back."""
    header = {
        "device": {name: getattr(info, name) for name in ("name", "runtime", "version", "machine", "threads")},
        "space": space.to_dict(),
        "deployment": {"num_classes": deployment.num_classes, "img_size": deployment.img_size},
        "plan": {name: getattr(settings, name) for name in ("networks", "stages", "seed")},
    }
    return dict(json.loads(json.dumps(header)))


def _conditions(measured: Sequence[Measured], record: Record, settings: ProfileSettings) -> dict[str, Any]:
    loads = sorted(record.loads)
    return {
        "edgenext_search": __version__,
        "date": date.today().isoformat(),
        "networks": sum(entry.target.what == "network" for entry in measured),
        "stages": sum(entry.target.what == "stage" for entry in measured),
        "measurements": sum(map(len, record.tries.values())),
        "seed": settings.seed,
        "load": {"median": loads[len(loads) // 2], "most": loads[-1]} if loads else None,
    }
