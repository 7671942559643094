"""What each decision of a search may know, by position alone, so that it never depends on who finishes first.

Cohorts overlap: while the last rungs of one are trained, others have begun. Three rules fix what is known to whom:

- The survivors of a rung are decided from the scores of their own cohort at that rung, once all its members have an
  outcome.
- Cohort ``c`` is proposed from all rungs of the cohorts up to ``c - 1 - overlap``, and from the first rung of the
  ``overlap`` cohorts after them. It waits for these scores, and does not look at others that are there already. So
  every earlier trial counts with at least one score, and none is pending without an estimate.
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
from edgenext_search.search.study.halving import survivors


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


def may_propose(cohort: int, stages: Sequence[Stage], *, overlap: int, rungs: int) -> bool:
    """Whether all is there that the proposals of a cohort wait for.

    Args:
        cohort: Number of the cohort.
        stages: Stages of all cohorts before it.
        overlap: Number of cohorts of which it knows the first rung only.
        rungs: Number of rungs.
    """
    return all(
        stage.rung >= (rungs if earlier < cohort - overlap else 1) for earlier, stage in enumerate(stages[:cohort])
    )


def known_to(cohort: int, trials: Sequence[TrialRecord], *, overlap: int, first: int) -> list[TrialRecord]:
    """The trials before a cohort as its proposals see them, in order.

    Args:
        cohort: Number of the cohort.
        trials: All trials, in order.
        overlap: Number of cohorts before it of which the first rung is seen only.
        first: Epoch of the first rung.
    """
    seen: list[TrialRecord] = []
    for trial in trials:
        if trial.cohort >= cohort:
            break
        if trial.cohort < cohort - overlap:
            seen.append(trial)
        elif trial.duplicate_of is not None:
            twin = seen[trial.duplicate_of]
            seen.append(replace(trial, state=twin.state, curve=twin.curve, losses=twin.losses, reason=twin.reason))
        else:
            seen.append(_at_first_rung(trial, first))
    return seen


def _at_first_rung(trial: TrialRecord, first: int) -> TrialRecord:
    """A trial as it was when its first rung was decided, whatever has come of it since."""
    curve = tuple(point for point in trial.curve if point[0] <= first)
    failed = trial.reason is not None and not curve
    return replace(
        trial,
        state="failed" if failed else "open",
        curve=curve,
        losses=tuple(point for point in trial.losses if point[0] <= first),
        reason=trial.reason if failed else None,
    )
