"""How close predicted latency is to measured latency, for random networks that the profile has not seen.

The device is profiled first (``--profile FILE`` keeps the profile, or takes one that is there), then random networks of
the space, spread over the usual budgets, are exported, measured in several passes beside the profile's reference, and
compared with their predictions. What was measured while the machine was busy is measured again.

Baselines, on the same measured networks that the profile is fitted to: least squares of relative errors on
multiply-adds (``madds_*``), and on multiply-adds, activations and parameters (``linear_*``), each with a constant.
``noise_*`` is the noise floor: one pass of measurements taken for the prediction of another. ``single_*`` compares the
predictions with one pass instead of the median of all, ``at_speed_*`` predicts each measurement at the speed that the
reference showed beside it.
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import conditions, emit, parser, significant

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.spaces.space import Space
from edgenext_search.latency.devices.device import Device
from edgenext_search.latency.devices.open import open_device
from edgenext_search.latency.measurement import MeasureSettings
from edgenext_search.latency.profile.measured_model import MeasuredModel
from edgenext_search.latency.profile.measurement_plan import Target, draw_networks
from edgenext_search.latency.profile.prediction_error import prediction_errors
from edgenext_search.latency.profile.predictor import Predictor
from edgenext_search.latency.profile.profile import Profile
from edgenext_search.latency.profile.profiler import ProfileSettings, measure_profile
from edgenext_search.latency.profile.regression import Fit, model_features
from edgenext_search.models.measurable import export_for_measuring

PER_PROCESS = 5
TRIES = 2  # of one model in one pass
QUICK = {"num_classes": 10, "img_size": 64}
SETTINGS = MeasureSettings(precision=0.01, seconds=1.5, warmup_seconds=0.1, min_runs=10, precise="ratio")
QUICK_SETTINGS = replace(SETTINGS, precision=0.03, seconds=0.4)


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__)
    arguments.add_argument("--device", default="host")
    arguments.add_argument("--space", default="edgenext")
    arguments.add_argument("-n", type=int, default=100, help="networks to predict (default: 100)")
    arguments.add_argument("--passes", type=int, default=3, help="measurements of each, in processes of their own")
    arguments.add_argument("--profile", type=Path, help="where to keep the profile, or one that is there")
    arguments.add_argument("--record", type=Path, help="keeps each measurement, so that a stopped run goes on")
    options = arguments.parse_args()
    n = 6 if options.quick else options.n
    passes = 2 if options.quick else options.passes
    deployment = Deployment(**(QUICK if options.quick else {}))
    device, space = open_device(options.device), Space.load(options.space)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        profile = _profile(device, space, deployment, options.profile or folder / "profile.json", quick=options.quick)
        known = {entry.candidate for entry in profile.measured}
        rng = random.Random(f"held-out networks {options.seed}")
        drawn = [c for c in draw_networks(space, deployment, 2 * n, rng) if c not in known][:n]
        record = options.record or folder / "record.jsonl"
        settings = QUICK_SETTINGS if options.quick else SETTINGS
        measured = _measure(device, drawn, profile, passes=passes, record=record, folder=folder, settings=settings)
    figures = _figures(profile, drawn, measured)
    beside = [entry.reference_p50 for row in measured for entry in row]
    emit(
        "latency_predictor",
        figures,
        conditions(
            "onnxruntime",
            "torch",
            "timm",
            n=n,
            seed=options.seed,
            budget="params from 0.5M to 6M, log-uniform",
            space=options.space,
            deployment=str(deployment),
            device=profile.device.to_dict(),
            passes=passes,
            profile=profile.conditions.to_dict(),
            reference_us=significant(profile.reference.microseconds),
            reference_us_while_measuring=[significant(f(beside)) for f in (min, statistics.median, max)],
        ),
    )


def _profile(device: Device, space: Space, deployment: Deployment, path: Path, *, quick: bool) -> Profile:
    if path.exists():
        return Profile.load(path)
    settings = ProfileSettings(networks=24, stages=0, minutes=0.1, seconds=0.3) if quick else ProfileSettings()

    def said(done: int, total: int) -> None:
        if done % 20 == 0:
            print(f"profile: {done} of {total} models", flush=True)

    return measure_profile(device, space, deployment, path, settings=settings, progress=said)


def _measure(
    device: Device,
    drawn: Sequence[Candidate],
    profile: Profile,
    *,
    passes: int,
    record: Path,
    folder: Path,
    settings: MeasureSettings,
) -> list[list[MeasuredModel]]:
    """All passes: a measurement of each network, the least disturbed of up to :data:`TRIES`."""
    tries: dict[tuple[int, int], list[MeasuredModel]] = {}
    for line in record.read_text("utf-8").splitlines() if record.exists() else []:
        values = json.loads(line)
        tries.setdefault((values["pass"], values["index"]), []).append(MeasuredModel.read(values, where=str(record)))
    reference = folder / "reference.onnx"
    export_for_measuring(profile.reference.candidate, profile.deployment, reference)
    for number in range(passes):
        for _ in range(TRIES):
            left = [i for i in range(len(drawn)) if _disturbed(tries.get((number, i), []), profile)]
            for start in range(0, len(left), PER_PROCESS):
                group = left[start : start + PER_PROCESS]
                paths = [folder / f"{index}.onnx" for index in group]
                for index, path in zip(group, paths, strict=True):
                    export_for_measuring(drawn[index], profile.deployment, path)
                found = device.measure(paths, reference=reference, settings=settings)
                with record.open("a", encoding="utf-8") as file:
                    for index, path, measurement in zip(group, paths, found, strict=True):
                        path.unlink()
                        entry = MeasuredModel.of(Target(what="network", candidate=drawn[index]), measurement)
                        tries.setdefault((number, index), []).append(entry)
                        file.write(json.dumps({"pass": number, "index": index, **entry.to_dict()}) + "\n")
        print(f"pass {number + 1} of {passes} measured", flush=True)
    return [
        [
            min(tries[number, i], key=lambda entry: entry.disturbance(profile.reference.microseconds))
            for i in range(len(drawn))
        ]
        for number in range(passes)
    ]


def _disturbed(tries: Sequence[MeasuredModel], profile: Profile) -> bool:
    return len(tries) < TRIES and all(entry.disturbance(profile.reference.microseconds) > 1 for entry in tries)


def _figures(
    profile: Profile, drawn: Sequence[Candidate], entries: Sequence[Sequence[MeasuredModel]]
) -> dict[str, Any]:
    predictor = Predictor(profile)
    passes = [[entry.ratio * profile.reference.microseconds for entry in row] for row in entries]
    predictions = [predictor.predict(candidate) for candidate in drawn]
    predicted = [prediction.microseconds for prediction in predictions]
    measured = [statistics.median(times) for times in zip(*passes, strict=True)]
    pairs = list(zip(predictions, measured, strict=True))
    rows = {
        "": (predicted, measured),
        "single_": (predicted, list(passes[0])),
        "madds_": (_linear(profile, drawn, ("madds",)), measured),
        "linear_": (_linear(profile, drawn, ("madds", "acts", "params")), measured),
        "noise_": (list(passes[0]), list(passes[1])),
        "at_speed_": _at_speed(profile, entries),
    }
    figures: dict[str, Any] = {}
    for name, (ours, theirs) in rows.items():
        found = prediction_errors(ours, theirs)
        for key in ("within_10", "within_5", "spearman", "mean_error", "bias"):
            figures[f"{name}{key}"] = significant(getattr(found, key))
    errors = [abs(ours / theirs - 1) for ours, theirs in zip(predicted, measured, strict=True)]
    return figures | {
        "worst_error": significant(max(errors)),
        "in_interval": sum(own.low <= time <= own.high for own, time in pairs) / len(pairs),
        "below_margin": sum(time <= own.microseconds * predictor.margin for own, time in pairs) / len(pairs),
        "margin": significant(predictor.margin),
        "interpolated": sum(own.interpolated for own in predictions),
        "profile_within_5": significant(profile.held_out.within_5),
        "profile_within_10": significant(profile.held_out.within_10),
        "profile_seconds": significant(profile.seconds),
        "microseconds_a_prediction": significant(_seconds_each(predictor, drawn) * 1e6, 3),
    }


def _at_speed(profile: Profile, entries: Sequence[Sequence[MeasuredModel]]) -> tuple[list[float], list[float]]:
    """Predictions, and what was measured less what the device's speed beside each measurement had done to it."""
    fitted = Fit(rates=profile.rates, busy=profile.busy)
    predicted, measured = [], []
    for row in zip(*entries, strict=True):
        work = model_features(row[0].blocks(profile.deployment))
        quiet = fitted.microseconds(work)
        slowed = [
            fitted.microseconds(work, busy=max(1 - profile.reference.microseconds / own.reference_p50, 0))
            for own in row
        ]
        predicted.append(quiet)
        ratios = [own.ratio * profile.reference.microseconds / there for own, there in zip(row, slowed, strict=True)]
        measured.append(quiet * statistics.median(ratios))
    return predicted, measured


def _linear(profile: Profile, drawn: Sequence[Candidate], names: Sequence[str]) -> list[float]:
    """Predictions of a linear fit on costs."""
    import numpy as np

    def rows(candidates: Sequence[Candidate]) -> Any:  # noqa: ANN401 - an array
        costs = [cost(candidate, profile.deployment) for candidate in candidates]
        return np.array([[1.0, *(getattr(one, name) / 1e6 for name in names)] for one in costs])

    seen = [entry for entry in profile.measured if entry.what == "network"]
    times = np.array([entry.ratio * profile.reference.microseconds for entry in seen])
    weights = np.array([1 / (1 + entry.disturbance(profile.reference.microseconds)) ** 0.5 for entry in seen])
    amounts = rows([entry.candidate for entry in seen])
    factors, *_ = np.linalg.lstsq(amounts / times[:, None] * weights[:, None], weights, rcond=None)
    return [float(value) for value in rows(drawn) @ factors]


def _seconds_each(predictor: Predictor, drawn: Sequence[Candidate]) -> float:
    best = float("inf")
    for _ in range(20):
        start = time.perf_counter()
        for c in drawn:
            predictor.microseconds(c)
        best = min(best, time.perf_counter() - start)
    return best / len(drawn)


if __name__ == "__main__":
    main()
