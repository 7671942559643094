"""What a run has come to, as one JSON object."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from edgenext_search.search.finalists import BASELINE, finalists_of, front_of

if TYPE_CHECKING:
    from edgenext_search.search.folder import RunFolder
    from edgenext_search.search.recipe import StudyRecipe
    from edgenext_search.search.records import Finalist
    from edgenext_search.search.store import StudyStore

Status = Literal["complete", "running", "interrupted"]
CONFIDENCE = 0.95


def summarize(run: RunFolder, recipe: StudyRecipe, store: StudyStore, *, running: bool = False) -> dict[str, Any]:
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
    finalists = finalists_of(store, recipe)
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
        "space": recipe.load_space().name,
        "budget": recipe.load_budget().to_dict(),
        "deployment": recipe.deployment.to_dict(),
        "data": {key: value for key, value in data.items() if key != "fingerprint"},
        "fidelity": {"img_size": proxy.img_size, "epochs": proxy.epochs, "rungs": list(proxy.rung_epochs), **images},
        "seed": recipe.search.seed,
        "trials": {state: states.count(state) for state in ("complete", "pruned", "failed", "open")},
        "winner": winner.to_dict() if winner else None,
        "baseline": baseline.to_dict() if baseline else None,
        "finalists": [finalist.to_dict() for finalist in finalists],
        "objectives": list(recipe.search.objectives),
        "front": [finalist.to_dict() | {"model_dir": _model_dir(run, finalist)} for finalist in front],
        "gain": gain(winner, baseline) if winner and baseline else None,
        "report": str(run.report_file),
        "model_dir": _model_dir(run, winner) if winner else None,
        "seconds": round(store.fact("seconds") or 0.0, 1),
        "conditions": store.fact("conditions") or {},
    }


def _model_dir(run: RunFolder, finalist: Finalist) -> str | None:
    folder = run.winners / finalist.candidate.fingerprint
    return str(folder) if folder.is_dir() else None


def gain(winner: Finalist, baseline: Finalist) -> dict[str, float | None]:
    """The winner's mean score less the baseline's, with Welch's interval (Biometrika 34, 1947) from fresh seeds.

    Returns:
        ``mean``, ``low``, ``high`` in [-1, 1] and the ``confidence`` of the interval; ``low`` and ``high`` are None
        where a side has a single seed, or both sides are one candidate.
    """
    difference = winner.score.mean - baseline.score.mean
    half = _welch_half_width(winner, baseline)
    return {
        "mean": difference,
        "low": None if half is None else difference - half,
        "high": None if half is None else difference + half,
        "confidence": CONFIDENCE,
    }


def _welch_half_width(a: Finalist, b: Finalist) -> float | None:
    if a.candidate == b.candidate or a.score.std is None or b.score.std is None:
        return None
    from scipy.stats import t

    parts = [(score.std or 0.0) ** 2 / score.n for score in (a.score, b.score)]
    error = sum(parts)
    if error == 0:
        return 0.0
    freedom = error**2 / sum(part**2 / (score.n - 1) for part, score in zip(parts, (a.score, b.score), strict=True))
    return float(t.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(error)
