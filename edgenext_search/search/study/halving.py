"""Successive halving inside a cohort, decided by recorded scores alone."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from edgenext_search.search.objectives import losses_of
from edgenext_search.search.ranking.metric import ranking_scores
from edgenext_search.search.recipe import RankingMetric
from edgenext_search.search.sampler.front import best_points
from edgenext_search.search.store.records import TrialRecord


def survivors(
    scores: Mapping[int, float],
    costs: Mapping[int, Sequence[float]] | None = None,
    *,
    always: Collection[int] = (),
) -> set[int]:
    """The better half of a cohort at a rung, rounded up; of equal trials the one with the smaller number continues.

    Without costs, trials are compared by ranking score. With costs, they are compared by non-domination rank, and
    within the rank that has to be cut by hypervolume, with costs on a logarithmic scale; see
    :func:`~edgenext_search.search.sampler.front.best_points`. The reference point is the cohort's worst value of each
    objective plus a tenth of the cohort's range. The points of that rank with the best ranking score and with the
    lowest value of each cost always continue.

    Args:
        scores: Ranking scores at the rung by trial number, higher is better. A trial with a score that is not finite
            stops, and does not count for the half.
        costs: Costs to be minimized by trial number, equally many for all and positive; None without any.
        always: Trials that continue whatever their score, in addition to the half.
    """
    numbers = sorted(number for number, score in scores.items() if math.isfinite(score))
    if not numbers:
        return set()
    losses = np.array([losses_of(scores[number], costs[number] if costs else ()) for number in numbers])
    best = best_points(losses, (len(numbers) + 1) // 2)
    return {numbers[index] for index in best} | (set(always) & set(numbers))


def estimated_scores(
    trials: Sequence[TrialRecord], rung_epochs: Sequence[int], metric: RankingMetric = "top1"
) -> dict[int, float]:
    """Estimated ranking score of each scored trial at the last rung, by number.

    A trial that stopped at a rung gets its score there plus the median increase from that rung to the last among the
    trials that continued. So a sampler learns from all trials on one scale.

    Args:
        trials: Trials of the study.
        rung_epochs: Epoch of each rung.
        metric: Ranking metric, see :func:`~edgenext_search.search.ranking.metric.ranking_scores`.
    """
    last = rung_epochs[-1]
    curves = ranking_scores(trials, metric)
    gains: dict[int, float] = {}
    for rung in rung_epochs[:-1]:
        increases = [curve[last] - curve[rung] for curve in curves.values() if {rung, last} <= curve.keys()]
        gains[rung] = statistics.median(increases) if increases else 0.0
    return {
        trial.number: curves[trial.number][trial.epochs] + gains.get(trial.epochs, 0.0)
        for trial in trials
        if trial.curve and trial.state != "failed"
    }
