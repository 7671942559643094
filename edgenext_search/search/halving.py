"""Successive halving inside a cohort, decided by recorded scores alone."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from edgenext_search.search.merit import Reading, merits

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from edgenext_search.search.records import TrialRecord


def survivors(scores: Mapping[int, float], *, always: Collection[int] = ()) -> set[int]:
    """The better half of a cohort at a rung, rounded up; of equal scores the smaller number stays.

    Args:
        scores: Score at the rung by trial number.
        always: Trials that go on whatever their score, beyond the half.
    """
    ranked = sorted(scores, key=lambda number: (-scores[number], number))
    return set(ranked[: (len(ranked) + 1) // 2]) | (set(always) & set(scores))


def estimated_scores(
    trials: Sequence[TrialRecord], rung_epochs: Sequence[int], reading: Reading = "top1"
) -> dict[int, float]:
    """What each scored trial would have at the last rung, by number.

    A trial that stopped at a rung gets its score there plus the median gain, from that rung to the last, of the
    trials that went on. So a sampler learns from all trials, on one scale.

    Args:
        trials: The trials.
        rung_epochs: The epoch of each rung.
        reading: What ranks them: :func:`~edgenext_search.search.merit.merits`.
    """
    last = rung_epochs[-1]
    curves = merits(trials, reading)
    gains: dict[int, float] = {}
    for rung in rung_epochs[:-1]:
        known = [curve[last] - curve[rung] for curve in curves.values() if {rung, last} <= curve.keys()]
        gains[rung] = statistics.median(known) if known else 0.0
    return {
        trial.number: curves[trial.number][trial.epochs] + gains.get(trial.epochs, 0.0)
        for trial in trials
        if trial.curve and trial.state != "failed"
    }
