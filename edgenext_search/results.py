"""The base of all results: frozen, validated, and the same in memory, in files and behind ``--json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import core_schema

from edgenext_search.errors import UserError
from edgenext_search.validation import describe

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue


class Result(BaseModel):
    """What a command found: a frozen record whose JSON form is its dump, described by docstrings under the fields.

    Unknown keys are ignored when a record is read, and fields that were added later have defaults, so files of older
    versions still open. A field that had another name takes it as an alias.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True, protected_namespaces=())

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


class AsDict:
    """Annotation of a field whose class has ``to_dict`` and ``from_dict``: ``Annotated[Candidate, AsDict()]``."""

    def __get_pydantic_core_schema__(self, source: Any, _: GetCoreSchemaHandler) -> core_schema.CoreSchema:  # noqa: ANN401
        """An instance passes as it is, a mapping through ``from_dict``; JSON gets what ``to_dict`` gives."""

        def read(value: object) -> object:
            return value if isinstance(value, source) else source.from_dict(value)

        return core_schema.no_info_plain_validator_function(
            read,
            serialization=core_schema.plain_serializer_function_ser_schema(source.to_dict),
        )

    def __get_pydantic_json_schema__(self, _: core_schema.CoreSchema, __: GetJsonSchemaHandler) -> JsonSchemaValue:
        """An object; its keys are those of the class."""
        return {"type": "object"}
