"""Small words that every room needs."""

from __future__ import annotations

import difflib
import re
import shlex
import unicodedata
from collections.abc import Iterable
from pathlib import PurePath

_SHOWN = str.isprintable


def counted(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun: ``1 epoch``, ``3 epochs``, ``1,280 classes``.

    Args:
        count: How many.
        one: The noun for one.
        many: The noun for all other counts; None for ``one`` with an s.
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def command_line(*words: object) -> str:
    """A command of ours that can be typed as it stands, whatever its words hold: ``edgenext-search resume 'a run'``.

    Args:
        words: Its words; a :class:`~pathlib.Path` is taken neither for an option nor for a home folder.
    """
    return f"edgenext-search {' '.join(map(_typed, words))}"


def _typed(word: object) -> str:
    """A word as it is typed into a shell, on one line."""
    text = str(word)
    if isinstance(word, PurePath) and text.startswith(("-", "~")):
        text = f"./{text}"
    if _SHOWN(text):
        return shlex.quote(text)
    parts = (
        f"\\{sign}" if sign in "\\'" else sign if _SHOWN(sign) else "".join(f"\\x{byte:02x}" for byte in _bytes(sign))
        for sign in text
    )
    return f"$'{''.join(parts)}'"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def printable(text: str) -> str:
    r"""A text on one line, with escapes such as ``\n`` and ``\x1b`` for what cannot be shown."""
    if _SHOWN(text):
        return text
    return "".join(
        sign if _SHOWN(sign) or unicodedata.category(sign) == "Zs" else sign.encode("unicode_escape").decode()
        for sign in text
    )


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
