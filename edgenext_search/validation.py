"""One clear sentence from a failed pydantic validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


def describe(error: ValidationError) -> str:
    """The first broken rule with its key's path (items of a list count from 1), its value, and how many more."""
    errors = error.errors()
    first = errors[0]
    path = ".".join(str(part + 1 if isinstance(part, int) else part) for part in _keys(first["loc"]))
    if first["type"] == "extra_forbidden":
        rule = "there is no such key"
    elif first["type"] == "missing":
        rule = "the key is missing"
    else:
        message = first["msg"].removeprefix("Value error, ")
        rule = f"{message[:1].lower()}{message[1:]}"
        if first["type"] != "value_error":
            rule += f", but got {first['input']!r}"
    keys = {e["loc"][0] for e in errors if e["loc"]}
    more = f" ({len(keys) - 1} more keys are wrong)" if len(keys) > 1 else ""
    return f"{path or 'the file'}: {rule}{more}."


def _keys(loc: tuple[int | str, ...]) -> list[int | str]:
    """The path without the tags that pydantic adds for the alternatives of a value."""
    return [part for part in loc if part not in {"range", "choices", "value"}]
