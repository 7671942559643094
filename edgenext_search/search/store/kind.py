"""Kinds of run folders: searches and scaling studies, which have the same layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenext_search.arch.candidate import Candidate
from edgenext_search.errors import UserError
from edgenext_search.texts import command_line

if TYPE_CHECKING:
    from edgenext_search.search.store.run_folder import RunFolder
    from edgenext_search.search.store.store import StudyStore


def require_search(run: RunFolder, store: StudyStore) -> None:
    """Refuse the folder of a scaling study.

    Raises:
        UserError: The folder holds a scaling study.
    """
    if store.facts().scaling is not None:
        raise _scaling(run)


def winner_of(run: RunFolder) -> Candidate:
    """The winner in a run's summary.

    Raises:
        UserError: There is no summary or no winner yet, or the folder holds a scaling study.
    """
    summary = run.summary()
    if "kind" in summary:
        raise _scaling(run)
    if not (winner := summary.get("winner")):
        raise UserError(
            f"{run.path} has no winner; if it was interrupted, `{command_line('resume', run.path)}` continues it."
        )
    return Candidate.from_dict(winner["candidate"])


def _scaling(run: RunFolder) -> UserError:
    return UserError(
        f"{run.path} is a scaling study, not a search; `{command_line('scale', 'report', run.path)}` writes its report."
    )
