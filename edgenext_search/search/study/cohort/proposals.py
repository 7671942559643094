"""The trials of a cohort, proposed from what they may know: the one place where the sampler is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from edgenext_search.arch.cost import cost
from edgenext_search.search.objectives import costs_in
from edgenext_search.search.sampler.propose import Observation, propose
from edgenext_search.search.study.cohort.enqueue import starts
from edgenext_search.search.study.cohort.halving import estimated_scores

if TYPE_CHECKING:
    from edgenext_search.arch.projection import Projection
    from edgenext_search.arch.spaces.parameter import Value
    from edgenext_search.search.recipe import ResolvedRecipe
    from edgenext_search.search.store.records import TrialRecord
    from edgenext_search.search.study.cohort.enqueue import Start


def proposals(
    recipe: ResolvedRecipe,
    projection: Projection,
    cohort: int,
    size: int,
    *,
    known: Sequence[TrialRecord],
    values: Sequence[Mapping[str, Value]],
) -> list[Start]:
    """Origin, assignment and candidate of each trial of a cohort.

    A study begins with the baseline and the enqueued candidates, in as many cohorts as they need; the other published
    shapes fill up the first cohort.

    Args:
        recipe: Resolved study.
        projection: Projection of assignments to candidates within the budget.
        cohort: Number of the cohort.
        size: Number of its trials.
        known: All trials before it, in order, with the scores that it may know.
        values: Assignments of the trials, in order.
    """
    search = recipe.search
    firm, others = starts(projection, recipe.enqueued)
    fixed = [*firm, *(others if cohort == 0 else [])][len(known) : len(known) + size]
    estimates = estimated_scores(known, recipe.proxy.rung_epochs, search.rank_by, search.stopped)
    observed = [
        Observation(values=values[number], score=score, costs=costs_in(known[number].cost, search.objectives))
        for number, score in sorted(estimates.items())
    ]

    def costs_of(assignment: Mapping[str, Value]) -> tuple[int, ...]:
        return costs_in(cost(projection.candidate(assignment), projection.deployment), search.objectives)

    sampled = propose(
        projection.space,
        observed,
        size - len(fixed),
        sampler=search.sampler,
        startup=search.cohort,
        seed=(search.seed * 100_003 + cohort) % 2**32,
        cost_fn=costs_of if len(search.objectives) > 1 else None,
        network_of=lambda assignment: projection.candidate(assignment).fingerprint,
        known={
            candidate.fingerprint for candidate in (*(trial.candidate for trial in known), *(c for _, _, c in fixed))
        },
    )
    return [*fixed, *(("sampler", assignment, projection.candidate(assignment)) for assignment in sampled)]
