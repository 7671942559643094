import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeded

from edgenext_search.latency.profile.prediction_error import PredictionErrors, prediction_errors

times = st.lists(st.floats(1.0, 1e6), min_size=3, max_size=40)


def test_errors_by_hand():
    found = prediction_errors([104.0, 100.0, 92.0, 112.0], [100.0, 100.0, 100.0, 100.0])
    assert found.mean_error == pytest.approx(0.06)
    assert (found.within_5, found.within_10, found.n) == (0.5, 0.75, 4)
    assert found.bias == pytest.approx(0.02)


def test_perfect_predictions():
    found = prediction_errors([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert (found.mean_error, found.within_5, found.spearman, found.margin) == (0, 1, pytest.approx(1), 1)
    assert found.low == found.high == 1


@given(predicted=times, factor=st.floats(1.0, 3.0))
def test_predictions_that_are_too_low_need_that_margin(predicted, factor):
    found = prediction_errors(predicted, [factor * value for value in predicted])
    assert found.margin == pytest.approx(factor)
    assert found.low == pytest.approx(found.high)


@given(predicted=times, seed=st.integers(0, 100))
def test_the_interval_contains_the_margin_and_survives_json(predicted, seed):
    rng = seeded(seed)
    found = prediction_errors(predicted, [value * rng.uniform(0.8, 1.2) for value in predicted])
    assert found.low <= found.high
    assert found.margin >= 1
    assert found.high >= found.margin or found.margin == 1
    assert PredictionErrors.read(found.to_dict(), where="") == found


@pytest.mark.parametrize("n", [24, 200])
def test_the_interval_keeps_its_promise_for_new_models(n):
    """Of log-normal errors; the wider for few models, whose own spread is uncertain."""
    rng = seeded(0)
    inside, below, rounds = 0, 0, 400
    for _ in range(rounds):
        found = prediction_errors([1.0] * n, [math.exp(rng.gauss(0.01, 0.03)) for _ in range(n)])
        new = math.exp(rng.gauss(0.01, 0.03))
        inside += found.low <= new <= found.high
        below += new <= found.margin
    assert inside / rounds == pytest.approx(0.95, abs=0.035)
    assert below / rounds == pytest.approx(0.95, abs=0.035)


@pytest.mark.parametrize(
    ("predicted", "measured", "expected"),
    [([1, 2, 3], [10, 20, 30], 1), ([1, 2, 3], [30, 20, 10], -1), ([1, 2, 2], [5, 7, 7], 1), ([2, 2, 2], [1, 2, 3], 0)],
)
def test_rank_correlation(predicted, measured, expected):
    assert prediction_errors(predicted, measured).spearman == pytest.approx(expected)
