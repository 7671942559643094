"""Successive halving inside a cohort, decided by recorded scores alone."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from edgenext_search.search.objectives import losses_of
from edgenext_search.search.ranking.metric import ranking_scores
from edgenext_search.search.recipe import RankingMetric, StoppedTrials
from edgenext_search.search.sampler.front import best_points
from edgenext_search.search.store.records import TrialRecord

Curves = Mapping[int, Mapping[int, float]]
"""Score by number of the trial and epoch."""

SLOPE, PAIRS = 1.0, 4.0
"""Prior of a regression from rung to rung: its slope, and the number of pairs that it weighs as much as."""


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
    trials: Sequence[TrialRecord],
    rung_epochs: Sequence[int],
    metric: RankingMetric = "top1",
    stopped: StoppedTrials = "regression",
) -> dict[int, float]:
    """Estimated ranking score of each scored trial at the last rung, by number, so that all are on one scale.

    Args:
        trials: Trials of the study.
        rung_epochs: Epoch of each rung.
        metric: Ranking metric, see :func:`~edgenext_search.search.ranking.metric.ranking_scores`.
        stopped: :func:`expected_at_last_rung` or :func:`with_median_increase`.
    """
    curves = ranking_scores(trials, metric)
    scored = {trial.number: curves[trial.number] for trial in trials if trial.curve and trial.state != "failed"}
    return (expected_at_last_rung if stopped == "regression" else with_median_increase)(scored, rung_epochs)


def with_median_increase(curves: Curves, rung_epochs: Sequence[int]) -> dict[int, float]:
    """Scores at the last rung by number; a stopped trial's score plus the median increase of those that finished.

    Args:
        curves: Score by epoch of each trial, with at least one rung.
        rung_epochs: Epoch of each rung.
    """
    last = rung_epochs[-1]
    gains: dict[int, float] = {}
    for rung in rung_epochs[:-1]:
        increases = [curve[last] - curve[rung] for curve in curves.values() if {rung, last} <= curve.keys()]
        gains[rung] = statistics.median(increases) if increases else 0.0
    return {number: curve[max(curve)] + gains.get(max(curve), 0.0) for number, curve in curves.items()}


def expected_at_last_rung(curves: Curves, rung_epochs: Sequence[int]) -> dict[int, float]:
    """Scores at the last rung by number, expected where a trial stopped before.

    From a rung to the next the expectation is a regression over the trials that continued. They were chosen by the
    score that is regressed on, which leaves a regression unbiased. Regressions are chained from rung to rung. Early
    scores spread more widely than late ones and correlate with them weakly; a regression accounts for both, where a
    constant increase would take the early lead for a late one. With few trials the slope is near :data:`SLOPE`.

    Args:
        curves: Score by epoch of each trial, with at least one rung.
        rung_epochs: Epoch of each rung.
    """
    expected = {number: curve[max(curve)] for number, curve in curves.items()}
    for rung, following in itertools.pairwise(rung_epochs):
        pairs = [(curve[rung], curve[following]) for curve in curves.values() if {rung, following} <= curve.keys()]
        reached = [curve[rung] for curve in curves.values() if rung in curve]
        line = _regression(pairs, statistics.pvariance(reached) if reached else 0.0)
        expected |= {number: line(expected[number]) for number, curve in curves.items() if max(curve) <= rung}
    return expected


def _regression(pairs: Sequence[tuple[float, float]], variance: float) -> Callable[[float], float]:
    """Expected second score of a pair by its first; the mean of no pairs changes nothing.

    Args:
        pairs: Scores at two rungs.
        variance: Of the scores at the first rung, among all trials that reached it.
    """
    if not pairs:
        return lambda score: score
    first, second = np.array(pairs).T
    x, y = first - first.mean(), second - second.mean()
    prior = PAIRS * variance
    slope = (x @ y + prior * SLOPE) / (x @ x + prior) if x @ x + prior > 0 else SLOPE
    return lambda score: float(second.mean() + slope * (score - first.mean()))
