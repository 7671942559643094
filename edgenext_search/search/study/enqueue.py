"""Warm starts: candidates that are known to be good, and what a study begins with before anything is sampled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import cost
from edgenext_search.errors import UserError
from edgenext_search.models.find import find_candidate
from edgenext_search.search.study.finalists import BASELINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edgenext_search.arch.parameter import Value
    from edgenext_search.arch.projection import Projection

    Start = tuple[str, dict[str, Value], Candidate]
    """Origin, assignment and candidate of a trial."""

ENQUEUED = "enqueued"  # origin of such a trial


def find_enqueued(entries: Sequence[str | dict[str, Any]]) -> list[Candidate]:
    """The candidates that the entries of ``search.enqueue`` stand for, in order and each once.

    Args:
        entries: Each a candidate's fields, or a text: the folder of a former run, which stands for its finalists but
            for the baseline, best first; or what :func:`~edgenext_search.models.find.find_candidate` knows.

    Raises:
        UserError: An entry is none of these; the message has its place in the list, counted from 1.
    """
    found: list[Candidate] = []
    for place, entry in enumerate(entries, start=1):
        try:
            found += [Candidate.from_dict(entry)] if isinstance(entry, dict) else _named(entry)
        except UserError as error:
            raise UserError(f"search.enqueue.{place}: {error}") from error
    return list(dict.fromkeys(found))


def _named(text: str) -> list[Candidate]:
    from edgenext_search.search.store.run_folder import (
        RunFolder,  # which reads recipes, and they are read with this module
    )

    folder = RunFolder(Path(text).expanduser())
    if not folder.exists():
        return [find_candidate(text)]
    finalists = [row for row in folder.summary().get("finalists", []) if row["trial"] != BASELINE]
    if not finalists:
        raise UserError(f"The run {text} has no finalist but its baseline, a published shape; leave it out.")
    return [Candidate.from_dict(row["candidate"]) for row in finalists]


def starts(projection: Projection, enqueued: Iterable[Candidate]) -> tuple[list[Start], list[Start]]:
    """What a study begins with, in the budget and each candidate once.

    Args:
        projection: Into the study's budget.
        enqueued: Candidates that are known to be good.

    Returns:
        The baseline and the enqueued candidates, which the first cohorts have to contain; and the other published
        shapes, which fill what they leave of the first cohort.
    """
    space = projection.space
    baseline, *others = projection.nearest_published()
    found: dict[Candidate, tuple[str, dict[str, Value]]] = {
        projection.published(baseline): (baseline.name, space.nearest(baseline.candidate)[0])
    }
    for given in enqueued:
        candidate = projection.fitted(given)
        found.setdefault(candidate, (ENQUEUED, space.nearest(candidate)[0]))
    firm = len(found)
    for variant in others:
        found.setdefault(projection.published(variant), (variant.name, space.nearest(variant.candidate)[0]))
    all_of_them = [(origin, values, candidate) for candidate, (origin, values) in found.items()]
    return all_of_them[:firm], all_of_them[firm:]


def enqueue_notes(projection: Projection, enqueued: Iterable[Candidate]) -> list[str]:
    """Which enqueued candidates break the budget, and what they become in it."""
    return [
        f"The enqueued candidate {given.fingerprint} takes {100 * usage:.0f} % of the tightest cap of "
        f"{projection.budget}: it is scaled into the budget as {projection.fitted(given).fingerprint}."
        for given in enqueued
        if (usage := projection.budget.usage(cost(given, projection.deployment))) > 1
    ]
