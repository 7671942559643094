import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenext_search.errors import UserError
from edgenext_search.scaling.law import GENERAL, IMAGENET, PRIORS, fit_law, law_text, quantiles

COSTS = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0]


def points(a=9.0, b=0.55, c=14.0, costs=COSTS):
    return costs, [a * cost**-b + c for cost in costs]


@pytest.mark.parametrize("prior", PRIORS.values(), ids=PRIORS)
def test_a_member_of_an_exact_law_is_predicted(prior):
    costs, errors = points()
    law = fit_law(costs[:-1], errors[:-1], prior)
    found = law.predict(costs[-1])
    assert found.value == pytest.approx(errors[-1], abs=0.25)
    assert found.low < errors[-1] < found.high


def test_the_parameters_are_those_of_a_law_near_the_points():
    costs, errors = points()
    found = fit_law(costs, errors, IMAGENET).parameters
    assert found["b"] == pytest.approx(0.55, rel=0.3)
    assert 10 < found["c"] < 16
    for cost, error in zip(costs, errors, strict=True):
        assert found["a"] * cost ** -found["b"] + found["c"] == pytest.approx(error, abs=0.5)
    assert law_text({"a": 12.3, "b": 0.45, "c": 15.1}) == "12.3 C^-0.450 + 15.10"


@given(scale=st.floats(0.2, 3.0), unit=st.floats(1e-6, 1e6))
def test_the_general_prior_knows_no_scale_and_no_prior_knows_units(scale, unit):
    costs, errors = points(a=4.0, c=8.0)
    law = fit_law(costs[:4], errors[:4]).predict(8.0)
    same = fit_law([unit * cost for cost in costs[:4]], [scale * error for error in errors[:4]]).predict(8.0 * unit)
    for name in ("low", "value", "high"):
        assert getattr(same, name) == pytest.approx(scale * getattr(law, name), rel=1e-6)


@given(st.permutations(range(5)))
def test_the_order_of_members_does_not_matter(order):
    costs, errors = points(costs=COSTS[:5])
    law = fit_law([costs[i] for i in order], [errors[i] for i in order], IMAGENET)
    assert law.predict(8.0) == fit_law(costs, errors, IMAGENET).predict(8.0)


def test_intervals_widen_with_the_distance_and_nest_in_confidence():
    law = fit_law(*points(costs=COSTS[:4]))
    widths = [(found := law.predict(cost)).high - found.low for cost in (3.0, 6.0, 30.0, 300.0)]
    assert widths == sorted(widths)
    half, most = law.predict(8.0, confidence=0.5), law.predict(8.0, confidence=0.99)
    assert most.low < half.low < half.value < half.high < most.high


@pytest.mark.parametrize("prior", PRIORS.values(), ids=PRIORS)
@pytest.mark.parametrize(
    ("costs", "errors"),
    [
        ([1.0], [25.0]),
        ([1.0, 1.0], [25.0, 24.0]),
        ([1.0, 1.0001, 1.0002], [25.0, 20.0, 24.0]),
        ([1.0, 2.0, 4.0], [20.0, 21.0, 22.0]),
        ([1.0, 2.0, 4.0], [20.0, 20.0, 20.0]),
        ([1e-9, 1.0, 1e9], [99.9, 50.0, 0.01]),
        ([0.05, 0.1], [42.1, 34.7]),
    ],
    ids=["one", "equal costs", "near costs", "worse with size", "flat", "extremes", "two"],
)
def test_odd_families_have_finite_predictions(prior, costs, errors):
    law = fit_law(costs, errors, prior)
    found = law.predict(3 * max(costs))
    assert all(map(math.isfinite, (found.low, found.value, found.high, *law.parameters.values())))
    assert found.low < found.value < found.high
    assert law.weights.sum() == pytest.approx(1.0)
    assert found.value < max(errors) + 1


def test_a_family_that_got_worse_with_size_is_not_predicted_to_gain_much():
    found = fit_law([1.0, 2.0, 4.0], [20.0, 21.0, 22.0], IMAGENET).predict(8.0)
    assert found.value > 18


@pytest.mark.parametrize(
    ("costs", "errors", "message"),
    [
        ([], [], "costs > 0"),
        ([1.0, 0.0], [20.0, 10.0], r"costs > 0, but got \[0.0, 1.0\]"),
        ([1.0, math.nan], [20.0, 10.0], "costs > 0"),
        ([1.0], [0.0], "between 0 and 100"),
        ([1.0], [100.0], "between 0 and 100"),
    ],
)
def test_points_that_no_law_has_are_refused(costs, errors, message):
    with pytest.raises(UserError, match=message):
        fit_law(costs, errors)


def test_quantiles_of_one_normal_distribution():
    found = quantiles(np.ones(1), np.array([2.0]), np.array([0.5]), (0.05, 0.5, 0.95))
    assert found == pytest.approx([2 - 0.5 * 1.6449, 2, 2 + 0.5 * 1.6449], abs=1e-3)


def test_the_general_prior_says_nothing_of_levels():
    assert (GENERAL.elasticity_level, GENERAL.floor_level, GENERAL.noise_power) == (0.0, 0.0, 1.0)
