"""Latency in a study: the predictor that candidates are projected with, and measurements of the finalists."""

from __future__ import annotations

import functools
import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.projection import Projection
from edgenext_search.data import default_cache_dir
from edgenext_search.files import expanded
from edgenext_search.latency.devices.device import Device, DeviceError
from edgenext_search.latency.devices.open import open_device
from edgenext_search.latency.measurement import WARMUP_SECONDS, Measurement, MeasureSettings
from edgenext_search.latency.profile.predictor import Predictor
from edgenext_search.search.recipe import ResolvedRecipe
from edgenext_search.search.store.records import LatencyFacts, ProfileSummary, TrialRecord
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.store.store import StudyStore
from edgenext_search.search.study.listener import Listener
from edgenext_search.temporary import temporary_folder

BUSY = 1.1  # ratio of the reference's time to that in the profile from which a note is given
SAMPLED = 50  # random networks that are checked against the range of the profile


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyDevice:
    """The device of a study, with the predictor of latencies on it."""

    device: Device
    predictor: Predictor
    profile: Path

    def deployment(self, deployment: Deployment) -> Deployment:
        """The study's deployment, with the predicted latency among its costs."""
        return replace(deployment, latency_model=self.predictor)

    def effective_budget(self, budget: Budget) -> Budget:
        """The budget that candidates are projected into: the latency cap divided by the margin of predictions."""
        if budget.latency is None:
            return budget
        return replace(budget, latency=max(1, int(budget.latency / self.predictor.margin)))

    def facts(self, budget: Budget) -> LatencyFacts:
        """The device, its profile, and the cap that candidates are projected into."""
        profile = self.predictor.profile
        return LatencyFacts(
            device=self.device.name,
            cap=budget.latency,
            effective_cap=self.effective_budget(budget).latency,
            margin=self.predictor.margin,
            profile=ProfileSummary(conditions=profile.conditions, held_out=profile.held_out),
        )

    def notes(self, budget: Budget, projection: Projection) -> list[str]:
        """Notes on the effective cap, and on networks outside the range of the profile.

        Raises:
            UserError: The profile has no measurement of a kind of block.
        """
        notes = []
        if budget.latency is not None and (cap := self.effective_budget(budget).latency) is not None:
            notes.append(
                f"Candidates are scaled to a predicted {cap / 1000:.4g} ms on {self.device.name}, the cap less the "
                "margin of the profile's errors; the finalists are measured."
            )
        rng = random.Random(0)
        sample = [projection.candidate(projection.space.draw(rng)) for _ in range(SAMPLED)]
        outside = [predicted for c in sample if (predicted := self.predictor.predict(c)).interpolated]
        if outside:
            share = round(100 * len(outside) / SAMPLED)
            notes.append(
                f"Note: the latency of some {share} % of this study's networks is outside what the profile measured "
                f"({outside[0].notes[0]}); the finalists are measured all the same."
            )
        return notes


def open_study_device(
    run: RunFolder,
    recipe: ResolvedRecipe,
    listener: Listener,
    *,
    cache_dir: Path | None,
    measures: bool = True,
) -> StudyDevice | None:
    """The device and predictor of a study; None where the study does not ask for latency.

    The profile is that of the run folder, else the file that the study names, else that of the cache. If there is none,
    it is measured.

    Args:
        run: Run folder.
        recipe: Resolved study.
        listener: Listener to the study's progress.
        cache_dir: Cache of profiles; None for the default.
        measures: Whether measurements will be made. If not, the device is not contacted, and without a profile in the
            run folder the result is None.

    Raises:
        UserError: The device cannot be used, or the profile is not of this device and deployment.
    """
    if not recipe.needs_latency or not (measures or run.latency_profile.is_file()):
        return None
    from edgenext_search.latency.profile.predictor import Predictor

    device, info = open_device(recipe.latency.device), None
    cached = _cached_profiles(device, recipe, cache_dir or default_cache_dir())
    profile = next(_profiles(run, recipe, cached), None)
    if measures:
        try:
            info = device.check()
        except DeviceError as error:
            if not (error.transient and profile is not None and recipe.latency.unreachable == "predict"):
                raise
            listener.note(f"Note: {error} The study goes by predicted latencies.")
    if info is not None and (profile is None or profile.parent == cached):
        profile = cached / f"{_digest(*info.to_dict().values())}.json"
        _measure_profile(device, recipe, profile, listener)
    assert profile is not None  # noqa: S101 - there was one, or the device answered
    predictor = Predictor.load(profile, deployment=recipe.deployment)
    if info is not None:
        predictor.check_device(info)
    return StudyDevice(device=device, predictor=predictor, profile=profile)


def _profiles(run: RunFolder, recipe: ResolvedRecipe, cached: Path) -> Iterator[Path]:
    """The profiles that apply to a study, the preferred one first."""
    if run.latency_profile.is_file():
        yield run.latency_profile
    if recipe.latency.profile is not None:
        yield expanded(recipe.latency.profile)
    yield from sorted(cached.glob("*.json"), key=lambda path: -path.stat().st_mtime)


def _cached_profiles(device: Device, recipe: ResolvedRecipe, cache_dir: Path) -> Path:
    """The cache folder of the profiles for a device, a space and a deployment, one for each runtime."""
    return cache_dir / "latency" / _digest(device.name, recipe.space.to_dict(), recipe.deployment)


def _measure_profile(device: Device, recipe: ResolvedRecipe, path: Path, listener: Listener) -> None:
    """Measure a profile if there is none."""
    from edgenext_search.latency.profile.profiler import measure_profile

    if path.is_file():
        return
    space, deployment = recipe.space, recipe.deployment
    listener.note(
        f"Profiling {device.name} for space {space.name} at {deployment}: some ten minutes, once. If interrupted, "
        "it continues."
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    measure_profile(device, space, deployment, path, progress=functools.partial(listener.measured, "Profile"))


def _digest(*parts: object) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class FinalistTimer:
    """Measures finalists on the device, in turns with the profile's reference network.

    Latencies are converted to the speed of the device when it was profiled, to which predictions refer: the ratio to
    the reference times the latency of the reference in the profile.
    """

    study_device: StudyDevice
    recipe: ResolvedRecipe
    store: StudyStore
    listener: Listener
    should_stop: Callable[[], bool]

    def __call__(self, trials: Sequence[TrialRecord]) -> bool:
        """Measure the candidates of some trials one by one, and record each measurement.

        Returns:
            False if it was stopped, or if the device cannot be reached and the study continues with predictions.

        Raises:
            DeviceError: The device cannot be used, and the study has to pause. Recorded measurements are kept.
        """
        from edgenext_search.models.measurable import export_for_measuring

        device, keys = self.study_device.device, self.recipe.latency
        profile, deployment = self.study_device.predictor.profile, self.recipe.deployment
        settings = MeasureSettings(
            precision=keys.precision,
            seconds=keys.seconds,
            warmup_seconds=min(WARMUP_SECONDS, keys.seconds / 4),
            precise="ratio",
        )
        self.listener.note(f"Measuring {len(trials)} finalists on {device.name}")
        slower = []
        with temporary_folder() as folder:
            reference = folder / "reference.onnx"
            export_for_measuring(profile.reference.candidate, deployment, reference)
            for index, trial in enumerate(trials):
                path = folder / f"{trial.candidate.fingerprint}.onnx"
                export_for_measuring(trial.candidate, deployment, path)
                progress = functools.partial(self._progress, index, len(trials))
                try:
                    progress(0, 1)
                    (measurement,) = device.measure([path], reference=reference, settings=settings, progress=progress)
                except _StopError:
                    return False
                except DeviceError as error:
                    if error.transient and keys.unreachable == "predict":
                        self.listener.note(f"Note: {error} Finalists go by their predicted latencies.")
                        return False
                    raise
                self._record(trial, measurement.at_speed(profile.reference.microseconds))
                if measurement.reference_p50:
                    slower.append(measurement.reference_p50 / profile.reference.microseconds)
        self._warn(slower)
        return True

    def _record(self, trial: TrialRecord, measurement: Measurement) -> None:
        """Record the measurement of a trial's candidate, and note it."""
        self.store.add_latency(trial.candidate.fingerprint, measurement)
        cap = self.recipe.budget.latency
        said = "" if cap is None else f": {measurement.verdict_at(cap)} at {cap / 1000:g} ms"
        self.listener.note(
            f"trial {trial.number}: {measurement.p50 / 1000:.2f} ms "
            f"({measurement.low / 1000:.2f} to {measurement.high / 1000:.2f}){said}"
        )

    def _warn(self, slower: Sequence[float]) -> None:
        """Note if the speed of the device differs from that when it was profiled."""
        if slower and not 1 / BUSY < (most := max(slower, key=lambda share: abs(share - 1))) < BUSY:
            self.listener.note(
                f"Note: the device was {most:.2f} times as slow as when it was profiled, by a reference network that "
                "ran in turns; the latencies above are at the profiled speed."
            )

    def _progress(self, before: int, total: int, done: int, _: int) -> None:
        if self.should_stop():
            raise _StopError
        self.listener.measured("Latency", before + done, total)


class _StopError(KeyboardInterrupt):
    """Ends a measurement when the run stops; devices clean up as on Ctrl-C."""
