"""Candidates as people name them: a published variant, a file with fields, a model folder."""

from __future__ import annotations

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.published import published_variant, published_variants
from edgenext_search.errors import UserError
from edgenext_search.files import expanded
from edgenext_search.models.folder import read_candidate
from edgenext_search.texts import nearest


def find_candidate(what: str) -> Candidate:
    """The candidate that a name or path stands for; torch is not imported.

    Args:
        what: A published variant (``edgenext_xx_small``), a YAML or JSON file with a candidate's fields, or a model
            folder.

    Raises:
        UserError: There is no such thing, or it holds no legal candidate.
    """
    if what in published_variants():
        return published_variant(what).candidate
    path = expanded(what)
    if path.exists():
        return read_candidate(path)
    names = ", ".join(published_variants())
    raise UserError(
        f"There is no {what!r}: it is neither a file or folder nor a published variant ({names})."
        f"{nearest(what, published_variants())}"
    )
