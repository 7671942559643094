"""What each decision of a search may know, by position alone, so that it never depends on who finishes first.

Cohorts overlap: while the last rungs of one are trained, others have begun. Three rules fix what is known to whom:

- The survivors of a rung are decided from the scores of their own cohort at that rung, once all its members have an
  outcome.
- Of a cohort ``age`` cohorts earlier, the proposals of a cohort know all rungs if ``age`` exceeds the overlap, else the
  first ``age * rungs // (overlap + 1)`` of them, at least one. They wait for these scores, and do not look at others
  that are there already. So every earlier trial counts with at least one score, and none is without an estimate.
- Cohorts are told in order, each in the order of its trials.

With an overlap of 0 each cohort waits for all of the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgenext_search.search.objectives import costs_in
from edgenext_search.search.ranking.metric import ranking_scores
from edgenext_search.search.recipe import RankingMetric
from edgenext_search.search.store.records import BASELINE, TrialRecord
from edgenext_search.search.study.cohort.halving import survivors


@dataclass(frozen=True, slots=True)
class Stage:
    """How far a cohort has come.

    Attributes:
        rung: Index of the rung under way; the number of rungs once all are decided.
        waiting: Numbers of the trials that have no outcome at that rung yet.
    """

    rung: int
    waiting: frozenset[int] = frozenset()


def stage_of(
    members: Sequence[TrialRecord], rungs: Sequence[int], *, rank_by: RankingMetric, objectives: Sequence[str]
) -> Stage:
    """How far a cohort has come, from the record of its trials alone.

    Args:
        members: All trials of the cohort.
        rungs: Epoch of each rung.
        rank_by: Ranking metric.
        objectives: Objectives of the study.
    """
    alive = {trial.number for trial in members if trial.duplicate_of is None}
    costs = {trial.number: costs_in(trial.cost, objectives) for trial in members}
    for rung, epoch in enumerate(rungs):
        here = [trial for trial in members if trial.number in alive]
        waiting = frozenset(trial.number for trial in here if trial.reason is None and trial.epochs < epoch)
        if waiting:
            return Stage(rung, waiting)
        curves = ranking_scores([trial for trial in here if trial.epochs >= epoch], rank_by)
        alive = survivors({number: curve[epoch] for number, curve in curves.items()}, costs, always={BASELINE})
    return Stage(len(rungs))


def rungs_known(age: int, *, overlap: int, rungs: int) -> int:
    """Number of rungs of a cohort that are known to the proposals of the one ``age`` cohorts later."""
    return rungs if age > overlap else max(1, age * rungs // (overlap + 1))


def may_propose(cohort: int, stages: Sequence[Stage], *, overlap: int, rungs: int) -> bool:
    """Whether all is there that the proposals of a cohort wait for.

    Args:
        cohort: Number of the cohort.
        stages: Stages of all cohorts before it.
        overlap: Number of cohorts before it that need not be complete.
        rungs: Number of rungs.
    """
    return all(
        stage.rung >= rungs_known(cohort - earlier, overlap=overlap, rungs=rungs)
        for earlier, stage in enumerate(stages[:cohort])
    )


def known_to(cohort: int, trials: Sequence[TrialRecord], *, overlap: int, rungs: Sequence[int]) -> list[TrialRecord]:
    """The trials before a cohort as its proposals see them, in order.

    Args:
        cohort: Number of the cohort.
        trials: All trials, in order.
        overlap: Number of cohorts before it that need not be complete.
        rungs: Epoch of each rung.
    """
    seen: list[TrialRecord] = []
    for trial in trials:
        if trial.cohort >= cohort:
            break
        known = rungs_known(cohort - trial.cohort, overlap=overlap, rungs=len(rungs))
        if known == len(rungs):
            seen.append(trial)
        elif trial.duplicate_of is not None:
            twin = seen[trial.duplicate_of]
            seen.append(replace(trial, state=twin.state, curve=twin.curve, losses=twin.losses, reason=twin.reason))
        else:
            seen.append(_as_of(trial, rungs[known - 1]))
    return seen


def _as_of(trial: TrialRecord, epoch: int) -> TrialRecord:
    """A trial as it was when the rung that ends with an epoch was decided, whatever has come of it since."""
    failed = trial.reason is not None and trial.epochs < epoch
    return replace(
        trial,
        state="failed" if failed else "open",
        curve=tuple(point for point in trial.curve if point[0] <= epoch),
        losses=tuple(point for point in trial.losses if point[0] <= epoch),
        reason=trial.reason if failed else None,
    )
