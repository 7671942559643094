"""The JSON schema of search space files, which editors complete and check them with."""

from __future__ import annotations

import copy
from typing import Any

from edgenext_search.arch.candidate import NORM_ACTS, STAGES
from edgenext_search.arch.spaces.domain import RULES, STAGE_RULES
from edgenext_search.arch.spaces.space_file import MOST_CHOICES, SpaceFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def space_schema() -> Schema:
    """The schema (JSON Schema draft 2020-12): the keys and their descriptions, and the rule of each field's values.

    What no schema can say, such as that a field stands in ``shared`` or in the stages, is checked when a space is
    loaded.
    """
    schema = SpaceFile.model_json_schema()
    definitions = schema["$defs"]
    definitions["SharedFields"] = copy.deepcopy(definitions["StageFields"])
    definitions["SharedFields"]["title"] = "SharedFields"
    for name, shared in (("StageFields", False), ("SharedFields", True)):
        fields = definitions[name]["properties"]
        for field in STAGE_RULES:
            fields[field] = _domain(field, fields[field], shared=shared)
    for bound in definitions["Range"]["properties"].values():
        _only(bound, {"type": "number"})
    definitions["Range"]["properties"]["step"]["exclusiveMinimum"] = 0
    keys = schema["properties"]
    keys["shared"] = {**_without_type(keys["shared"]), "$ref": "#/$defs/SharedFields"}
    for field in ("expand_ratio", "norm_act"):
        keys[field] = _domain(field, keys[field], shared=False)
    return {"$schema": DIALECT, **schema, "title": "Search space of edgenext-search"}


def _domain(field: str, described: Schema, *, shared: bool) -> Schema:
    """A field's title and description, with what it may be: a value, a list of choices, or a range of numbers."""
    value = _value(field)
    choice: Schema = value
    if shared:  # a choice may have an item for each stage
        choice = {"anyOf": [value, {"type": "array", "items": value, "minItems": STAGES, "maxItems": STAGES}]}
    kinds = [value, {"type": "array", "items": choice, "minItems": 1, "maxItems": MOST_CHOICES, "uniqueItems": True}]
    if value["type"] in ("integer", "number"):
        kinds.append({"$ref": "#/$defs/Range"})
    return {**_without_type(described), "anyOf": kinds}


def _value(field: str) -> Schema:
    """One value of a field."""
    rule = RULES[field]
    if field == "norm_act":
        return {"type": "string", "enum": list(NORM_ACTS)}
    if field == "pos_emb":
        return {"type": "boolean"}
    bounds = {"minimum": rule.smallest, "maximum": rule.largest}
    if field == "width_ratio":
        return {"type": "number", **bounds}
    return {"type": "integer", **bounds, **({"not": {"multipleOf": 2}} if field == "kernel_size" else {})}


def _without_type(described: Schema) -> Schema:
    return {key: described[key] for key in ("title", "description") if key in described}


def _only(described: Schema, kind: Schema) -> None:
    """Make a property be of one kind, absent rather than null."""
    for key in ("anyOf", "default"):
        described.pop(key, None)
    described |= kind
