import copy
import re

import pytest
from broken_spaces import BROKEN, WHOLE

from edgenext_search.arch.spaces.schema import DIALECT, space_schema
from edgenext_search.files import find_file, parse_yaml, read_yaml, shipped_names

SCHEMA = space_schema()
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
NOTES = {"$schema", "$defs", "title", "description", "default"}


def resolve(reference):
    return SCHEMA["$defs"][reference.removeprefix("#/$defs/")]


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


KEYWORDS = {  # keyword: whether a value of a kind that it speaks of breaks it
    "$ref": lambda rule, value: not valid(value, resolve(rule)),
    "type": lambda rule, value: not isinstance(value, TYPES[rule]) or (isinstance(value, bool) and rule != "boolean"),
    "enum": lambda rule, value: value not in rule,
    "anyOf": lambda rule, value: not any(valid(value, kind) for kind in rule),
    "not": lambda rule, value: valid(value, rule),
    "pattern": lambda rule, value: isinstance(value, str) and not re.search(rule, value),
    "minimum": lambda rule, value: is_number(value) and value < rule,
    "maximum": lambda rule, value: is_number(value) and value > rule,
    "exclusiveMinimum": lambda rule, value: is_number(value) and value <= rule,
    "multipleOf": lambda rule, value: is_number(value) and value % rule != 0,
    "minItems": lambda rule, value: isinstance(value, list) and len(value) < rule,
    "maxItems": lambda rule, value: isinstance(value, list) and len(value) > rule,
    "uniqueItems": lambda rule, value: isinstance(value, list) and len(set(map(str, value))) < len(value),
    "items": lambda rule, value: isinstance(value, list) and not all(valid(item, rule) for item in value),
    "required": lambda rule, value: isinstance(value, dict) and set(rule) - set(value),
}


def valid(value, schema):
    """What a validator of JSON Schema says, of the keywords that this schema has."""
    known = schema.get("properties", {})
    assert not set(schema) - set(KEYWORDS) - NOTES - {"properties", "additionalProperties"}
    if any(breaks(schema[word], value) for word, breaks in KEYWORDS.items() if word in schema):
        return False
    if not isinstance(value, dict):
        return True
    if set(value) - set(known) and not schema.get("additionalProperties", True):
        return False
    return all(valid(value[key], known[key]) for key in set(value) & set(known))


@pytest.mark.parametrize("name", shipped_names("space"))
def test_shipped_spaces_are_valid(name):
    assert valid(read_yaml(find_file("space", name)), SCHEMA)
    assert valid(parse_yaml(WHOLE), SCHEMA)


BEYOND = {  # what is for the loader to see
    "shared and own",
    "no depth",
    "ratio of stage 1",
    "range from no block",
    "even kernels of a range",
    "too much attention",
    "ends swapped",
    "half a step",
    "huge range",
    "endless range",
    "tiny steps",
}


@pytest.mark.parametrize("kind", [kind for kind, (_, refusal) in BROKEN.items() if refusal.startswith(": ")])
def test_an_editor_sees_what_a_schema_can_say(kind):
    value = parse_yaml(BROKEN[kind][0])
    if kind in ("not a number", "infinite end"):
        return  # JSON has no such numbers
    assert valid(value, SCHEMA) == (kind in BEYOND)


def test_every_key_is_described():
    definitions = SCHEMA["$defs"]
    for model in (SCHEMA, definitions["StageFields"], definitions["SharedFields"], definitions["Range"]):
        assert model["additionalProperties"] is False
        for name, key in model["properties"].items():
            assert len(key.get("description", "")) > 10, name


def test_it_stands_alone_and_is_the_same_every_time():
    before = copy.deepcopy(SCHEMA)
    assert space_schema() == before
    assert SCHEMA["$schema"] == DIALECT
    references = set(re.findall(r"'\$ref': '([^']+)'", repr(SCHEMA)))
    assert references == {f"#/$defs/{name}" for name in ("Range", "StageFields", "SharedFields")}
    assert "null" not in repr(SCHEMA)
