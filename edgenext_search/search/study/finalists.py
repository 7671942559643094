"""Who is trained again with fresh seeds, and what came of it."""

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

    Best is what all trials together lead to expect most of; of equals the one with fewer multiply-adds, then the
    earlier. A trial's own score stands in where nothing is expected of it. With costs among the objectives, best is a
    lower non-domination rank in expectation and costs, and then more hypervolume, see
    :func:`~edgenext_search.search.sampler.front.best_points`; the most that is expected comes first all the same.

    Args:
        trials: All trials.
        n: How many.
        expected: By number of the trial.
        objectives: Of the study.
        measured: By fingerprint, what the device said; those that it refused are left out. Where it refused all, the
            fastest are taken.
    """
    latencies = measured or {}

    def merit(trial: TrialRecord) -> float:
        known = (expected or {}).get(trial.number)
        return known.mean if known else trial.score or 0.0

    complete = (t for t in trials if t.state == "complete" and t.duplicate_of is None)
    ranked = sorted(complete, key=lambda trial: (-merit(trial), trial.cost.madds, trial.number))
    refused = [t for t in ranked if (said := latencies.get(t.candidate.fingerprint)) and said.rejected]
    holding = [trial for trial in ranked if trial not in refused]
    best = holding[:n] or sorted(refused, key=lambda t: latencies[t.candidate.fingerprint].p50)[:n]
    if len(objectives) > 1 and holding:
        losses = np.array([losses_of(merit(trial), costs_in(trial.cost, objectives)) for trial in holding])
        best = [holding[index] for index in best_points(losses, n)]
    return best + [trial for trial in ranked if trial.number == BASELINE and trial not in best]


def front_of(finalists: Sequence[Finalist], objectives: Sequence[str]) -> list[Finalist]:
    """The finalists that no other finalist dominates by mean score and costs, best score first.

    Of accuracy alone that is the winner. Finalists that no fresh seed has scored are not compared with those that some
    has: the score that the search chose them for is optimistic.

    Args:
        finalists: As :func:`rank_finalists` ranks them.
        objectives: Of the study.
    """
    if len(objectives) == 1:
        return list(finalists[:1])
    comparable = [f for f in finalists if f.fresh_seeds] or list(finalists)
    comparable = [f for f in comparable if not f.rejected] or comparable
    points = [(f.score.mean, f.true_cost) for f in comparable]
    return [comparable[index] for index in _not_dominated(points, objectives)]


def _not_dominated(points: Sequence[tuple[float, Cost]], objectives: Sequence[str]) -> list[int]:
    """Indices of the points of the front, each a score and costs, in ascending order."""
    if not points:
        return []
    losses = np.array([losses_of(score, costs_in(cost, objectives)) for score, cost in points])
    return [index for index, rank in enumerate(non_dominated_ranks(losses)) if rank == 0]


def finalists_of(store: StudyStore, recipe: ResolvedRecipe) -> list[Finalist]:
    """The finalists of a study as far as they are scored, best first."""
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
        finalists: As :func:`rank_finalists` ranks them.
        rescores: All that fresh seeds have come to.
        seeds: The seeds that chose the winner, which are no part of the re-match.
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
    """By fingerprint: what the device said of the candidates that were measured on it."""
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
    """The finalists as far as they are scored, best first: by mean score, then by the objectives' costs, then madds.

    Those that no fresh seed has scored come last, because the score that the search chose them for is optimistic; after
    them those that the device refused.

    Args:
        chosen: The finalists' trials.
        rescores: All that fresh seeds have come to.
        expected: By number of the trial.
        objectives: Of the study.
        seeds: The seeds that decide; what others came to is the re-match.
        measured: By fingerprint, what the device said.
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
    """A trial as a finalist.

    Args:
        trial: The trial that found the candidate.
        fresh_scores: Top-1 of each fresh seed so far.
        expected: Top-1 that all trials lead to expect.
        measured: Latency on the device.
    """
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
    """The fresh seeds that each finalist is trained with, and that choose the winner."""
    return fresh_seeds(search.seed, search.rescore_seeds)


def rematch_seeds(search: SearchKeys) -> list[int]:
    """The seeds that winner and baseline are trained with once the winner is chosen."""
    return fresh_seeds(search.seed, search.rescore_seeds + search.rematch_seeds)[search.rescore_seeds :]


def fresh_seeds(seed: int, n: int) -> list[int]:
    """``n`` training seeds that are never the search's own, the same for all finalists."""
    return [seed + 1_000_000 * (index + 1) for index in range(n)]


def _scores(fingerprint: str, rescores: Rescores) -> dict[int, float]:
    results = {seed: result for (owner, seed), result in sorted(rescores.items()) if owner == fingerprint}
    return {seed: result for seed, result in results.items() if isinstance(result, float)}
