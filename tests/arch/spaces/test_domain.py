import pytest

from edgenext_search.arch.spaces.domain import at_stage, domains, item, key_of
from edgenext_search.arch.spaces.parameter import Choice, Interval
from edgenext_search.arch.spaces.space_file import SpaceFile
from edgenext_search.errors import UserError


def read(*, first=None, **keys):
    """The domains of a space of four stages with one block."""
    stages = [{"depth": 1, **(first or {})}, *[{"depth": 1} for _ in range(3)]]
    return domains(SpaceFile.model_validate({"name": "x", "stages": stages, **keys}))


def test_fields_that_are_not_given_have_one_value():
    found = read()
    assert len(found) == 2 + 7 * 4
    assert all(isinstance(domain, Choice) and len(domain.values) == 1 for domain in found.values())
    assert found["stage2.kernel_size"].values == (3,)


@pytest.mark.parametrize(
    ("written", "values"),
    [
        (3, (3,)),
        ([1, 5], (1, 5)),
        ({"min": 2, "max": 4}, (2, 3, 4)),
        ({"min": 2, "max": 6, "step": 2}, (2, 4, 6)),
        ({"min": 2, "max": 7, "step": 2}, (2, 4, 6)),
        ({"min": 1, "max": 1000}, tuple(range(1, 1001))),
        (2.0, (2,)),
    ],
)
def test_values_lists_and_ranges(written, values):
    assert read(first={"depth": written})["stage1.depth"].values == values


def test_ratios_are_continuous_without_a_step():
    shared = {"width_ratio": {"min": 1, "max": 2}}
    assert read(shared=shared)["width_ratio"] == Interval(name="width_ratio", low=1.0, high=2.0)
    steps = read(shared={"width_ratio": {"min": 1, "max": 2, "step": 0.1}})["width_ratio"]
    assert len(steps.values) == 11
    assert read(shared={"width_ratio": {"min": 2, "max": 2}})["width_ratio"].values == (2.0,)


def test_a_single_odd_kernel_needs_no_step():
    assert read(first={"kernel_size": {"min": 5, "max": 5}})["stage1.kernel_size"].values == (5,)


def test_where_a_stage_takes_its_values_from():
    found = read(shared={"heads": [4, [4, 8, 8, 8]]})
    assert at_stage(found, "heads", 2).name == "heads"
    assert at_stage(found, "depth", 2).name == "stage2.depth"
    assert [item(value, 2) for value in found["heads"].values] == [4, 8]
    assert [key_of(name) for name in ("heads", "stage2.depth", "expand_ratio")] == [
        "shared.heads",
        "stages.2.depth",
        "expand_ratio",
    ]


@pytest.mark.parametrize("blocks", [2, [2, 5], [[1, 1, 1, 1], 3]])
def test_shared_sdta_blocks_count_as_the_depth_of_shallower_stages(blocks):
    assert "sdta_blocks" in read(shared={"sdta_blocks": blocks})


def test_sdta_blocks_of_a_stage_must_fit_it():
    assert read(first={"sdta_blocks": [1, 9]})
    message = r"^{}: must be <= the stage's depth, but it is at least 2 and stage 1 has at most 1 blocks"
    with pytest.raises(UserError, match=message.format(r"stages\.1\.sdta_blocks")):
        read(first={"sdta_blocks": 2})
    with pytest.raises(UserError, match=message.format(r"shared\.sdta_blocks")):
        read(shared={"sdta_blocks": [[2, 1, 1, 1]]})
