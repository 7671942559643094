"""What a run has come to, as one JSON object."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from edgenext_search.search.full_training import trained_in
from edgenext_search.search.ranking.references import audit_summary
from edgenext_search.search.store.records import BASELINE
from edgenext_search.search.study.finalists import finalists_of, front_of, measured_of
from edgenext_search.search.study.importance import importance

if TYPE_CHECKING:
    from edgenext_search.search.recipe import ResolvedRecipe
    from edgenext_search.search.store.records import Finalist
    from edgenext_search.search.store.run_folder import RunFolder
    from edgenext_search.search.store.store import StudyStore

Status = Literal["complete", "running", "interrupted"]
CONFIDENCE = 0.95
MIN_PAIRS = 2
ROUNDING = 1e-9  # differences of scores that are alike to this are equal


def summarize(run: RunFolder, recipe: ResolvedRecipe, store: StudyStore, *, running: bool = False) -> dict[str, Any]:
    """The summary of a run at any point of it, from its storage alone.

    Args:
        run: The run's folder.
        recipe: Its study.
        store: Its trials.
        running: Whether another process works on it.

    Returns:
        A JSON object; ``docs/json.md`` describes its keys.
    """
    trials = store.records()
    finalists = _rematched(finalists_of(store, recipe))
    winner = finalists[0] if finalists else None
    baseline = next((finalist for finalist in finalists if finalist.trial == BASELINE), None)
    front = front_of(finalists, recipe.search.objectives)
    states = [trial.state for trial in trials]
    data, proxy = store.fact("data") or {}, recipe.proxy
    images = {key: data.get(key) for key in ("train_images", "val_images")}
    status: Status = "complete" if store.fact("complete") else "running" if running else "interrupted"
    return {
        "run": str(run.path),
        "status": status,
        "study": recipe.name,
        "space": recipe.space.name,
        "width_multiple": recipe.space.file.width_multiple,
        "budget": recipe.budget.to_dict(),
        "deployment": recipe.deployment.to_dict(),
        "data": {key: value for key, value in data.items() if key != "fingerprint"},
        "fidelity": {
            "img_size": proxy.img_size,
            "epochs": proxy.epochs,
            "rungs": list(proxy.rung_epochs),
            "rank_by": recipe.search.rank_by,
            **images,
        },
        "seed": recipe.search.seed,
        "trials": {state: states.count(state) for state in ("complete", "pruned", "failed", "open")},
        "winner": winner.to_dict() if winner else None,
        "baseline": baseline.to_dict() if baseline else None,
        "finalists": [finalist.to_dict() for finalist in finalists],
        "objectives": list(recipe.search.objectives),
        "front": [finalist.to_dict() | {"model_dir": _model_dir(run, finalist)} for finalist in front],
        "gain": gain(winner, baseline) if winner and baseline else None,
        "latency": _latency(store, recipe),
        "importance": importance(store, recipe),
        "audit": audit_summary(store, recipe, running=running),
        "report": str(run.report_file),
        "model_dir": _model_dir(run, winner) if winner else None,
        "trained": [training.to_dict() for training in trained_in(run)],
        "seconds": round(store.fact("seconds") or 0.0, 1),
        "conditions": store.fact("conditions") or {},
    }


def _latency(store: StudyStore, recipe: ResolvedRecipe) -> dict[str, Any] | None:
    """The device, what candidates were projected into, and how many the device measured and passed."""
    facts = store.fact("latency")
    if facts is None:
        return None
    measured = measured_of(store, recipe).values()
    passed = sum(found.verdict == "pass" for found in measured)
    return {**facts, "measured": len(measured), "passed": None if facts["cap"] is None else passed}


def _model_dir(run: RunFolder, finalist: Finalist) -> str | None:
    folder = run.winners / finalist.candidate.fingerprint
    return str(folder) if folder.is_dir() else None


def _rematched(finalists: list[Finalist]) -> list[Finalist]:
    """Winner and baseline with the re-match's seeds that both have a score of; others without a re-match."""
    winner = finalists[0] if finalists else None
    baseline = next((finalist for finalist in finalists if finalist.trial == BASELINE), None)
    shared: set[int] = set()
    if winner and baseline and winner is not baseline:
        shared = {seed for seed, _ in winner.rematch} & {seed for seed, _ in baseline.rematch}
    return [
        replace(
            finalist,
            rematch=tuple(pair for pair in finalist.rematch if pair[0] in shared)
            if finalist in (winner, baseline)
            else (),
        )
        for finalist in finalists
    ]


def gain(winner: Finalist, baseline: Finalist) -> dict[str, float | int | None]:
    """By how much the winner's top-1 exceeds the baseline's: a paired t test (Student 1908) over the re-match's seeds.

    A seed decides the order and the augmentation of the images for both, and none of these seeds chose the winner, so
    the mean is unbiased. Before the re-match it is that of the seeds that chose, without an interval.

    Returns:
        ``mean``, ``low``, ``high`` in [-1, 1], the ``confidence`` of the interval, the two-sided ``p`` value of no
        difference, and ``n``, the number of pairs; ``low``, ``high`` and ``p`` are None where there are fewer than two,
        or all pairs differ equally.
    """
    theirs = dict(baseline.rematch)
    pairs = [score - theirs[seed] for seed, score in winner.rematch if seed in theirs]
    if winner.candidate == baseline.candidate:
        pairs = []
    mean = statistics.fmean(pairs) if pairs else winner.score.mean - baseline.score.mean
    known: dict[str, float | int | None] = {"mean": mean, "confidence": CONFIDENCE, "n": len(pairs)}
    spread = statistics.stdev(pairs) if len(pairs) >= MIN_PAIRS else 0.0
    if spread < ROUNDING:
        return {**known, "low": None, "high": None, "p": None}
    from scipy.stats import t

    error, freedom = spread / math.sqrt(len(pairs)), len(pairs) - 1
    half = float(t.ppf((1 + CONFIDENCE) / 2, freedom)) * error
    p = 2 * float(t.sf(abs(mean) / error, freedom))
    return {**known, "low": mean - half, "high": mean + half, "p": p}
