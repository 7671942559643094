"""The base of all results: frozen, validated, and the same in memory, in files and behind ``--json``."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from edgenext_search.errors import UserError
from edgenext_search.validation import describe


class Result(BaseModel):
    """What a command found: a frozen record whose JSON form is its dump, described by docstrings under the fields.

    Unknown keys are ignored when a record is read, and fields that were added later have defaults, so files of older
    versions still open.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    @classmethod
    def read(cls, values: object, *, where: str) -> Self:
        """Validate what a file holds; ``where`` names the file in the message.

        Raises:
            UserError: A key is missing or has a value of another type; the message has the key's path.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise UserError(f"{where}: {describe(error, cls)}") from error

    def to_dict(self) -> dict[str, Any]:
        """The record as plain JSON values, to be read back by :meth:`read`."""
        return self.model_dump(mode="json")
