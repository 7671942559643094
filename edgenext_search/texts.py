"""Small words that every room needs."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterable


def counted(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun: ``1 epoch``, ``3 epochs``, ``1,280 classes``.

    Args:
        count: How many.
        one: The noun for one.
        many: The noun for all other counts; None for ``one`` with an s.
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def command_line(*words: object) -> str:
    """A command of ours that can be typed as it stands, whatever its paths hold: ``edgenext-search resume 'a run'``."""
    return f"edgenext-search {shlex.join(map(str, words))}"


def nearest(name: str, names: Iterable[str]) -> str:
    """`` Did you mean ...?`` with the closest of some names, or nothing where none is close.

    A name that contains what was typed is closer than one that looks like it.
    """
    candidates = list(names)
    containing = sorted((other for other in candidates if name and name in other), key=len)
    close = containing[:1] or difflib.get_close_matches(name, candidates, n=1)
    return f" Did you mean {close[0]}?" if close else ""


def hide_password(text: str) -> str:
    """A text with the password of every URL in it replaced by ``***``."""
    return re.sub(r"(://[^:/@\s]*):\S*?@(?=[^@\s/?#]*([/?#\s]|$))", r"\1:***@", text)
