"""Successive halving inside a cohort, decided by recorded scores alone."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

import numpy as np

from edgenext_search.search.objectives import losses_of
from edgenext_search.search.ranking.metric import ranking_scores
from edgenext_search.search.recipe import RankingMetric
from edgenext_search.search.sampler.front import best_points

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from edgenext_search.search.store.records import TrialRecord


def survivors(
    merits: Mapping[int, float],
    costs: Mapping[int, Sequence[float]] | None = None,
    *,
    always: Collection[int] = (),
) -> set[int]:
    """The better half of a cohort at a rung, rounded up; of equals the smaller number stays.

    Without costs, better is what has more merit. With costs, it is a lower non-domination rank, and in the rank that is
    cut more hypervolume, costs on a logarithmic scale: see :func:`~edgenext_search.search.sampler.front.best_points`.
    The reference point is the cohort's worst in each objective and a tenth of the cohort's range beyond; the rank's
    points
    that are best in merit and in each cost stay.

    Args:
        merits: What ranks at the rung, by trial number: higher is better. A trial whose merit is not finite never goes
            on, and does not count for the half.
        costs: By trial number the costs that are to be small, equally many for all and positive; None for none.
        always: Trials that go on whatever their merit, beyond the half.
    """
    numbers = sorted(number for number, merit in merits.items() if math.isfinite(merit))
    if not numbers:
        return set()
    losses = np.array([losses_of(merits[number], costs[number] if costs else ()) for number in numbers])
    best = best_points(losses, (len(numbers) + 1) // 2)
    return {numbers[index] for index in best} | (set(always) & set(numbers))


def estimated_scores(
    trials: Sequence[TrialRecord], rung_epochs: Sequence[int], metric: RankingMetric = "top1"
) -> dict[int, float]:
    """What each scored trial would have at the last rung, by number.

    A trial that stopped at a rung gets its score there plus the median gain, from that rung to the last, of the
    trials that went on. So a sampler learns from all trials, on one scale.

    Args:
        trials: The trials.
        rung_epochs: The epoch of each rung.
        metric: What ranks them: :func:`~edgenext_search.search.ranking.metric.ranking_scores`.
    """
    last = rung_epochs[-1]
    curves = ranking_scores(trials, metric)
    gains: dict[int, float] = {}
    for rung in rung_epochs[:-1]:
        known = [curve[last] - curve[rung] for curve in curves.values() if {rung, last} <= curve.keys()]
        gains[rung] = statistics.median(known) if known else 0.0
    return {
        trial.number: curves[trial.number][trial.epochs] + gains.get(trial.epochs, 0.0)
        for trial in trials
        if trial.curve and trial.state != "failed"
    }
