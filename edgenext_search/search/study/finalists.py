"""Choice and ranking of the finalists, which are trained again with fresh seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgenext_search.search.objectives import ACCURACY, costs_in, losses_of
from edgenext_search.search.results import Finalist, MeasuredLatency
from edgenext_search.search.sampler.front import best_points, non_dominated_ranks
from edgenext_search.search.store.records import BASELINE, Score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgenext_search.arch.cost import Cost
    from edgenext_search.search.recipe import ResolvedRecipe, SearchKeys
    from edgenext_search.search.store.records import Expected, Rescores, TrialRecord
    from edgenext_search.search.store.store import StudyStore


def choose_finalists(
    trials: Sequence[TrialRecord],
    n: int,
    expected: Mapping[int, Expected] | None = None,
    objectives: Sequence[str] = (ACCURACY,),
    measured: Mapping[str, MeasuredLatency] | None = None,
) -> list[TrialRecord]:
    """The ``n`` best complete trials and the baseline, each candidate once.

    Trials are ordered by expected score, then by fewer multiply-adds, then by number. The trial's own score is used
    where there is no expectation. With costs among the objectives, finalists are chosen by non-domination rank in
    expected score and costs, then by hypervolume, see :func:`~edgenext_search.search.sampler.front.best_points`; the
    trial with the highest expectation comes first in any case.

    Args:
        trials: All trials.
        n: Number of finalists, without the baseline.
        expected: Expected score by number of the trial.
        objectives: Objectives of the study.
        measured: Measured latency by fingerprint. Candidates that do not hold the cap are left out; if none holds it,
            the fastest are chosen.
    """
    latencies = measured or {}

    def score_of(trial: TrialRecord) -> float:
        expectation = (expected or {}).get(trial.number)
        return expectation.mean if expectation else trial.score or 0.0

    complete = (t for t in trials if t.state == "complete" and t.duplicate_of is None)
    ranked = sorted(complete, key=lambda trial: (-score_of(trial), trial.cost.madds, trial.number))
    rejected = [t for t in ranked if (latency := latencies.get(t.candidate.fingerprint)) and latency.rejected]
    holding = [trial for trial in ranked if trial not in rejected]
    best = holding[:n] or sorted(rejected, key=lambda t: latencies[t.candidate.fingerprint].p50)[:n]
    if len(objectives) > 1 and holding:
        losses = np.array([losses_of(score_of(trial), costs_in(trial.cost, objectives)) for trial in holding])
        best = [holding[index] for index in best_points(losses, n)]
    return best + [trial for trial in ranked if trial.number == BASELINE and trial not in best]


def front_of(finalists: Sequence[Finalist], objectives: Sequence[str]) -> list[Finalist]:
    """The finalists that no other finalist dominates by mean score and costs, best score first.

    With accuracy alone, that is the winner. Finalists without fresh seeds are not compared with others, because the
    score of the search is optimistic.

    Args:
        finalists: Finalists in the order of :func:`rank_finalists`.
        objectives: Objectives of the study.
    """
    if len(objectives) == 1:
        return list(finalists[:1])
    comparable = [f for f in finalists if f.fresh_seeds] or list(finalists)
    comparable = [f for f in comparable if not f.rejected] or comparable
    points = [(f.score.mean, f.true_cost) for f in comparable]
    return [comparable[index] for index in _not_dominated(points, objectives)]


def _not_dominated(points: Sequence[tuple[float, Cost]], objectives: Sequence[str]) -> list[int]:
    """Indices of the non-dominated points, each a score and costs, in ascending order."""
    if not points:
        return []
    losses = np.array([losses_of(score, costs_in(cost, objectives)) for score, cost in points])
    return [index for index, rank in enumerate(non_dominated_ranks(losses)) if rank == 0]


def finalists_of(store: StudyStore, recipe: ResolvedRecipe) -> list[Finalist]:
    """The finalists of a study with their scores so far, best first."""
    from edgenext_search.search.study.expectation import expectations

    expected, search, measured = expectations(store, recipe), recipe.search, measured_of(store, recipe)
    chosen = choose_finalists(store.records(), search.finalists, expected, search.objectives, measured)
    rescores, seeds = store.rescores(), choosing_seeds(search)
    ranked = rank_finalists(chosen, rescores, expected, search.objectives, seeds=seeds, measured=measured)
    return _with_rematch(ranked, rematch_pairs(ranked, rescores, seeds=seeds))


def baseline_of(finalists: Sequence[Finalist]) -> Finalist | None:
    """The baseline among the finalists; None where it has no score."""
    return next((finalist for finalist in finalists if finalist.trial == BASELINE), None)


def rematch_pairs(
    finalists: Sequence[Finalist], rescores: Rescores, *, seeds: Sequence[int]
) -> list[tuple[float, float]]:
    """Top-1 of winner and baseline with each seed of the re-match that both have a score of, in the seeds' order.

    Args:
        finalists: Finalists in the order of :func:`rank_finalists`.
        rescores: Results of all fresh seeds.
        seeds: Seeds that chose the winner, which are not part of the re-match.
    """
    baseline = baseline_of(finalists)
    if baseline is None or finalists[0] is baseline:
        return []
    ours, theirs = (_scores(side.fingerprint, rescores) for side in (finalists[0], baseline))
    return [(score, theirs[seed]) for seed, score in ours.items() if seed in theirs and seed not in seeds]


def _with_rematch(finalists: Sequence[Finalist], pairs: Sequence[tuple[float, float]]) -> list[Finalist]:
    """The finalists, winner and baseline with their scores in the re-match."""
    if not pairs:
        return list(finalists)
    ours, theirs = ({"rematch": Score.of(scores)} for scores in zip(*pairs, strict=True))
    winner, *others = finalists
    return [
        winner.model_copy(update=ours),
        *(f.model_copy(update=theirs) if f.trial == BASELINE else f for f in others),
    ]


def measured_of(store: StudyStore, recipe: ResolvedRecipe) -> dict[str, MeasuredLatency]:
    """Measured latency, judged by the cap, by fingerprint."""
    cap = recipe.budget.latency
    return {fingerprint: MeasuredLatency.of(measurement, cap) for fingerprint, measurement in store.latencies().items()}


def rank_finalists(
    chosen: Sequence[TrialRecord],
    rescores: Rescores,
    expected: Mapping[int, Expected] | None = None,
    objectives: Sequence[str] = (ACCURACY,),
    *,
    seeds: Sequence[int],
    measured: Mapping[str, MeasuredLatency] | None = None,
) -> list[Finalist]:
    """The finalists with their scores so far, ordered by mean score, then the objectives' costs, then multiply-adds.

    Finalists without fresh seeds follow, because the score of the search is optimistic; those that do not hold the cap
    come last.

    Args:
        chosen: Trials of the finalists.
        rescores: Results of all fresh seeds.
        expected: Expected score by number of the trial.
        objectives: Objectives of the study.
        seeds: Seeds that choose the winner; others belong to the re-match.
        measured: Measured latency by fingerprint.
    """
    finalists = [
        as_finalist(
            trial,
            [score for seed, score in _scores(trial.candidate.fingerprint, rescores).items() if seed in seeds],
            expected=(expected or {}).get(trial.number),
            measured=(measured or {}).get(trial.candidate.fingerprint),
        )
        for trial in chosen
    ]
    return sorted(
        finalists,
        key=lambda f: (
            f.rejected,
            not f.fresh_seeds,
            -f.score.mean,
            costs_in(f.true_cost, objectives),
            f.madds,
            f.trial,
        ),
    )


def as_finalist(
    trial: TrialRecord,
    fresh_scores: Sequence[float],
    *,
    expected: Expected | None = None,
    measured: MeasuredLatency | None = None,
) -> Finalist:
    """A trial as a finalist."""
    search_score, cost = trial.score or 0.0, trial.cost
    return Finalist(
        fingerprint=trial.candidate.fingerprint,
        trial=trial.number,
        origin=trial.origin,
        candidate=trial.candidate,
        params=cost.params,
        madds=cost.madds,
        acts=cost.acts,
        memory=cost.memory,
        footprint=cost.footprint,
        latency=cost.latency,
        score=Score.of(fresh_scores or (search_score,)),
        fresh_seeds=len(fresh_scores),
        search_score=search_score,
        expected=expected,
        measured=measured,
    )


def choosing_seeds(search: SearchKeys) -> list[int]:
    """The fresh seeds that each finalist is trained with to choose the winner."""
    return fresh_seeds(search.seed, search.rescore_seeds)


def rematch_seeds(search: SearchKeys) -> list[int]:
    """The further seeds of winner and baseline, used after the winner is chosen."""
    return fresh_seeds(search.seed, search.rescore_seeds + search.rematch_seeds)[search.rescore_seeds :]


def fresh_seeds(seed: int, n: int) -> list[int]:
    """``n`` training seeds that differ from the seed of the search, the same for all finalists."""
    return [seed + 1_000_000 * (index + 1) for index in range(n)]


def _scores(fingerprint: str, rescores: Rescores) -> dict[int, float]:
    results = {seed: result for (owner, seed), result in sorted(rescores.items()) if owner == fingerprint}
    return {seed: result for seed, result in results.items() if isinstance(result, float)}
