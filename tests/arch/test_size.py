import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.parameter import Choice
from edgenext_search.arch.projection import Projection
from edgenext_search.arch.size import assignments, candidates, intervals, shapes
from edgenext_search.arch.space import Space

WIDE = (720_720,) * 4  # every number of heads divides it, and every number of splits leaves no group empty

CHOICES = {
    "depth": [1, 2, 3],
    "kernel_size": [3, 5, 7],
    "sdta_blocks": [0, 1, 2, 3],
    "sdta_splits": [2, 3],
    "heads": [1, 2, 4],
    "pos_emb": [True, False],
    "width_ratio": [1.0, 1.5, 2.0],
}


def brute(space):
    """Different shapes, by building every assignment's network at one width."""
    found = set()
    choices = [parameter for parameter in space.parameters if isinstance(parameter, Choice)]
    middle = dict.fromkeys(intervals(space), 1.0)
    for values in itertools.product(*(choice.values for choice in choices)):
        shape = space.shape({**middle, **dict(zip((choice.name for choice in choices), values, strict=True))})
        found.add((shape.proportions, shape.candidate_at(WIDE)))
    return len(found)


@st.composite
def small_spaces(draw, most=3000):
    """Space files of few assignments: every field shared, of its stages, or left out."""
    stages, shared, room = [{}, {}, {}, {}], {}, most

    def some(field, *, lists=False):
        nonlocal room
        items = st.sampled_from(CHOICES[field])
        one = items | st.tuples(items, items, items, items).map(list) if lists else items
        values = draw(st.lists(one, min_size=1, max_size=min(3, max(room, 1)), unique_by=str))
        room //= len(values)
        return values

    for field in CHOICES:
        place = draw(st.sampled_from(["shared", "stages", "none"]))
        if place == "shared":
            shared[field] = some(field, lists=True)
        elif place == "stages" or field == "depth":
            for stage in stages[field == "width_ratio" :]:
                stage[field] = some(field)
    for number, stage in enumerate(stages):  # more SDTA blocks than blocks are refused
        depths = stage.get("depth") or [d[number] if isinstance(d, list) else d for d in shared["depth"]]
        if "sdta_blocks" in stage and min(stage["sdta_blocks"]) > max(depths):
            stage["sdta_blocks"] = [0]
    if all(isinstance(blocks, list) for blocks in shared.get("sdta_blocks", [0])):
        shared.get("sdta_blocks", []).append(0)
    return Space.from_dict(
        {"name": "small", "expand_ratio": draw(st.sampled_from([4, [2, 4]])), "shared": shared} | {"stages": stages}
    )


@settings(max_examples=150)
@given(small_spaces())
def test_the_exact_count_is_that_of_all_networks(space):
    assert assignments(space) <= 3000 * 2 * 3**4
    count = shapes(space)
    assert count.method == "exact"
    assert (count.low, count.high, count.samples) == (count.value, count.value, 0)
    assert count.value == brute(space)


@settings(max_examples=50)
@given(small_spaces())
def test_the_count_by_assignments_is_the_same(space):
    count = shapes(space, most_pairs=0, most_assignments=10**6)
    assert (count.method, count.value) == ("exact", shapes(space).value)


@settings(max_examples=150)
@given(small_spaces(), st.integers(0, 9))
def test_the_estimate_is_near(space, seed):
    """Five standard errors rather than two: these are 150 spaces, and each has to hold."""
    exact, estimate = shapes(space), shapes(space, most_pairs=0, most_assignments=0, samples=400, seed=seed)
    assert estimate.method == "sampled"
    half = max(estimate.high - estimate.value, estimate.value - estimate.low, 1)
    assert abs(estimate.value - exact.value) <= 2.6 * half + 0.1 * exact.value


@pytest.mark.parametrize("name", ["edgenext", "paper"])
def test_the_interval_of_an_estimate_covers(name):
    space = Space.load(name)
    exact = shapes(space).value
    estimates = [shapes(space, most_pairs=0, most_assignments=0, samples=500, seed=seed) for seed in range(60)]
    covered = sum(estimate.low <= exact <= estimate.high for estimate in estimates)
    assert covered >= 52  # 57 expected; fewer than 52 are as rare as 1 in 100
    assert sum(e.value for e in estimates) / 60 == pytest.approx(exact, rel=0.05)


def test_the_shipped_spaces():
    """By hand: per stage, without SDTA depth x kernels; with it, x splits x heads, no kernel where all are SDTA."""

    def stage(depths):
        total = 0
        for depth in depths:
            for sdta in {min(blocks, depth) for blocks in (0, 1, 2)}:
                total += (4 if sdta < depth else 1) * (8 if sdta else 1)
        return total

    by_hand = 3 * 16 * stage(range(1, 5)) * stage(range(2, 13)) * stage(range(1, 5))
    edgenext, paper = Space.load("edgenext"), Space.load("paper")
    assert shapes(edgenext).value == by_hand
    assert shapes(paper).value == 2 * 2 * 4**4 * 4**3
    assert intervals(paper) == ["stage2.width_ratio", "stage3.width_ratio", "stage4.width_ratio"]


def test_shared_assignments_that_give_one_network_count_once():
    def space(heads, blocks=0):
        stages = [{"sdta_blocks": blocks}, {"sdta_blocks": 1}, {}, {}]
        return Space.from_dict({"name": "x", "shared": {"depth": 1, "heads": heads}, "stages": stages})

    assert shapes(space([[4, 4, 4, 4], [8, 4, 8, 8], [4, 8, 4, 4]])).value == 2
    assert shapes(space([[4, 4, 4, 4], [8, 4, 8, 8], [4, 8, 4, 4]], blocks=[0, 1])).value == 2 + 3


def tiny_space(**changes):
    stage = {"depth": [1, 2, 3], "kernel_size": [3, 5], "sdta_blocks": [0, 1]}
    return Space.from_dict(
        {
            "name": "x",
            "expand_ratio": [2, 4],
            "stages": [{"depth": 1}, stage, {"depth": [2, 4]}, {"depth": [1, 2]}],
            **changes,
        }
    )


def projected(space, budget="1M"):
    return Projection(space, Budget.parse(budget), Deployment())


def test_candidates_of_a_small_space_are_counted():
    space = tiny_space()
    projection = projected(space)
    names = [parameter.name for parameter in space.parameters]
    every = itertools.product(*(parameter.values for parameter in space.parameters))
    networks = {projection.candidate(dict(zip(names, values, strict=True))) for values in every}
    count = candidates(projection)
    assert (count.method, count.value) == ("exact", len(networks))
    assert count.value <= shapes(space).value


def test_candidates_of_a_large_space_are_estimated(monkeypatch):
    projection = projected(tiny_space())
    exact = candidates(projection).value
    monkeypatch.setattr("edgenext_search.arch.size.MOST_PROJECTIONS", 0)
    estimates = [candidates(projection, samples=150, seed=seed) for seed in range(20)]
    assert all(estimate.method == "chao1" and estimate.samples == 150 for estimate in estimates)
    assert sum(estimate.low <= exact for estimate in estimates) >= 18
    assert all(estimate.value <= assignments(projection.space) for estimate in estimates)
    assert estimates[0] == candidates(projection, samples=150, seed=0)
    assert len({estimate.value for estimate in estimates}) > 1


def test_continuous_ratios_are_estimated():
    stages = [{"depth": 1}, {"depth": 1, "width_ratio": {"min": 1.0, "max": 1.5}}, {"depth": 1}, {"depth": 1}]
    projection = projected(Space.from_dict({"name": "x", "stages": stages}))
    count = candidates(projection, samples=500)
    assert shapes(projection.space).value == 1
    assert 1 < count.value < 200  # widths are multiples of 8
    assert count.low <= count.value <= count.high
