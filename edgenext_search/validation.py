"""Validated, frozen settings, and one clear sentence when they are wrong."""

from __future__ import annotations

import difflib
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from edgenext_search.errors import UserError
from edgenext_search.texts import printable

LONGEST_SHOWN = 80  # characters of a value in a message


class Settings(BaseModel):
    """Keys of a file that a user writes: frozen, without unknown keys, described by docstrings under the fields."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    @classmethod
    def read(cls, values: object, *, where: str) -> Self:
        """Validate ``values``; ``where`` names their file in the message.

        Raises:
            UserError: A key is unknown, missing or breaks a rule; the message has the key's path.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise UserError(f"{where}: {describe(error, cls)}") from error

    def to_dict(self) -> dict[str, Any]:
        """The keys as plain values, to be read back by :meth:`read`."""
        return self.model_dump(mode="json")


def describe(error: ValidationError, settings: type[BaseModel] | None = None) -> str:
    """The first broken rule with its key's path (items of a list count from 1) and value, and which others are wrong.

    Args:
        error: What pydantic found.
        settings: The class that was validated; with it an unknown key is answered with those that exist.
    """
    errors = error.errors()
    first = errors[0]
    if first["type"] == "extra_forbidden":
        rule = "there is no such key" + _instead(settings, first["loc"])
    elif first["type"] == "missing":
        rule = "the key is missing"
    elif first["type"] == "invalid_key":
        return f"{_path(first['loc'][:-1]) or 'the file'}: a key must be a name, but got {short(first['input'])}."
    elif first["type"].startswith("model_") and (section := _at(settings, first["loc"])):
        rule = f"must be a section with the keys {', '.join(section.model_fields)}, but got {short(first['input'])}"
    else:
        message = first["msg"].removeprefix("Value error, ").replace("Input should ", "must ")
        rule = f"{message[:1].lower()}{message[1:]}"
        if first["type"] != "value_error":
            rule += f", but got {short(first['input'])}"
    others = sorted({_path(e["loc"]) for e in errors if e["loc"][:1] != first["loc"][:1]})
    more = f" (also wrong: {', '.join(others)})" if others else ""
    return f"{_path(first['loc']) or 'the file'}: {rule.rstrip('.')}{more}."


def short(value: object) -> str:
    """A value as a message shows it: its beginning, where it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def _instead(settings: type[BaseModel] | None, loc: tuple[int | str, ...]) -> str:
    """Which keys there are in place of an unknown one: the closest, or all of its section."""
    section = _at(settings, loc[:-1])
    if section is None:
        return ""
    keys = list(section.model_fields)
    close = difflib.get_close_matches(str(loc[-1]), keys, n=1)
    return f"; the closest is {close[0]}" if close else f"; there are {', '.join(keys)}"


def _at(settings: type[BaseModel] | None, loc: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The section of a file at a path."""
    for part in _keys(loc):
        if settings is not None and isinstance(part, str):
            settings = _section(settings.model_fields[part].annotation)
    return settings


def _section(annotation: object) -> type[BaseModel] | None:
    """The settings class in a field's type, if there is one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((section for part in get_args(annotation) if (section := _section(part))), None)


def _path(loc: tuple[int | str, ...]) -> str:
    return printable(".".join(str(part + 1 if isinstance(part, int) else part) for part in _keys(loc)))


def _keys(loc: tuple[int | str, ...]) -> list[int | str]:
    """The path without the tags that pydantic adds for the alternatives of a value."""
    tags = ("range", "choices", "value", "str", "int", "dict[")
    return [part for part in loc if isinstance(part, int) or not (part in tags or part.startswith("dict["))]
