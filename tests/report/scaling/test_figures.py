"""The figures of scaling studies show what the results say."""

import json

import pytest

from edgenext_search.report.scaling.figures import distribution_figure, law_figure

from .builders import a_comparison, a_study

STUDY, SPACES = a_study(missing=(2,)), a_comparison()


@pytest.fixture
def law():
    return law_figure(STUDY, STUDY.laws[0])


def test_medians_and_predictions_are_those_of_the_law(law):
    shown, found = law.named(), STUDY.laws[0]
    assert list(shown["median of the shapes"].y) == [point.error for point in found.points]
    following = shown["next size: 90 % interval"]
    assert (following.x[0], following.y[0]) == (pytest.approx(found.next.cost / 1e6), found.next.predicted)
    assert (following.low[0], following.high[0]) == (found.next.low, found.next.high)
    assert shown["largest, from the others: 90 % interval"].x[0] == pytest.approx(1.015 * found.largest.cost / 1e6)
    assert law.x_log


def test_the_curve_goes_from_the_smallest_size_to_the_next(law):
    curve, found = law.named()["law"], STUDY.laws[0]
    assert curve.x[0] == pytest.approx(found.points[0].cost / 1e6)
    assert curve.x[-1] == pytest.approx(found.next.cost / 1e6)
    a, b, c = (found.law.a.value, found.law.b.value, found.law.c.value)
    assert curve.y[0] == pytest.approx(a * found.points[0].cost ** -b + c)


def test_shapes_are_joined_and_those_without_a_score_left_out(law):
    line, points = (series for series in law.series if series.name == "one shape")
    assert len(points.x) == 14
    assert sum(y is None for y in line.y) == 4
    assert not line.legend


def test_distributions_begin_at_nothing_and_end_at_all():
    figure = distribution_figure(SPACES, SPACES.comparison)
    for name in ("edgenext", "paper"):
        line, band = figure.named()[f"{name}, n = 5"], figure.named()[f"{name}: 95 % band"]
        assert (line.y[0], line.y[-1]) == (0, 100)
        assert len(line.notes) == len(line.x)
        assert line.style.color == band.style.color
        assert all(low <= high for low, high in zip(band.low, band.high, strict=True))


def test_both_are_json(law):
    for plot in (law, distribution_figure(SPACES, SPACES.comparison)):
        json.dumps(plot.to_dict(), allow_nan=False)
