import itertools

import pytest

from edgenext_search.arch.spaces.effect import Alike, NoEffect
from edgenext_search.arch.spaces.parameter import Choice
from edgenext_search.arch.spaces.space import Space

WIDE = (720_720,) * 4


def space(*stages, **keys):
    """A space of four stages, those that are not given with one block."""
    stages = [*stages, *[{"depth": 1} for _ in range(4 - len(stages))]]
    for stage in stages:
        if "depth" in keys.get("shared", {}):
            stage.pop("depth", None)
    return Space.from_dict({"name": "x", "stages": stages, **keys})


def names(space):
    return [parameter.name for parameter in space.parameters]


@pytest.mark.parametrize(
    ("fields", "varies", "idle"),
    [
        ({"depth": 2, "sdta_splits": [2, 3]}, [], ["sdta_splits"]),
        ({"depth": 2, "heads": [4, 8], "pos_emb": [True, False]}, [], ["heads", "pos_emb"]),
        ({"depth": 2, "sdta_blocks": 0, "heads": 4}, [], ["heads"]),  # fixed, and still without effect
        ({"depth": 2, "sdta_blocks": [0, 1], "heads": [4, 8]}, ["sdta_blocks", "heads"], []),
        ({"depth": 2, "sdta_blocks": 2, "kernel_size": [3, 5]}, [], ["kernel_size"]),
        ({"depth": [1, 2], "sdta_blocks": 2, "kernel_size": [3, 5]}, None, None),  # more than the first depth
        ({"depth": [2, 3], "sdta_blocks": 2, "kernel_size": [3, 5]}, ["depth", "kernel_size"], []),
        ({"depth": 1, "sdta_blocks": [1, 2], "kernel_size": [3, 5]}, [], ["kernel_size"]),
    ],
)
def test_what_a_stage_cannot_use_is_no_parameter(fields, varies, idle):
    varies, idle = (["depth"], ["kernel_size"]) if varies is None else (varies, idle)
    there = space(fields)
    assert names(there) == [f"stage1.{field}" for field in varies]
    assert [entry.key for entry in there.no_effect] == [f"stages.1.{field}" for field in idle]


def test_shared_fields_need_one_stage_that_uses_them():
    heads = {"heads": [4, 8], "sdta_splits": [2, 3]}
    assert names(space(shared=heads)) == []
    assert space(shared=heads).no_effect == (
        NoEffect(key="shared.sdta_splits", reason="no stage has SDTA blocks"),
        NoEffect(key="shared.heads", reason="no stage has SDTA blocks"),
    )
    used = space({"depth": 2, "sdta_blocks": 1}, shared=heads)
    assert names(used) == ["sdta_splits", "heads"]
    assert used.no_effect == ()
    every = space(shared={"sdta_blocks": 1, "kernel_size": [3, 5]})
    assert every.no_effect == (NoEffect(key="shared.kernel_size", reason="every stage has SDTA blocks alone"),)


def test_choices_are_compared_where_they_are_used():
    kernels = [[3, 3, 3, 3], [5, 3, 3, 3], [5, 5, 3, 3]]
    first = {"depth": 1, "sdta_blocks": 1}
    assert space(first, shared={"kernel_size": kernels}).alike == (
        Alike(key="shared.kernel_size", values=((3, 3, 3, 3), (5, 3, 3, 3))),
    )
    assert names(space(first, shared={"kernel_size": kernels[:2]})) == []
    ratios = space(shared={"width_ratio": [[1, 2, 2, 2], [2, 2, 2, 2]]})
    assert names(ratios) == []
    assert ratios.alike[0].key == "shared.width_ratio"


def test_more_sdta_blocks_than_blocks_are_alike():
    there = space({"depth": [1, 2], "sdta_blocks": {"min": 0, "max": 4}})
    assert there.alike == (Alike(key="stages.1.sdta_blocks", values=(2, 3, 4)),)
    assert names(there) == ["stage1.depth", "stage1.sdta_blocks"]


def test_what_is_no_parameter_changes_no_network():
    """Every value of a field without effect builds the networks that the space builds."""
    fields = {"depth": [1, 2], "kernel_size": [3, 5], "sdta_splits": [2, 3], "heads": [4, 8], "pos_emb": [True, False]}

    def networks(space):
        choices = [parameter for parameter in space.parameters if isinstance(parameter, Choice)]
        rows = itertools.product(*(choice.values for choice in choices))
        shapes = [space.shape({c.name: v for c, v in zip(choices, row, strict=True)}) for row in rows]
        return {shape.candidate_at(WIDE) for shape in shapes}

    built = networks(space(fields))
    assert len(built) == 4
    for splits, heads, pos_emb in itertools.product([2, 3], [4, 8], [True, False]):
        fixed = {**fields, "sdta_splits": splits, "heads": heads, "pos_emb": pos_emb}
        assert networks(space(fixed)) == built


def test_nearest_is_exact_without_the_fields_that_have_no_effect():
    there = space({"depth": [1, 2], "heads": [4, 8]})
    candidate = there.shape({"stage1.depth": 2}).candidate_at((8, 8, 8, 8))
    assert there.nearest(candidate) == ({"stage1.depth": 2}, True)


def test_a_range_that_misses_its_end_is_told():
    there = space(
        {"depth": {"min": 1, "max": 4, "step": 2}}, {"depth": 1, "width_ratio": {"min": 1, "max": 2, "step": 0.1}}
    )
    assert [(end.key, end.max, end.largest) for end in there.not_reached] == [("stages.1.depth", 4, 3)]
    assert space({"depth": {"min": 1, "max": 5, "step": 2}}).not_reached == ()
