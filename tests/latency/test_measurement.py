import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenext_search.errors import UserError
from edgenext_search.latency.measurement import Conditions, Measurement, MeasureSettings

GOOD = {"p50": 10.0, "p90": 12.0, "min": 9.0, "low": 9.5, "high": 10.5, "n": 100}


def measured(**values):
    return Measurement(**{**GOOD, **values})


@pytest.mark.parametrize(
    ("cap", "verdict"),
    [(10.6, "pass"), (10.5, "pass"), (10.4, "undecided"), (10.0, "undecided"), (9.5, "undecided"), (9.4, "fail")],
)
def test_the_verdict(cap, verdict):
    #        low      p50      high
    # fail  | undecided        | pass
    assert measured().verdict_at(cap) == verdict


def test_more_confidence_decides_less():
    assert measured().verdict_at(10.51, confidence=0.95) == "pass"
    assert measured().verdict_at(10.51, confidence=0.99) == "undecided"
    assert measured().verdict_at(10.45, confidence=0.8) == "pass"
    assert measured().verdict_at(9.49, confidence=0.99) == "undecided"


def test_few_runs_decide_nothing():
    assert measured(n=5).verdict_at(1000) == "undecided"
    assert measured(n=5).verdict_at(1) == "undecided"
    assert measured(n=6).verdict_at(1000) == "pass"


@given(st.lists(st.floats(1e-3, 1e9), min_size=6, max_size=6), st.floats(1e-3, 1e9), st.floats(1e-3, 1e9))
def test_a_higher_cap_is_kept_where_a_lower_one_is(values, cap, other):
    low, high = sorted((cap, other))
    ends = sorted(values)
    one = Measurement(min=ends[0], low=ends[1], p50=ends[2], high=ends[3], p90=ends[4], n=50)
    order = ["fail", "undecided", "pass"]
    assert order.index(one.verdict_at(low)) <= order.index(one.verdict_at(high))


def test_there_and_back_through_json():
    full = measured(
        drift=-0.1,
        ratio=2.0,
        ratio_low=1.9,
        ratio_high=2.1,
        reference_p50=5.0,
        conditions=Conditions(threads=1, load=None),
    )
    assert Measurement.read(json.loads(json.dumps(full.to_dict())), where="") == full
    assert Measurement.read({**full.to_dict(), "of a later version": 1}, where="") == full
    assert full.to_dict()["conditions"] == {"threads": 1, "load": None}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"p50": -1.0}, "p50: must be greater than 0, but got -1.0"),
        ({"p90": float("inf")}, "p90: must be a finite number"),
        ({"min": float("nan")}, "min: must be a finite number"),
        ({"high": "10"}, "high: must be a valid number, but got '10'"),
        ({"low": None}, "low: must be a valid number, but got None"),
        ({"low": True}, "low: must be a valid number"),
        ({"n": 0}, "n: must be greater than or equal to 1, but got 0"),
        ({"n": 2.5}, "n: must be a valid integer"),
        ({"drift": None}, "drift: must be a valid number"),
        ({"conditions": []}, "conditions: must be"),
        ({"low": 10.1}, "min <= low <= p50 <= high"),
        ({"min": 9.6}, "min <= low"),
        ({"p90": 9.9}, "p50 <= p90"),
        ({"ratio": 1.0, "ratio_low": 0.9}, "go together"),
        ({"ratio": 1.0, "ratio_low": 1.1, "ratio_high": 1.2}, "ratio_low <= ratio <= ratio_high"),
        ({"ratio_low": 1.1, "ratio_high": 1.2}, "ratio_low <= ratio <= ratio_high"),
    ],
)
def test_what_is_no_measurement(values, message):
    with pytest.raises(UserError, match=message):
        Measurement.read({**GOOD, **values}, where="board")


def test_a_value_that_is_missing():
    with pytest.raises(UserError, match=r"board: p90: the key is missing \(also wrong: n\)"):
        Measurement.read({key: GOOD[key] for key in GOOD if key not in ("n", "p90")}, where="board")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"precision": 0.0}, "precision must be above 0"),
        ({"precision": 1.0}, "below 1"),
        ({"seconds": 0}, "seconds must be above 0"),
        ({"seconds": float("nan")}, "seconds must be above 0"),
        ({"warmup_seconds": 11}, r"warmup_seconds must lie in \[0, seconds = 10.0\], but got 11"),
        ({"min_runs": 0}, "min_runs must be >= 1"),
        ({"precise": "mean"}, "precise must be median or ratio, but got 'mean'"),
    ],
)
def test_settings_that_cannot_be(values, message):
    with pytest.raises(UserError, match=message):
        MeasureSettings(**values)


def test_a_measurement_at_another_speed():
    seen = Measurement(
        p50=20.0, p90=30.0, min=15.0, low=18.0, high=25.0, n=50,
        ratio=2.0, ratio_low=1.9, ratio_high=2.1, reference_p50=10.0,
    )  # fmt: skip
    found = seen.at_speed(5.0)
    assert (found.p50, found.low, found.high, found.min, found.p90) == (10.0, 9.5, 10.5, 7.5, 15.0)
    assert found.conditions.to_dict() == {"seen_p50": 20.0, "slower": 2.0}
    assert seen.model_copy(update={"ratio": None, "ratio_low": None, "ratio_high": None}).at_speed(5.0).p50 == 20.0
