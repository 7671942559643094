"""Tables of keys in the guides, written from the types: ``python tests/json_docs.py`` writes them anew.

A table of a result type, in docs/json.md, stands between ``<!-- fields of module:Class -->`` and ``<!-- end -->``: a
row for each field, described by the docstring under it, then a table for each nested type that the page has not had
before and that has no section. A table of a section of a study, in docs/studies.md, stands between ``<!-- keys of
module:Class as section -->`` and ``<!-- end -->``: a row for each key with its default.
"""

from __future__ import annotations

import enum
import importlib
import json
import re
import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, JsonValue

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE, STUDIES = DOCS / "json.md", DOCS / "studies.md"
KEYS = re.compile(r"<!-- keys of (?P<type>[\w.]+:\w+) as (?P<section>\w+) -->\n.*?<!-- end -->", re.DOTALL)
TABLE = re.compile(r"<!-- fields of (?P<type>[\w.]+:\w+) -->\n.*?<!-- end -->", re.DOTALL)
PLAIN = {
    int: "integer",
    float: "number",
    str: "text",
    bool: "boolean",
    type(None): "null",
    object: "any value",
    Any: "any value",
    JsonValue: "any value",
    Path: "path",
}


def refreshed(page: str) -> str:
    """The page with each of its tables as the types are now."""
    shown = {_type(match["type"]) for match in TABLE.finditer(page)}
    page = TABLE.sub(lambda match: _block(match["type"], shown), page)
    return KEYS.sub(lambda match: _keys(match["type"], match["section"]), page)


def _keys(name: str, section: str) -> str:
    """The keys of a section of a study, each with its default as YAML."""
    rows = [
        f"| `{section}.{key}` | `{_yaml(field.get_default())}` | {_one_line(field.description or '')} |"
        for key, field in _type(name).model_fields.items()
    ]
    head = f"<!-- keys of {name} as {section} -->\n| key | default | meaning |\n|---|---|---|"
    return "\n".join([head, *rows, "<!-- end -->"])


def _yaml(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _type(name: str) -> type[BaseModel]:
    module, _, attribute = name.partition(":")
    kind: type[BaseModel] = getattr(importlib.import_module(module), attribute)
    return kind


def _block(name: str, shown: set[type[BaseModel]]) -> str:
    root = _type(name)
    parts, waiting = [f"<!-- fields of {name} -->"], [root]
    while waiting:
        kind = waiting.pop(0)
        if kind in shown and kind is not root:
            continue
        shown.add(kind)
        if kind is not root:
            parts.append(f"\n**{kind.__name__}**: {_first_paragraph(kind)}\n")
        parts.append("| key | type | meaning |\n|---|---|---|")
        nested: list[type[BaseModel]] = []
        for key, annotation, text in _fields(kind):
            parts.append(f"| `{key}` | {_named(annotation, nested)} | {text} |")
        waiting[:0] = [part for part in dict.fromkeys(nested) if part not in waiting]
    return "\n".join([*parts, "<!-- end -->"])


def _fields(kind: type[BaseModel]) -> list[tuple[str, Any, str]]:
    """Key, type and description of each field, in the order in which they are printed."""
    fields = [
        (field.serialization_alias or field.alias or name, field.annotation, field.description)
        for name, field in kind.model_fields.items()
        if not field.exclude
    ]
    computed = [
        (field.alias or name, field.return_type, field.description)
        for name, field in kind.model_computed_fields.items()
    ]
    return [(key, annotation, _one_line(text or "")) for key, annotation, text in [*fields, *computed]]


def _named(annotation: Any, nested: list[type[BaseModel]]) -> str:
    """A type in the words of JSON; the models in it are added to ``nested``."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in PLAIN:
        return PLAIN[annotation]
    if hasattr(annotation, "__value__"):  # an alias
        return _named(annotation.__value__, nested)
    if origin is Annotated:
        return _named(arguments[0], nested)
    if origin is Literal:
        return " or ".join("null" if value is None else f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_named(argument, nested) for argument in arguments))
    if origin is not None:
        return _collection(origin, [argument for argument in arguments if argument is not Ellipsis], nested)
    return _class(annotation, nested)


def _collection(origin: Any, arguments: list[Any], nested: list[type[BaseModel]]) -> str:
    names = [_named(argument, nested) for argument in arguments]
    if hasattr(origin, "keys"):
        return f"object of {names[1]}"
    return f"list of {', '.join(dict.fromkeys(names))}"


def _class(kind: Any, nested: list[type[BaseModel]]) -> str:
    if not isinstance(kind, type):
        raise TypeError(f"docs/json.md has no words for the type {kind!r}")
    if issubclass(kind, BaseModel):
        nested.append(kind)
        return kind.__name__
    if issubclass(kind, enum.Enum):
        return " or ".join(f"`{member.value}`" for member in kind)
    return {dict: "object", list: "list", tuple: "list"}.get(kind, kind.__name__.lower())


def _first_paragraph(kind: type[BaseModel]) -> str:
    return _one_line((kind.__doc__ or "").strip().partition("\n\n")[0])


def _one_line(text: str) -> str:
    """A docstring as a cell of a table: one line, with Sphinx's roles as plain code."""
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", text).replace("``", "`")
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    for page in (PAGE, STUDIES):
        page.write_text(refreshed(page.read_text("utf-8")), "utf-8")
