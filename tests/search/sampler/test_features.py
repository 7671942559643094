import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import assignments

from edgenext_search.arch.spaces.parameter import Choice, Interval
from edgenext_search.arch.spaces.space import Space
from edgenext_search.search.sampler.features import CURVATURE, REACH, Features

EDGENEXT, PAPER = Space.load("edgenext"), Space.load("paper")


class Toy:
    """Parameters of every kind."""

    parameters = (
        Choice(name="stage1.depth", values=(1, 2, 4)),
        Choice(name="stage2.flag", values=(True, False)),
        Choice(name="stage3.norm", values=("a", "b", "c", "d")),
        Choice(name="stage4.heads", values=((4, 4), (8, 8))),
        Choice(name="stage4.odd", values=(4, 2, 3)),
        Choice(name="stage4.zero", values=(0, 1, 2, 3)),
        Interval(name="stage5.ratio", low=1.0, high=3.0),
    )


@given(assignments(EDGENEXT))
def test_codes_go_back_and_forth(values):
    back = Features(EDGENEXT).assignment(Features(EDGENEXT).codes([values])[0])
    for parameter in EDGENEXT.parameters:
        near = pytest.approx(values[parameter.name]) if isinstance(parameter, Interval) else values[parameter.name]
        assert back[parameter.name] == near
        parameter.check(back[parameter.name])


@given(assignments(PAPER))
def test_codes_of_choices_for_all_stages_go_back_and_forth(values):
    assert Features(PAPER).assignment(Features(PAPER).codes([values])[0]) == values


def test_columns_are_centred_and_scaled_over_uniform_codes():
    features = Features(Toy())
    codes = features.random(200_000, np.random.default_rng(0))
    columns = features.columns(codes)
    assert columns.mean(axis=0) == pytest.approx(0, abs=0.02)
    variance = columns.var(axis=0)
    assert np.isclose(variance, 1, atol=0.02)[features.owner == 0].tolist() == [True, False]
    assert variance[1] == pytest.approx(CURVATURE, rel=0.05)
    assert features.owner.tolist() == [0, 0, 1, 2, 2, 2, 3, 4, 4, 5, 5, 6, 6]
    assert features.linear.tolist() == [True, False, *[True] * 8, False, True, False]


def test_unordered_values_are_equally_far_apart():
    features = Features(Toy())
    codes = np.zeros((4, len(Toy.parameters)))
    codes[:, 2] = range(4)
    points = features.columns(codes)[:, features.owner == 2]
    distances = {round(float(np.linalg.norm(a - b)), 9) for a in points for b in points if a is not b}
    assert len(distances - {0.0}) == 1


def test_positive_numbers_count_by_ratio():
    features = Features(Toy())
    codes = np.zeros((3, len(Toy.parameters)))
    codes[:, 0] = range(3)  # 1, 2, 4
    line = features.columns(codes)[:, 0]
    assert line[1] - line[0] == pytest.approx(line[2] - line[1])


@given(st.integers(0, 2**32 - 1), st.floats(0, 5))
def test_neighbours_differ_and_lie_in_the_space(seed, extra):
    features, rng = Features(Toy()), np.random.default_rng(seed)
    codes = features.random(20, rng)
    varied = features.varied(codes, rng, extra=extra)
    assert varied.shape == codes.shape
    assert ((varied != codes).sum(axis=1) >= 1).all()
    for row in varied:
        for parameter, value in features.assignment(row).items():
            {p.name: p for p in Toy.parameters}[parameter].check(value)


def test_a_space_without_parameters():
    class Empty:
        parameters = ()

    features = Features(Empty())
    assert features.codes([{}, {}]).shape == (2, 0)
    assert features.columns(np.empty((2, 0))).shape == (2, 0)
    assert features.assignment(features.random(1, np.random.default_rng(0))[0]) == {}


def test_a_field_is_alike_over_the_stages():
    features = Features(EDGENEXT)
    names = [EDGENEXT.parameters[owner].name for owner in features.owner]
    second, third, fourth = (names.index(f"stage{stage}.depth") for stage in (2, 3, 4))
    assert features.alike[second, third] == pytest.approx(np.exp(-1 / REACH))
    assert features.alike[second, fourth] == pytest.approx(np.exp(-2 / REACH))
    assert features.alike[second + 1, third + 1] == features.alike[second, third]  # the curvatures
    assert not features.alike[second, third + 1]
    assert not features.alike[second, names.index("stage2.kernel_size")]
    assert (features.alike.diagonal() == 1).all()
    assert np.linalg.eigvalsh(features.alike).min() > 0


def test_what_has_no_order_is_like_itself_alone():
    features = Features(Toy())
    assert (features.alike == np.eye(len(features.owner))).all()
