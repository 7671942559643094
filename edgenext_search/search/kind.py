"""What a run folder is of: searches and scaling studies look alike from outside."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from edgenext_search.errors import UserError
from edgenext_search.search.scaling_study import SCALING

if TYPE_CHECKING:
    from edgenext_search.search.folder import RunFolder
    from edgenext_search.search.store import StudyStore


def require_search(run: RunFolder, store: StudyStore) -> None:
    """Refuse what is no search, but shares its folder's form.

    Raises:
        UserError: The folder is of a scaling study.
    """
    if store.fact(SCALING) is not None:
        place = shlex.quote(str(run.path))
        raise UserError(
            f"{run.path} is a scaling study, not a search; `edgenext-search scale report {place}` writes its report."
        )
