"""Which trials may be compared, and which of them are on a Pareto front."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgenext_search.arch.metrics import COST_NAMES, CostName
from edgenext_search.search.store.records import TrialRecord


def has_score(trial: TrialRecord) -> bool:
    """Whether a trial has a score that is a number."""
    return trial.score is not None and not math.isnan(trial.score)


def score_of(trial: TrialRecord) -> float:
    """The score of a trial that has one.

    Raises:
        ValueError: It has none.
    """
    if trial.score is None:
        raise ValueError(f"Trial {trial.number} has no score.")
    return trial.score


def cost_of(trial: TrialRecord, name: CostName) -> int | None:
    """One of a trial's costs by name; None for the latency of a study that did not ask for it."""
    counted: int | None = getattr(trial.cost, name)
    return counted


def costs_among(trials: Sequence[TrialRecord]) -> list[CostName]:
    """The costs that any of the trials has."""
    return [name for name in COST_NAMES if any(cost_of(trial, name) is not None for trial in trials)]


def full_fidelity(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The trials whose scores may be compared: complete, with a score, at the most epochs of any such trial."""
    scored = [trial for trial in trials if trial.state == "complete" and has_score(trial)]
    most = max((trial.epochs for trial in scored), default=0)
    return [trial for trial in scored if trial.epochs == most]


def front_trials(trials: Sequence[TrialRecord], name: CostName) -> list[TrialRecord]:
    """The Pareto front of cost and score among :func:`full_fidelity`, cheapest first.

    A trial is on the front if no other has a better score at no higher cost, or a lower cost at no lower score. Of
    trials with equal cost and score all are on it.
    """
    by_cost = [(cost, trial) for trial in full_fidelity(trials) if (cost := cost_of(trial, name)) is not None]
    front: list[tuple[int, TrialRecord]] = []
    for cost, trial in sorted(by_cost, key=lambda pair: (pair[0], -score_of(pair[1]), pair[1].number)):
        best = (front[-1][0], score_of(front[-1][1])) if front else (cost, -math.inf)
        if score_of(trial) > best[1] or (cost, score_of(trial)) == best:
            front.append((cost, trial))
    return [trial for _, trial in front]


def rows_of(trials: Sequence[TrialRecord]) -> dict[int, int]:
    """The row of each trial in the table of all, by its number."""
    return {trial.number: row for row, trial in enumerate(trials)}
