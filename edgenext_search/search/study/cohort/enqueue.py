"""Warm starts: candidates that are known to be good, and what a study begins with before anything is sampled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenext_search.arch.cost import cost

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgenext_search.arch.candidate import Candidate
    from edgenext_search.arch.projection import Projection
    from edgenext_search.arch.spaces.parameter import Value

    Start = tuple[str, dict[str, Value], Candidate]
    """Origin, assignment and candidate of a trial."""

ENQUEUED = "enqueued"  # origin of such a trial


def starts(projection: Projection, enqueued: Iterable[Candidate]) -> tuple[list[Start], list[Start]]:
    """What a study begins with, in the budget and each candidate once.

    Returns:
        The baseline and the enqueued candidates, which the first cohorts have to contain; and the other published
        shapes, which fill what they leave of the first cohort.
    """
    space = projection.space
    baseline, *others = projection.nearest_published()
    by_candidate: dict[Candidate, tuple[str, dict[str, Value]]] = {
        projection.published(baseline): (baseline.name, space.nearest(baseline.candidate)[0])
    }
    for given in enqueued:
        candidate = projection.fitted(given)
        by_candidate.setdefault(candidate, (ENQUEUED, space.nearest(candidate)[0]))
    firm = len(by_candidate)
    for variant in others:
        by_candidate.setdefault(projection.published(variant), (variant.name, space.nearest(variant.candidate)[0]))
    all_of_them = [(origin, values, candidate) for candidate, (origin, values) in by_candidate.items()]
    return all_of_them[:firm], all_of_them[firm:]


def enqueue_notes(projection: Projection, enqueued: Iterable[Candidate]) -> list[str]:
    """Which enqueued candidates break the budget, and what they become in it."""
    return [
        f"The enqueued candidate {given.fingerprint} takes {100 * usage:.0f} % of the tightest cap of "
        f"{projection.budget}: it is scaled into the budget as {projection.fitted(given).fingerprint}."
        for given in enqueued
        if (usage := projection.budget.usage(cost(given, projection.deployment))) > 1
    ]
