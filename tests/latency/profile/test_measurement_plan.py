import pytest
from latency_profiles import DEPLOYMENT, REFERENCE, measurement, profile_of, true_microseconds
from strategies import seeded

from edgenext_search.arch.blocks import blocks_of
from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.published import published_variants
from edgenext_search.arch.spaces.space import Space
from edgenext_search.latency.profile.measurement_plan import (
    FOREIGN,
    LARGEST,
    SMALLEST,
    Target,
    draw_networks,
    make_plan,
)
from edgenext_search.latency.profile.predictor import Predictor


@pytest.fixture(scope="module")
def plan():
    return make_plan(Space.load("edgenext"), DEPLOYMENT, networks=40, stages=16, seed=3)


def test_a_plan_follows_from_its_seed(plan):
    again = make_plan(Space.load("edgenext"), DEPLOYMENT, networks=40, stages=16, seed=3)
    other = make_plan(Space.load("edgenext"), DEPLOYMENT, networks=40, stages=16, seed=4)
    assert plan == again
    assert plan != other


def test_every_part_of_a_plan_has_networks_and_stages(plan):
    assert [target.what for target in plan].count("network") == 40
    for part in (plan[:14], plan[14:28], plan[28:42], plan[42:]):
        assert {target.stage for target in part} == {0, 1, 2, 3, 4}


def test_networks_spread_over_the_usual_sizes(plan):
    sizes = [cost(target.candidate, DEPLOYMENT).params for target in plan if target.what == "network"]
    assert 0.9 * SMALLEST < min(sizes) < 2 * SMALLEST
    assert 0.5 * LARGEST < max(sizes) <= LARGEST


def test_single_stages_have_the_blocks_of_that_stage_alone(plan):
    for target in plan:
        blocks = target.blocks(DEPLOYMENT)
        if target.what == "stage":
            assert {block.stage for block in blocks} == {target.stage}
            assert ("stem" in {block.kind for block in blocks}) == (target.stage == 1)
            assert ("head" in {block.kind for block in blocks}) == (target.stage == 4)
        else:
            assert blocks == blocks_of(target.candidate, DEPLOYMENT)
        assert Target.read(target.to_dict(), where="") == target


def test_stages_are_measured_beyond_the_widths_of_the_networks():
    plan = make_plan(Space.load("edgenext"), DEPLOYMENT, networks=24, stages=200, seed=0)
    for stage in range(1, 5):
        networks = [target.candidate.widths[stage - 1] for target in plan if target.what == "network"]
        alone = [target.candidate.widths[stage - 1] for target in plan if target.stage == stage]
        assert max(networks) <= max(alone) <= 1.3 * max(networks)
        assert min(alone) <= min(networks)


def fitted(space, *, networks=40, stages=16):
    plan = make_plan(space, DEPLOYMENT, networks=networks, stages=stages, seed=0)
    return plan, Predictor(profile_of([(target, measurement(target)) for target in plan], space=space))


def test_a_space_with_both_kinds_of_norm_is_profiled_for_both():
    values = Space.load("edgenext").to_dict() | {"norm_act": ["ln_gelu", "bn_hs"]}
    space = Space.from_dict(values)
    _, predictor = fitted(space, networks=60, stages=24)
    assert {covered.norm_act for covered in predictor.profile.covered} == {"ln_gelu", "bn_hs"}
    for norm_act in ("ln_gelu", "bn_hs"):
        candidate = Candidate.from_dict(REFERENCE.to_dict() | {"norm_act": norm_act})
        truth = true_microseconds(Target(what="network", candidate=candidate))
        assert predictor.predict(candidate).microseconds == pytest.approx(truth, rel=0.15)


def narrow(**changes):
    """The shipped space with other choices of some fields."""
    values = Space.load("edgenext").to_dict()
    stages = [{key: changes.get(key, value) for key, value in stage.items()} for stage in values["stages"]]
    return Space.from_dict(values | {"stages": stages} | {key: changes[key] for key in changes if key in values})


@pytest.mark.parametrize(
    "changes",
    [{"kernel_size": [3, 5]}, {"expand_ratio": [2, 3]}, {"sdta_blocks": [0]}, {"heads": [1, 2], "sdta_splits": [2]}],
    ids=["small kernels", "thin", "convolutions alone", "few heads"],
)
def test_published_shapes_are_covered_whatever_the_space(changes):
    plan, predictor = fitted(narrow(**changes))
    assert [target.what for target in plan].count("network") == 40
    assert 16 < sum(target.what == "stage" for target in plan) <= 16 + 2 * 4 * FOREIGN
    assert {target.what for target in plan[:FOREIGN]} == {"stage"}  # measured even where time is short
    for variant in published_variants().values():
        if variant.candidate.norm_act == "ln_gelu":
            truth = true_microseconds(Target(what="network", candidate=variant.candidate))
            assert predictor.predict(variant.candidate).microseconds == pytest.approx(truth, rel=0.15)


def test_a_space_with_the_published_shapes_needs_no_more(plan):
    assert len(plan) == 40 + 16


def test_a_space_of_large_networks_alone_is_drawn_from_its_smallest_on():
    values = Space.load("paper").to_dict() | {"width_multiple": 64}
    space, deployment = Space.from_dict(values), Deployment()
    drawn = list(draw_networks(space, deployment, 5, seeded(0)))
    assert all(min(candidate.widths) >= 64 for candidate in drawn)
