import copy
import json

import pytest
from broken_spaces import BROKEN, WHOLE
from hypothesis import given
from strategies import TINY, assignments, seeded, tiny

from edgenext_search.arch.published import published_variants
from edgenext_search.arch.spaces.parameter import Choice, Interval
from edgenext_search.arch.spaces.space import Space
from edgenext_search.errors import UserError
from edgenext_search.files import dump_yaml, parse_yaml, shipped_names

EDGENEXT = Space.load("edgenext")
PAPER = Space.load("paper")
SPACES = pytest.mark.parametrize("space", [EDGENEXT, PAPER], ids=lambda space: space.name)

SMALL = {
    "name": "small",
    "expand_ratio": [2, 4],
    "stages": [
        {"depth": 1, "kernel_size": 3},
        {"depth": {"min": 1, "max": 3}, "width_ratio": {"min": 1.0, "max": 2.0}, "sdta_blocks": [0, 1, 2]},
        {"depth": 2, "width_ratio": {"min": 1.0, "max": 2.0, "step": 0.5}, "sdta_blocks": 1, "heads": [4, 6]},
        {"depth": 1, "width_ratio": 1.5, "pos_emb": [True, False]},
    ],
}


def small(**changes):
    return Space.from_dict({**copy.deepcopy(SMALL), **changes})


def with_stage(stage, **fields):
    values = copy.deepcopy(SMALL)
    values["stages"][stage - 1].update(fields)
    return values


def test_parameters_are_what_varies():
    assert small().parameters == (
        Choice(name="expand_ratio", values=(2, 4)),
        Interval(name="stage2.width_ratio", low=1.0, high=2.0),
        Choice(name="stage3.width_ratio", values=(1.0, 1.5, 2.0)),
        Choice(name="stage2.depth", values=(1, 2, 3)),
        Choice(name="stage2.sdta_blocks", values=(0, 1, 2)),
        Choice(name="stage3.heads", values=(4, 6)),
    )  # and not stage 4's pos_emb, which has no SDTA block


def test_the_names_in_the_shipped_spaces_stay():
    """Studies on disk refer to parameters by these names."""
    stages = ("stage2", "stage3", "stage4")
    assert {parameter.name for parameter in EDGENEXT.parameters} == {
        "expand_ratio",
        *(f"stage{stage}.{field}" for stage in range(1, 5) for field in ("depth", "kernel_size")),
        *(f"{stage}.{field}" for stage in stages for field in ("width_ratio", "sdta_blocks", "sdta_splits", "heads")),
    }
    assert {parameter.name for parameter in PAPER.parameters} == {
        "depth",
        "heads",
        *(f"stage{stage}.kernel_size" for stage in range(1, 5)),
        *(f"{stage}.{field}" for stage in stages for field in ("width_ratio", "sdta_splits")),
    }


def test_an_assignment_becomes_a_shape():
    shape = small().shape(
        {
            "expand_ratio": 4,
            "stage2.width_ratio": 2.0,
            "stage3.width_ratio": 1.5,
            "stage2.depth": 3,
            "stage2.sdta_blocks": 2,
            "stage3.heads": 6,
            "stage4.pos_emb": True,
        }
    )
    assert shape.proportions == (1.0, 2.0, 3.0, 4.5)
    assert shape.depths == (1, 3, 2, 1)
    assert shape.sdta_blocks == (0, 2, 1, 0)
    assert shape.heads == (4, 4, 6, 4)
    assert shape.pos_emb == (False, False, False, True)
    assert shape.expand_ratio == 4
    assert shape.steps == (8, 8, 24, 8)


def test_a_stage_has_no_more_sdta_blocks_than_blocks():
    values = {
        "expand_ratio": 2,
        "stage2.width_ratio": 1.0,
        "stage3.width_ratio": 1.0,
        "stage2.depth": 1,
        "stage2.sdta_blocks": 2,
        "stage3.heads": 4,
        "stage4.pos_emb": False,
    }
    assert small().shape(values).sdta_blocks == (0, 1, 1, 0)


def test_shared_fields_hold_in_all_stages():
    stages = [{}, {"width_ratio": 2.0}, {"width_ratio": 2.0}, {"width_ratio": 2.0}]
    shared = {"depth": [[2, 2, 6, 2], 3], "kernel_size": 5, "sdta_blocks": 1, "heads": [4, 8], "pos_emb": False}
    space = Space.from_dict({"name": "shared", "shared": shared, "stages": stages})
    assert [parameter.name for parameter in space.parameters] == ["depth", "heads"]
    shape = space.shape({"depth": (2, 2, 6, 2), "heads": 8})
    assert (shape.depths, shape.heads, shape.kernel_sizes) == ((2, 2, 6, 2), (8,) * 4, (5,) * 4)
    assert (shape.sdta_blocks, shape.pos_emb) == ((1,) * 4, (False,) * 4)
    assert space.shape({"depth": [2, 2, 6, 2], "heads": 4}).depths == (2, 2, 6, 2)  # lists, as JSON has them
    assert space.shape({"depth": 3, "heads": 4}).depths == (3, 3, 3, 3)


@SPACES
def test_samples_are_in_the_space_and_follow_the_seed(space):
    drawn = [space.draw(seeded(seed)) for seed in range(200)]
    assert drawn == [space.draw(seeded(seed)) for seed in range(200)]
    for values in drawn:
        space.shape(values)
    for parameter in space.parameters:
        if isinstance(parameter, Choice):
            assert {values[parameter.name] for values in drawn} == set(parameter.values)


def test_every_parameter_needs_a_value_of_its_domain():
    values = EDGENEXT.draw(seeded(0))
    with pytest.raises(UserError, match=r"parameter stage3\.depth needs a value"):
        EDGENEXT.shape({name: value for name, value in values.items() if name != "stage3.depth"})
    with pytest.raises(UserError, match=r"stage3\.depth must be one of \[2, 3, .*12\], but got 13"):
        EDGENEXT.shape({**values, "stage3.depth": 13})


@SPACES
def test_a_space_survives_dict_json_and_yaml(space):
    values = space.to_dict()
    for again in (values, json.loads(json.dumps(values)), parse_yaml(dump_yaml(values))):
        read = Space.from_dict(again)
        assert read.parameters == space.parameters
        assert read.to_dict() == values
        assignment = space.draw(seeded(1))
        assert read.shape(assignment) == space.shape(assignment)


@SPACES
@pytest.mark.parametrize(
    "variant",
    [variant for variant in published_variants().values() if variant.candidate.norm_act == "ln_gelu"],
    ids=lambda variant: variant.name,
)
def test_published_shapes_are_in_the_shipped_spaces(space, variant):
    values, exact = space.nearest(variant.candidate)
    assert exact
    shape = space.shape(values)
    assert shape.candidate_at(variant.candidate.widths) == variant.candidate
    assert shape.distortion(variant.candidate.widths) == pytest.approx(0, abs=1e-12)


@given(assignments(EDGENEXT))
def test_nearest_finds_a_shape_of_the_space_again(values):
    shape = EDGENEXT.shape(values)
    scale = 1000  # so wide that rounding to multiples of 8 hardly changes the proportions
    candidate = shape.candidate_at(shape.widths_at(scale))
    again = EDGENEXT.shape(EDGENEXT.nearest(candidate)[0])
    assert again.candidate_at(candidate.widths) == candidate
    assert again.proportions == pytest.approx(shape.proportions, rel=0.02)


def test_nearest_says_when_it_is_not_exact():
    values, exact = EDGENEXT.nearest(tiny(expand_ratio=6, kernel_sizes=(11, 5, 7, 9)))
    assert not exact
    assert values["expand_ratio"] == 4
    assert values["stage1.kernel_size"] == 9
    assert values["stage2.kernel_size"] == 5
    _, exact = EDGENEXT.nearest(tiny(widths=(8, 64, 64, 64)))  # a ratio of 8, where the space ends at 3
    assert not exact


def test_nearest_in_a_space_with_one_ratio_for_all_stages():
    def space(ratio):
        return Space.from_dict({"name": "one", "shared": {"width_ratio": ratio, "depth": 1}, "stages": [{}] * 4})

    fields = {**TINY, "depths": (1, 1, 1, 1), "sdta_blocks": (0,) * 4, "kernel_sizes": (3,) * 4, "expand_ratio": 4}
    doubling = tiny(**{**fields, "widths": (8, 16, 32, 64)})
    growing = tiny(**{**fields, "widths": (40, 72, 128, 232)})  # ratios 1.8, 1.78, 1.81
    assert space({"min": 1.0, "max": 3.0}).nearest(doubling) == ({"width_ratio": 2.0}, True)
    assert space([1.5, 2.0]).nearest(doubling) == ({"width_ratio": 2.0}, True)
    assert space([1.5, 2.0]).nearest(growing) == ({"width_ratio": 2.0}, False)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({**SMALL, "widths": 3}, "here: widths: there is no such key"),
        ({"name": "x"}, "here: stages: the key is missing"),
        ({**SMALL, "name": "a b"}, "here: name: .* but got 'a b'"),
        (
            {**SMALL, "stages": SMALL["stages"][:3]},
            "here: stages: must be a list of the fields of the 4 stages, but got 3 of them",
        ),
        ({**SMALL, "width_multiple": 0}, "here: width_multiple: .*greater than or equal to 1, but got 0"),
        ({**SMALL, "expand_ratio": []}, "here: expand_ratio: must be a list of 1 to 1,000 choices, but has 0"),
        ({**SMALL, "expand_ratio": 2.5}, r"here: expand_ratio: must be a whole number, but got 2\.5"),
        ({**SMALL, "expand_ratio": 0}, "here: expand_ratio: must be >= 1, but got 0"),
        ({**SMALL, "expand_ratio": [4, 4]}, r"here: expand_ratio: each choice must stand once, but 4 stands 2 times"),
        ({**SMALL, "norm_act": "relu"}, "here: norm_act: must be one of .*ln_gelu.*, but got 'relu'"),
        ({**SMALL, "norm_act": {"min": 1, "max": 2}}, "here: norm_act: a range is for numbers"),
        (with_stage(2, kernel=3), r"here: stages\.2\.kernel: there is no such key"),
        (with_stage(2, depth=0), r"here: stages\.2\.depth: must be >= 1, but got 0"),
        (with_stage(2, depth="deep"), r"here: stages\.2\.depth: must be a number, but got 'deep'"),
        (with_stage(2, depth=True), r"here: stages\.2\.depth: must be a number, but got True"),
        (with_stage(2, depth={"min": 1, "max": 2, "step": 0.5}), r"stages\.2\.depth: must be a whole number.* 1\.5"),
        (with_stage(2, depth={"min": 3, "max": 2}), r"stages\.2\.depth: max must be >= min, but got min=3, max=2"),
        (with_stage(2, kernel_size=[3, 4]), r"here: stages\.2\.kernel_size: must be odd, but got 4"),
        (with_stage(2, sdta_blocks=-1), r"here: stages\.2\.sdta_blocks: must be >= 0, but got -1"),
        (with_stage(2, sdta_splits=1), r"here: stages\.2\.sdta_splits: must be >= 2, but got 1"),
        (with_stage(2, heads=0), r"here: stages\.2\.heads: must be >= 1, but got 0"),
        (with_stage(2, pos_emb=1), r"here: stages\.2\.pos_emb: must be true or false, but got 1"),
        (with_stage(2, width_ratio=0), r"here: stages\.2\.width_ratio: must be >= 0\.01, but got 0"),
        (
            with_stage(2, width_ratio={"min": 0, "max": 2}),
            r"here: stages\.2\.width_ratio\.min: must be >= 0\.01, but got 0",
        ),
        (with_stage(1, width_ratio=2.0), r"here: stages\.1\.width_ratio: the first stage is what the others"),
        (with_stage(2, heads=[[4, 4, 4, 4]]), r"here: stages\.2\.heads: a choice is one value, or under `shared`"),
        ({**SMALL, "shared": {"depth": 2}}, r"here: stages\.1\.depth: the field stands in `shared` too"),
        ({**SMALL, "shared": {"heads": [[4, 4]]}}, r"here: (stages\.3|shared)\.heads: "),
    ],
)
def test_refuses_wrong_files_with_the_path_of_the_key(values, message):
    with pytest.raises(UserError, match=message):
        Space.from_dict(values, where="here")


def test_a_stage_without_a_depth_is_refused():
    values = copy.deepcopy(SMALL)
    del values["stages"][2]["depth"]
    with pytest.raises(UserError, match=r"stages\.3\.depth: the field is missing; give it here or under `shared`"):
        Space.from_dict(values)


def test_loads_by_name_and_by_path(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(dump_yaml(SMALL))
    assert Space.load(str(path)).parameters == small().parameters
    assert Space.load("edgenext").name == "edgenext"
    path.write_text(dump_yaml({**SMALL, "stages": 3}))
    with pytest.raises(UserError, match=rf"{path}: stages: "):
        Space.load(str(path))


def test_a_miss_lists_what_exists():
    with pytest.raises(UserError, match=r"no space 'edgnext'.*edgenext.*paper") as caught:
        Space.load("edgnext")
    assert all(name in str(caught.value) for name in shipped_names("space"))


def test_a_study_is_told_where_it_belongs(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("name: mine\nproxy: {epochs: 3}\n")
    with pytest.raises(UserError, match=rf"{path} is a study, not a search space; it belongs behind --study\."):
        Space.load(str(path))


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_files_are_refused_with_the_path_of_the_key(tmp_path, kind):
    content, beginning = BROKEN[kind]
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(UserError) as caught:
        Space.load(str(path))
    message = str(caught.value)
    assert message.startswith(f"{path}{beginning}")
    assert message[-1] in ".?"
    assert "\n" not in message
    assert len(message) < len(str(path)) + 500


def test_the_file_that_the_broken_ones_are_made_of_is_fine(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(WHOLE)
    space = Space.load(str(path))
    assert [parameter.name for parameter in space.parameters] == ["stage3.depth", "heads"]
