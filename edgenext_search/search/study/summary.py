"""What a run has come to, from its record."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence

from edgenext_search.search.full_training import trained_in
from edgenext_search.search.ranking.references import audit_summary
from edgenext_search.search.recipe import ResolvedRecipe
from edgenext_search.search.results import (
    FailureCount,
    Fidelity,
    Finalist,
    Gain,
    LatencySummary,
    MeasuredLatency,
    RunSummary,
    TrialCounts,
)
from edgenext_search.search.store.records import DataSummary, LatencyFacts
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.store.store import StudyStore
from edgenext_search.search.study.finalists import (
    baseline_of,
    choosing_seeds,
    finalists_of,
    front_of,
    measured_of,
    rematch_pairs,
)
from edgenext_search.search.study.importance import importance

CONFIDENCE = 0.95
MIN_PAIRS = 2
ROUNDING = 1e-9  # differences of scores that are alike to this are equal


def summarize(run: RunFolder, recipe: ResolvedRecipe, store: StudyStore, *, running: bool = False) -> RunSummary:
    """The summary of a run at any point of it, from its record alone."""
    finalists = [
        finalist.model_copy(update={"model_dir": _model_dir(run, finalist)}) for finalist in finalists_of(store, recipe)
    ]
    winner, baseline = finalists[0] if finalists else None, baseline_of(finalists)
    pairs = rematch_pairs(finalists, store.rescores(), seeds=choosing_seeds(recipe.search))
    states = [trial.state for trial in store.records()]
    facts, proxy, space = store.facts(), recipe.proxy, recipe.space
    return RunSummary(
        run=str(run.path),
        status="complete" if facts.complete else "running" if running else "interrupted",
        study=recipe.name,
        space=space.name,
        width_multiple=space.file.width_multiple,
        budget=recipe.budget.to_dict(),
        deployment=recipe.deployment.to_dict(),
        data=facts.data and DataSummary.model_validate(facts.data.to_dict()),
        fidelity=Fidelity(
            img_size=proxy.img_size,
            epochs=proxy.epochs,
            rungs=proxy.rung_epochs,
            rank_by=recipe.search.rank_by,
            train_images=facts.data and facts.data.train_images,
            val_images=facts.data and facts.data.val_images,
        ),
        seed=recipe.search.seed,
        trials=TrialCounts(
            complete=states.count("complete"),
            pruned=states.count("pruned"),
            failed=states.count("failed"),
            open=states.count("open"),
        ),
        failures=_failures(store),
        winner=winner,
        baseline=baseline,
        finalists=tuple(finalists),
        objectives=tuple(recipe.search.objectives),
        front=tuple(front_of(finalists, recipe.search.objectives)),
        gain=gain(winner, baseline, pairs) if winner and baseline else None,
        latency=_latency(facts.latency, measured_of(store, recipe)),
        importance=importance(store, recipe),
        audit=audit_summary(store, recipe, running=running),
        report=str(run.report_file),
        model_dir=winner.model_dir if winner else None,
        trained=trained_in(run),
        seconds=facts.seconds_so_far(facts.seconds, running=running and not facts.complete),
        conditions=facts.conditions,
    )


def _failures(store: StudyStore) -> tuple[FailureCount, ...]:
    """Why trainings failed, the most frequent reason first."""
    trials = Counter(trial.reason for trial in store.records() if trial.reason is not None)
    finalists = Counter(result for result in store.rescores().values() if isinstance(result, str))
    return tuple(
        FailureCount(reason=reason, trials=trials[reason], finalists=finalists[reason])
        for reason, _ in (trials + finalists).most_common()
    )


def _latency(facts: LatencyFacts | None, measured: Mapping[str, MeasuredLatency]) -> LatencySummary | None:
    """The facts about the device, with the number of networks that were measured and that hold the cap."""
    if facts is None:
        return None
    passed = None if facts.cap is None else sum(latency.verdict == "pass" for latency in measured.values())
    return LatencySummary(**dict(facts), measured=len(measured), passed=passed)


def _model_dir(run: RunFolder, finalist: Finalist) -> str | None:
    folder = run.winners / finalist.fingerprint
    return str(folder) if folder.is_dir() else None


def gain(winner: Finalist, baseline: Finalist, pairs: Sequence[tuple[float, float]]) -> Gain:
    """Top-1 of the winner less that of the baseline, with a paired t test over the seeds of the re-match.

    A seed decides the order and the augmentation of the images for both, and none of these seeds chose the winner, so
    the mean is unbiased. Without pairs it is the mean of the seeds that chose, without an interval.

    Args:
        winner: The best finalist.
        baseline: The published shape that was scaled to the budget.
        pairs: Top-1 of winner and baseline with each common seed of the re-match.
    """
    differences = [ours - theirs for ours, theirs in pairs]
    n = len(differences)
    mean = statistics.fmean(differences) if differences else winner.score.mean - baseline.score.mean
    if n < MIN_PAIRS or statistics.stdev(differences) < ROUNDING:
        return Gain(mean=mean, confidence=CONFIDENCE, n=n)
    from scipy.stats import ttest_rel

    test = ttest_rel(*zip(*pairs, strict=True))
    interval = test.confidence_interval(CONFIDENCE)
    return Gain(
        mean=mean,
        low=float(interval.low),
        high=float(interval.high),
        confidence=CONFIDENCE,
        p=float(test.pvalue),
        n=n,
    )
