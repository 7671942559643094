"""Small words that every room needs."""

from __future__ import annotations

import difflib
import re
import shlex
import unicodedata
from collections.abc import Iterable
from pathlib import PurePath


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
    if text.isprintable():
        return shlex.quote(text)
    return f"$'{''.join(map(_in_quotes, text))}'"


def _in_quotes(sign: str) -> str:
    """A sign between ``$'`` and ``'``."""
    if sign in "\\'":
        return f"\\{sign}"
    return sign if sign.isprintable() else _hexadecimal(sign)


def _hexadecimal(sign: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in sign.encode("utf-8", "surrogateescape"))


def printable(text: str) -> str:
    r"""A text on one line, with escapes such as ``\n`` and ``\x1b`` for what cannot be shown.

    A byte of a file's name that is no UTF-8 is shown as ``\xe9``.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(sign: str) -> str:
    if sign.isprintable() or unicodedata.category(sign) == "Zs":
        return sign
    return _hexadecimal(sign) if "\udc80" <= sign <= "\udcff" else sign.encode("unicode_escape").decode()


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
