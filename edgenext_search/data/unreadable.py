"""Images that cannot be decoded: how many a set may have."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgenext_search.data.sources.source import Source
from edgenext_search.data.split import IntArray
from edgenext_search.errors import UserError

UNREADABLE_FRACTION = 0.001
"""Unreadable images tolerated, as a fraction of all images of a source (rounded down)."""
NAMED = 3  # images of a message


def check_unreadable(source: Source, unreadable: Mapping[str, str]) -> None:
    """Check that a source has no more unreadable images than tolerated.

    The number tolerated depends on the source alone, so that no command that reads a part of it refuses images that
    another one accepted.

    Args:
        source: The images.
        unreadable: Place and reason of those that cannot be decoded.

    Raises:
        UserError: They are too many.
    """
    total = len(source.labels)
    tolerated = int(UNREADABLE_FRACTION * total)
    if len(unreadable) <= tolerated:
        return
    raise UserError(
        f"At most 0.1 % of the images may be unreadable ({tolerated} of the {total} of {source.name}), but "
        f"{len(unreadable)} are: {named(unreadable)}. Repair or remove these files; a training that was begun with "
        "them needs them back."
    )


def check_classes(source: Source, wanted: IntArray, readable: IntArray, unreadable: Mapping[str, str]) -> None:
    """Check that unreadable images are not all that a class has.

    Args:
        source: The images.
        wanted: Labels of the images that were to be read, [n].
        readable: Labels of those that can be decoded, [m].
        unreadable: Place and reason of those that cannot.

    Raises:
        UserError: A class is left without images.
    """
    lost = np.setdiff1d(wanted, readable)
    if not len(lost):
        return
    names = ", ".join(repr(source.classes[label]) for label in lost[:NAMED])
    raise UserError(
        f"Every class needs images that can be read, but {source.name} has none of {len(lost)} ({names}): "
        f"{named(unreadable)}. Repair these files, or add others to the class."
    )


def named(unreadable: Mapping[str, str]) -> str:
    """The first of some unreadable images, each with its reason."""
    first = "; ".join(f"{where}: {reason}" for where, reason in list(unreadable.items())[:NAMED])
    return f"{first}{'; ...' if len(unreadable) > NAMED else ''}"
