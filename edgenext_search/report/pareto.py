"""Pareto fronts: which points no other point beats, and which trials those are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

from edgenext_search.search.store.records import TrialRecord

CostName = Literal["params", "madds", "acts", "memory", "footprint", "latency"]
COST_NAMES: tuple[CostName, ...] = get_args(CostName)


def non_dominated(points: Sequence[Sequence[float]], maximize: Sequence[bool] = (False, True)) -> list[int]:
    """Indices of the points on the Pareto front, in ascending order.

    A point dominates another when it is at least as good in every objective and better in one. Equal points
    therefore do not dominate each other: all copies of a point on the front are on it. A point with a NaN in any
    objective is not comparable: it is never on the front and dominates nothing. Infinities are ordinary values.

    Args:
        points: The objectives of each point.
        maximize: For each objective, whether more is better; (cost, score) unless told otherwise.

    Returns:
        The front; empty when there is no point without NaN.

    Raises:
        ValueError: A point has not as many objectives as ``maximize``.
    """
    for point in points:
        if len(point) != len(maximize):
            raise ValueError(f"Each point must have {len(maximize)} objectives, but got {tuple(point)!r}.")
    signs = [-1 if more_is_better else 1 for more_is_better in maximize]
    losses = {
        index: tuple(sign * value for sign, value in zip(signs, point, strict=True))
        for index, point in enumerate(points)
        if not any(math.isnan(value) for value in point)
    }
    front: list[int] = []
    # In lexicographic order, whatever dominates a point precedes it; domination is transitive, so that it is
    # enough to compare with the front so far.
    for index in sorted(losses, key=losses.__getitem__):
        if not any(_dominates(losses[other], losses[index]) for other in front):
            front.append(index)
    return sorted(front)


def _dominates(losses: tuple[float, ...], others: tuple[float, ...]) -> bool:
    return losses != others and all(mine <= theirs for mine, theirs in zip(losses, others, strict=True))


def full_fidelity(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The trials whose scores may be compared: complete, with a score, at the most epochs of any such trial."""
    scored = [trial for trial in trials if trial.state == "complete" and has_score(trial)]
    most = max((trial.epochs for trial in scored), default=0)
    return [trial for trial in scored if trial.epochs == most]


def has_score(trial: TrialRecord) -> bool:
    """Whether a trial has a score that is a number."""
    return trial.score is not None and not math.isnan(trial.score)


def front_trials(trials: Sequence[TrialRecord], cost_name: CostName) -> list[TrialRecord]:
    """The Pareto front of cost and score among :func:`full_fidelity`, cheapest first.

    Args:
        trials: All trials of a study.
        cost_name: The cost to be small.

    Returns:
        The trials on the front, duplicates of one network included, in ascending order of cost.
    """
    comparable = [trial for trial in full_fidelity(trials) if cost_name in trial.cost.to_dict()]
    points = [(cost_of(trial, cost_name), trial.score or 0.0) for trial in comparable]
    front = [comparable[index] for index in non_dominated(points)]
    return sorted(front, key=lambda trial: (cost_of(trial, cost_name), trial.number))


def cost_of(trial: TrialRecord, cost_name: CostName) -> int:
    """One of a trial's costs by name; latency is there only where the study asked for it."""
    return trial.cost.to_dict()[cost_name]
