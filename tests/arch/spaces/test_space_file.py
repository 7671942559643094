import pytest
from pydantic import ValidationError

from edgenext_search.arch.spaces.space_file import Range, SpaceFile, StageFields

STAGES = [{"depth": 1}] * 4


def test_keeps_what_was_written():
    file = SpaceFile.model_validate({"name": "x", "expand_ratio": {"min": 2, "max": 4}, "stages": STAGES})
    assert file.expand_ratio == Range(min=2, max=4)
    assert file.stages[3].depth == 1
    assert (file.width_multiple, file.norm_act, file.shared) == (8, "ln_gelu", StageFields())


@pytest.mark.parametrize(
    "values",
    [
        {"name": "x", "stages": STAGES[:3]},
        {"name": "x", "stages": STAGES * 2},
        {"name": "", "stages": STAGES},
        {"name": "a/b", "stages": STAGES},  # the name becomes part of file names
        {"name": "x", "stages": STAGES, "width_multiple": "8"},  # strict: no text for numbers
        {"name": "x", "stages": STAGES, "width_multiple": 0},
        {"name": "x", "stages": STAGES, "expand_ratio": float("inf")},
        {"name": "x", "stages": STAGES, "expand_ratio": {"min": 1}},
        {"name": "x", "stages": STAGES, "expand_ratio": {"min": 1, "max": 4, "by": 1}},
        {"name": "x", "stages": STAGES, "typo": 1},
    ],
)
def test_refuses(values):
    with pytest.raises(ValidationError):
        SpaceFile.model_validate(values)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"min": 2, "max": 1}, "max must be >= min, but got min=2, max=1"),
        ({"min": 1, "max": 2, "step": 0}, "step must be > 0, but got 0"),
        ({"min": 1, "max": 2, "step": -1.5}, r"step must be > 0, but got -1\.5"),
    ],
)
def test_refuses_ranges_that_hold_nothing(fields, message):
    with pytest.raises(ValidationError, match=message):
        Range(**fields)


def test_is_frozen():
    file = SpaceFile.model_validate({"name": "x", "stages": STAGES})
    with pytest.raises(ValidationError, match="frozen"):
        file.name = "y"


def test_every_key_is_described_in_the_schema():
    schema = SpaceFile.model_json_schema()
    for model in (schema, schema["$defs"]["StageFields"], schema["$defs"]["Range"]):
        for name, key in model["properties"].items():
            assert len(key.get("description", "")) > 10, name
