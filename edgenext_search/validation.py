"""Validated, frozen settings, and one clear sentence when they are wrong."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from edgenext_search.errors import UserError


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
            raise UserError(f"{where}: {describe(error)}") from error

    def to_dict(self) -> dict[str, Any]:
        """The keys as plain values, to be read back by :meth:`read`."""
        return self.model_dump(mode="json")


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
    others = len(keys) - 1
    more = f" ({others} more {'key is' if others == 1 else 'keys are'} wrong)" if others > 0 else ""
    return f"{path or 'the file'}: {rule.rstrip('.')}{more}."


def _keys(loc: tuple[int | str, ...]) -> list[int | str]:
    """The path without the tags that pydantic adds for the alternatives of a value."""
    tags = ("range", "choices", "value", "str", "int", "dict[")
    return [part for part in loc if isinstance(part, int) or not (part in tags or part.startswith("dict["))]
