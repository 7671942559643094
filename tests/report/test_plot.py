"""Figures apart from what draws them."""

import json

from hypothesis import given
from hypothesis import strategies as st

from edgenext_search.report.plot import COLORS, FULL, RING, Plot, Series, early, run_color


@given(st.lists(st.floats() | st.none()))
def test_what_is_no_number_is_null_and_the_rest_is_near(values):
    written = Series(name="a", style=FULL, x=[0.0] * len(values), y=values).to_dict()["y"]
    json.dumps(written, allow_nan=False)
    for before, after in zip(values, written, strict=True):
        if after is None:
            assert before is None or not abs(before) < float("inf")
        else:
            assert abs(after - before) <= 1e-6 * abs(before)


def test_what_is_not_there_takes_no_space():
    assert set(Series(name="a", style=FULL, x=[], y=[]).to_dict()) == {"name", "style", "x", "y"}


def test_rungs_differ_in_shape_and_runs_in_colour():
    assert len({early(rung).shape for rung in range(4)}) == 4
    assert all(run_color(index) in COLORS for index in range(20))
    assert RING.color in COLORS


def test_series_by_name():
    one = Series(name="a", style=FULL, x=[], y=[])
    assert Plot(title="", x_label="", y_label="", series=[one]).named() == {"a": one}
