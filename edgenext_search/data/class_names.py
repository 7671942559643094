"""Lists of classes: read from a file, and compared in words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from edgenext_search.errors import UserError
from edgenext_search.models.import_ import read_class_names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SHOWN = 3  # names of a difference


def read_classes(path: Path) -> tuple[str, ...]:
    """Names of classes in the order of a network's outputs, one a line.

    Raises:
        UserError: The file cannot be read, a line is empty, a name stands twice, or there is one class alone.
    """
    names = read_class_names(path)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UserError(
            f"{path} must name each class once, but {twice[0]!r} stands in it {names.count(twice[0])} times."
        )
    if len(names) < 2:
        raise UserError(f"{path} must name at least 2 classes, but names only {names[0]!r}.")
    return tuple(names)


def difference(ours: Sequence[str], theirs: Sequence[str], our_name: str, their_name: str) -> str:
    """How two lists of classes differ, their order aside; empty where they do not.

    Args:
        ours: The first list.
        theirs: The second.
        our_name: Whose list is the first.
        their_name: Whose list is the second.

    Returns:
        A clause such as "2 are missing in the data ('cat', 'dog')".
    """
    clauses = []
    for name, names, other_names in ((their_name, theirs, ours), (our_name, ours, theirs)):
        own_names = set(names)
        if missing := [other for other in other_names if other not in own_names]:
            listed = ", ".join(map(repr, missing[:SHOWN])) + (", ..." if len(missing) > SHOWN else "")
            clauses.append(f"{len(missing)} {'is' if len(missing) == 1 else 'are'} missing in {name} ({listed})")
    return ", and ".join(clauses)
