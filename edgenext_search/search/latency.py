"""Latency in a study: what candidates are projected with, and what the device says of the finalists."""

from __future__ import annotations

import functools
import hashlib
import random
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenext_search.data import default_cache_dir
from edgenext_search.latency.device import DeviceError, open_device
from edgenext_search.latency.measurement import MeasureSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgenext_search.arch.budget import Budget
    from edgenext_search.arch.cost import Deployment
    from edgenext_search.arch.projection import Projection
    from edgenext_search.latency.device import Device
    from edgenext_search.latency.predictor import Predictor
    from edgenext_search.search.folder import RunFolder
    from edgenext_search.search.listener import Listener
    from edgenext_search.search.recipe import StudyRecipe
    from edgenext_search.search.records import TrialRecord
    from edgenext_search.search.store import StudyStore


BUSY = 1.1  # a reference so many times slower or faster than in the profile is worth a note
SAMPLED = 50  # networks whose blocks are looked for in the profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """A study's device, and the model that predicts latencies on it.

    Attributes:
        device: Where finalists are measured.
        predictor: Predicts what it will say.
        profile: The predictor's file.
    """

    device: Device
    predictor: Predictor
    profile: Path

    def deployment(self, deployment: Deployment) -> Deployment:
        """The study's deployment, with the predicted latency among its costs."""
        return replace(deployment, latency_model=self.predictor)

    def aim(self, budget: Budget) -> Budget:
        """What candidates are projected into: the cap less the margin that measured times exceed predicted ones by."""
        if budget.latency is None:
            return budget
        return replace(budget, latency=max(1, int(budget.latency / self.predictor.margin)))

    def facts(self, budget: Budget) -> dict[str, Any]:
        """What the record says of it."""
        return {
            "device": self.device.name,
            "cap": budget.latency,
            "aim": self.aim(budget).latency,
            "margin": self.predictor.margin,
            "profile": {"conditions": self.predictor.conditions, "held_out": self.predictor.held_out.to_dict()},
        }

    def notes(self, budget: Budget, projection: Projection) -> list[str]:
        """What candidates are scaled to, and whether the profile covers them.

        Raises:
            UserError: It knows nothing like one of their blocks.
        """
        found = []
        if budget.latency is not None and (aim := self.aim(budget).latency) is not None:
            found.append(
                f"Candidates are scaled to a predicted {aim / 1000:.4g} ms on {self.device.name}, the cap less the "
                "margin of the profile's errors; the finalists are measured."
            )
        rng = random.Random(0)  # noqa: S311 - a sample, no secret
        sample = [projection.candidate(projection.space.sample(rng)) for _ in range(SAMPLED)]
        outside = [predicted for c in sample if (predicted := self.predictor.predict(c)).interpolated]
        if outside:
            share = round(100 * len(outside) / SAMPLED)
            found.append(
                f"Note: the latency of some {share} % of this study's networks is outside what the profile measured "
                f"({outside[0].notes[0]}); the finalists are measured all the same."
            )
        return found


def open_gauge(
    run: RunFolder,
    recipe: StudyRecipe,
    listener: Listener,
    *,
    cache_dir: Path | None,
) -> Gauge | None:
    """The device and predictor of a study that asks for latency; None for others.

    The profile is the run's own where the run has begun, else the file that the study names, else the one in the
    cache, which is measured here where there is none.

    Raises:
        UserError: The device cannot be used, or the profile is not of this device and deployment.
    """
    if not recipe.needs_latency:
        return None
    from edgenext_search.latency.predictor import Predictor

    device = open_device(recipe.latency.device)
    info = None
    try:
        info = device.check()
    except DeviceError as error:
        if not (error.transient and run.latency_profile.is_file() and recipe.latency.unreachable == "predict"):
            raise
        listener.note(f"Note: {error} The study goes by predicted latencies.")
    if run.latency_profile.is_file():
        path = run.latency_profile
    elif recipe.latency.profile is not None:
        path = Path(recipe.latency.profile).expanduser()
    else:
        path = _cached_profile(device, recipe, listener, cache_dir or default_cache_dir())
    predictor = Predictor.load(path, deployment=recipe.load_deployment())
    if info is not None:
        predictor.check_device(info)
    return Gauge(device=device, predictor=predictor, profile=path)


def _cached_profile(device: Device, recipe: StudyRecipe, listener: Listener, cache_dir: Path) -> Path:
    """The profile of a device, a space and a deployment in the cache, measured if it is not there."""
    from edgenext_search.latency.profiling import measure_profile

    space, deployment = recipe.load_space(), recipe.load_deployment()
    key = hashlib.sha256(f"{device.name}\n{space.to_dict()}\n{deployment}".encode()).hexdigest()[:16]
    path = cache_dir / "latency" / f"{key}.json"
    if not path.is_file():
        listener.note(
            f"Profiling {device.name} for space {space.name} at {deployment}: some ten minutes, once. Interrupted, it "
            "goes on where it was."
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        measure_profile(device, space, deployment, path, listener=functools.partial(listener.measured, "Profile"))
    return path


class FinalistGauge:
    """Measures finalists on the device, in turns with the profile's reference network.

    A latency is the ratio to the reference times the reference's in the profile: at the speed of the profile, to which
    the predictions refer, whatever else the device does meanwhile.

    Args:
        gauge: The study's device.
        recipe: The study.
        store: Its record.
        listener: Whoever watches.
        should_stop: Asked between two networks.
    """

    def __init__(
        self,
        gauge: Gauge,
        recipe: StudyRecipe,
        store: StudyStore,
        listener: Listener,
        *,
        should_stop: Callable[[], bool],
    ) -> None:
        self._gauge = gauge
        self._recipe = recipe
        self._store = store
        self._listener = listener
        self._should_stop = should_stop

    def __call__(self, trials: Sequence[TrialRecord]) -> bool:
        """Measure the candidates of some trials and record what the device said.

        Returns:
            Whether it did; False where it should stop, or the device is out of reach and the study goes by predictions.

        Raises:
            DeviceError: The device cannot be used, and the study is to pause then. Nothing recorded is lost.
        """
        from edgenext_search.models.measurable import export_for_measuring

        if self._should_stop():
            return False
        device, keys = self._gauge.device, self._recipe.latency
        settings = MeasureSettings(precision=keys.precision, seconds=keys.seconds, precise="ratio")
        deployment = self._recipe.load_deployment()
        self._listener.note(f"Measuring {len(trials)} finalists on {device.name}")
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / f"{trial.candidate.fingerprint}.onnx" for trial in trials]
            reference = Path(folder) / "reference.onnx"
            profile = self._gauge.predictor.profile
            export_for_measuring(profile.reference, deployment, reference)
            for trial, path in zip(trials, paths, strict=True):
                export_for_measuring(trial.candidate, deployment, path)
            try:
                measured = device.measure(paths, reference=reference, settings=settings, progress=self._progress)
            except DeviceError as error:
                if error.transient and keys.unreachable == "predict":
                    self._listener.note(f"Note: {error} The finalists go by their predicted latencies.")
                    return False
                raise
        cap = self._recipe.load_budget().latency
        for trial, found in zip(trials, measured, strict=True):
            measurement = found.at_speed(profile.reference_us)
            self._store.add_latency(trial.candidate.fingerprint, measurement)
            said = "" if cap is None else f": {measurement.verdict(cap)} at {cap / 1000:g} ms"
            self._listener.note(
                f"trial {trial.number}: {measurement.p50 / 1000:.2f} ms "
                f"({measurement.low / 1000:.2f} to {measurement.high / 1000:.2f}){said}"
            )
        self._warn([found.reference_p50 / profile.reference_us for found in measured if found.reference_p50])
        return True

    def _warn(self, slower: Sequence[float]) -> None:
        """Say so where the device was not as fast as when it was profiled, which is the speed that times refer to."""
        if slower and not 1 / BUSY < (most := max(slower, key=lambda share: abs(share - 1))) < BUSY:
            self._listener.note(
                f"Note: the device was {most:.2f} times as slow as when it was profiled, by a reference network that "
                "ran in turns; the latencies above are at the profiled speed."
            )

    def _progress(self, done: int, total: int) -> None:
        if self._should_stop():
            raise KeyboardInterrupt
        self._listener.measured("Latency", done, total)
