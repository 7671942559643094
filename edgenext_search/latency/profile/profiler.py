"""Measure the profile of a device: the models of a plan in groups, each kept in a journal at once."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.published import published_variant
from edgenext_search.arch.spaces.space import Space
from edgenext_search.errors import UserError
from edgenext_search.files import write_text
from edgenext_search.latency.devices.device import Device, DeviceError, Progress
from edgenext_search.latency.measurement import Measurement, MeasureSettings
from edgenext_search.latency.profile.journal import Header, Journal, PlanKeys
from edgenext_search.latency.profile.measured_model import MeasuredModel
from edgenext_search.latency.profile.measurement_plan import Target, make_plan
from edgenext_search.latency.profile.profile import (
    FEWEST_NETWORKS,
    Load,
    Profile,
    ProfileConditions,
    make_profile,
)
from edgenext_search.temporary import temporary_folder
from edgenext_search.version import __version__

NETWORKS, STAGES = 160, 60
MINUTES = 9.0  # leaves time for the last group, which may begin just before
GROUP = 6  # models that are measured in one process on the device; an interrupted run loses at most one group
PRECISION = 0.01
SECONDS = 1.2  # upper limit for a model
SHORTEST = 0.2  # least allowed upper limit: the warm-up, and some turns
RUNS = 40  # runs of model and reference together that a slow device gets time for
REFERENCE = {"ln_gelu": "edgenext_xx_small", "bn_hs": "edgenext_xx_small_bn_hs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileSettings:
    """The amount of measurements.

    Attributes:
        networks: Number of whole networks.
        stages: Number of single stages.
        seed: Seed of the drawn networks and stages.
        minutes: Time after which no group of models begins, once the fewest networks are measured.
        seconds: Upper limit of the time for one model; it is extended where 40 runs of the reference take longer.

    Raises:
        UserError: A value is out of range.
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
    progress: Progress | None = None,
) -> Profile:
    """Measure a device and write its profile. An interrupted run continues where it was.

    Models whose measurement was disturbed by other load on the device are measured again, as long as there is time.

    Args:
        device: Device to measure.
        space: Search space of the networks.
        deployment: Number of classes and image size of the networks.
        out: File of the profile. ``OUT.partial`` beside it is the journal, until the profile is complete.
        settings: Amount of measurements.
        progress: Called with the number of measured models and their total.

    Raises:
        UserError: ``out`` exists, or ``OUT.partial`` belongs to another device, space or deployment.
        DeviceError: The device failed. All measurements before are kept.
    """
    partial = out.with_name(f"{out.name}.partial")
    if out.exists() and not partial.exists():  # both: a run that was killed before its last step
        raise UserError(f"{out} exists already; give another --out, or remove it to measure again.")
    if not out.parent.is_dir():
        raise UserError(f"There is no folder {out.parent} for the profile; create it first.")
    info = device.check()
    plan = make_plan(space, deployment, networks=settings.networks, stages=settings.stages, seed=settings.seed)
    header = Header(
        device=info,
        space=space.to_dict(),
        deployment=deployment,
        plan=PlanKeys(networks=settings.networks, stages=settings.stages, seed=settings.seed),
    )
    journal = Journal.open(partial, header)
    reference = published_variant(REFERENCE[str(space.norm_acts[0])]).candidate
    session = _Session(
        device=device, plan=plan, deployment=deployment, journal=journal, settings=settings, progress=progress
    )
    with temporary_folder() as folder:
        try:
            session.finish(reference, folder)
        except DeviceError as error:
            kept = f" {len(journal.tries)} of {len(plan)} models are measured; the same command continues from there."
            raise DeviceError(f"{error}{kept}", transient=error.transient) from error
    measured = list(journal.best().values())
    profile = make_profile(
        measured,
        device=info,
        conditions=_conditions(measured, journal, settings),
        space=space.to_dict(),
        deployment=deployment,
        reference=reference,
        seconds=journal.seconds,
    )
    write_text(out, json.dumps(profile.to_dict(), indent=1))
    journal.path.unlink()
    return profile


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    """Measures the models that a journal lacks."""

    device: Device
    plan: Sequence[Target]
    deployment: Deployment
    journal: Journal
    settings: ProfileSettings
    progress: Progress | None

    def finish(self, reference: Candidate, folder: Path) -> None:
        """Measure group by group until the plan is complete or the time is up."""
        from edgenext_search.models.measurable import export_for_measuring

        journal = self.journal
        if not self._left():
            return
        started, before = time.monotonic(), journal.seconds
        self._report(0)
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
        while (group := self._left()[:GROUP]) and not (self._enough() and journal.seconds > 60 * self.settings.minutes):
            measurements = self._group(group, beside, folder, how)
            entries = zip(group, measurements, strict=True)
            journal.add(
                {index: MeasuredModel.of(self.plan[index], entry) for index, entry in entries},
                seconds=time.monotonic() - started + before - journal.seconds,
                load=measurements[-1].conditions.load,
            )

    def _left(self) -> list[int]:
        """The models that are not measured yet; after that, those whose measurement was disturbed."""
        left = [index for index in range(len(self.plan)) if index not in self.journal.tries]
        return left or self.journal.disturbed()

    def _group(self, group: Sequence[int], beside: Path, folder: Path, how: MeasureSettings) -> list[Measurement]:
        paths = [folder / f"{index}.onnx" for index in group]
        for index, path in zip(group, paths, strict=True):
            _export(self.plan[index], self.deployment, path)
        try:
            return self.device.measure(
                paths, reference=beside, settings=how, progress=lambda done, _: self._report(done)
            )
        finally:
            for path in paths:
                path.unlink()

    def _enough(self) -> bool:
        return sum(self.plan[index].what == "network" for index in self.journal.tries) >= FEWEST_NETWORKS

    def _report(self, more: int) -> None:
        if self.progress:
            done = sum(map(len, self.journal.tries.values()))
            self.progress(done + more, done + len(self._left()))


def _export(target: Target, deployment: Deployment, path: Path) -> None:
    if target.what == "network":
        from edgenext_search.models.measurable import export_for_measuring

        export_for_measuring(target.candidate, deployment, path)
    else:
        from edgenext_search.latency.profile.stage_models import export_stage

        export_stage(target.candidate, target.stage, deployment, path)


def _conditions(measured: Sequence[MeasuredModel], journal: Journal, settings: ProfileSettings) -> ProfileConditions:
    loads = sorted(journal.loads)
    return ProfileConditions(
        edgenext_search=__version__,
        date=date.today().isoformat(),
        networks=sum(entry.what == "network" for entry in measured),
        stages=sum(entry.what == "stage" for entry in measured),
        measurements=sum(map(len, journal.tries.values())),
        seed=settings.seed,
        load=Load(median=loads[len(loads) // 2], most=loads[-1]) if loads else None,
    )
