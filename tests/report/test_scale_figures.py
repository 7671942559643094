"""Figures of scaling studies: what is drawn is what the summary says."""

from __future__ import annotations

import json

import pytest

from edgenext_search.report.plot import COLORS
from edgenext_search.report.scale_figures import distribution_figure, law_figure

FIDELITY = {"img_size": 32, "epochs": 4, "train_images": 4000, "val_images": 2000}
DEPLOYMENT = {"num_classes": 10, "img_size": 64}
SIZES = (40_000, 60_000, 120_000)


def a_row(shape, size, mean):
    stages = {"widths": [8, 16, 24, 32], "depths": [1, 1, 2, 1]}
    return {
        "shape": shape, "budget": {"params": size}, "fingerprint": f"s{shape}", "candidate": stages, "params": size,
        "scores": [] if mean is None else [mean], "mean": mean,
    }  # fmt: skip


def a_law():
    points = [{"cost": float(size), "error": 40.0 - place} for place, size in enumerate(SIZES)]
    grid = [40e3, 90e3, 240e3]
    return {
        "cost": "params",
        "law": {key: {"value": value, "low": value, "high": value} for key, value in (("a", 90), ("b", 0.1), ("c", 5))},
        "points": points,
        "band": [{"cost": cost, "low": 30.0, "high": 42.0} for cost in grid],
        "largest": {"cost": 120e3, "predicted": 38.2, "low": 36.0, "high": 41.0, "actual": 38.0, "covered": True},
        "next": {"cost": 240e3, "predicted": 36.5, "low": 30.0, "high": 42.0},
    }


def a_study():
    rows = [a_row(shape, size, 0.6 + 0.01 * shape) for size in SIZES for shape in range(3)]
    rows[-1] = a_row(2, SIZES[-1], None)
    budgets = [{"params": size} for size in SIZES]
    return {"n": 2, "budgets": budgets, "candidates": rows, "fidelity": FIDELITY, "deployment": DEPLOYMENT}


def a_space(name, errors):
    count = len(errors)
    edf = [
        {"error": error, "share": (at + 1) / count, "low": at / count, "high": min((at + 2) / count, 1.0)}
        for at, error in enumerate(errors)
    ]
    return {"name": name, "n": count, "edf": edf}


@pytest.fixture
def law():
    return law_figure(a_study(), a_law())


@pytest.fixture
def spaces():
    both = [a_space("edgenext", [20.0, 22.0, 25.0]), a_space("mine", [30.0])]
    return distribution_figure({"comparison": {"spaces": both}, "fidelity": FIDELITY})


def test_costs_are_logarithmic_and_said_with_their_conditions(law):
    assert law.x_log
    assert law.x_label.startswith("Parameters at 10 classes, M")
    assert all(at > 0 for series in law.series for at in series.x)


def test_a_line_joins_the_points_of_each_shape_alone(law):
    line, points = (series for series in law.series if series.name == "one shape")
    assert len(points.x) == len(points.notes) == 8
    assert [up for up in line.y if up is not None] == points.y
    assert sum(up is None for up in line.y) == 2
    assert [series.legend for series in (line, points)] == [False, True]


def test_medians_stand_where_the_law_was_fitted(law):
    medians = law.named()["median of the shapes"]
    assert medians.x == [0.04, 0.06, 0.12]
    assert medians.y == [40.0, 39.0, 38.0]
    assert "at 40k" in medians.notes[0]


def test_the_law_and_its_band_reach_the_next_size(law):
    named = law.named()
    curve, band = named["law"], named["law: 90 % interval"]
    assert (curve.x[0], curve.x[-1]) == (pytest.approx(0.04), pytest.approx(0.24))
    assert curve.y[-1] == pytest.approx(90 * 240e3**-0.1 + 5)
    assert (band.x[0], band.x[-1]) == (0.04, 0.24)
    after = named["next size: 90 % interval"]
    assert (after.x, after.y) == ([0.24], [36.5])
    assert (after.low[0], after.high[0]) == (band.low[-1], band.high[-1])


def test_the_largest_size_is_drawn_beside_what_was_measured(law):
    largest = law.named()["largest, from the others: 90 % interval"]
    assert 0.12 < largest.x[0] < 0.125
    assert "38.20 % (36.00 to 41.00)" in largest.notes[0]


def test_distributions_begin_at_nothing_and_end_at_all(spaces):
    for name in ("edgenext, n = 3", "mine, n = 1"):
        line = spaces.named()[name]
        assert (line.y[0], line.y[-1]) == (0, 100)
        assert line.x[0] == line.x[1]
        assert len(line.notes) == len(line.x)


def test_the_band_is_a_step_function_as_the_line_is(spaces):
    band = spaces.named()["edgenext: 95 % band"]
    assert band.x == [20, 22, 22, 25, 25]
    assert band.low == pytest.approx([0, 0, 100 / 3, 100 / 3, 200 / 3])
    assert band.high == pytest.approx([200 / 3, 200 / 3, 100, 100, 100])
    assert len(spaces.named()["mine: 95 % band"].x) == 1


def test_spaces_differ_in_colour_and_a_space_has_its_own_band(spaces):
    colors = {series.name.partition(":")[0].partition(",")[0]: series.style.color for series in spaces.series}
    assert len(set(colors.values())) == 2
    assert set(colors.values()) <= set(COLORS)


def test_both_are_json(law, spaces):
    for plot in (law, spaces):
        json.dumps(plot.to_dict(), allow_nan=False)
