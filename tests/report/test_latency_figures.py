"""The figures of measured latency."""

from __future__ import annotations

import pytest

from edgenext_search.report.latency_figures import latency_figures

from .builders import a_latency, a_summary, some_trials

TRIALS = some_trials(24)


def test_predicted_against_measured_with_its_bands():
    summary, trials = a_latency(TRIALS, passed=2)
    figure = latency_figures(trials, summary)["fig-latency-predicted"]
    shown = figure.named()
    assert set(shown) == {"within 10 %", "within 5 %", "as predicted", "holds the cap", "exceeds the cap"}
    band = shown["within 5 %"]
    assert [high / x for high, x in zip(band.high, band.x, strict=True)] == pytest.approx([1.05, 1.05])
    points = shown["holds the cap"]
    assert [y / x for x, y in zip(points.x, points.y, strict=True)] == pytest.approx([1.04, 1.04])
    assert [trials[row].number for row in points.rows] == [row["trial"] for row in summary["finalists"][:2]]


def test_accuracy_against_measured_latency_has_the_cap():
    summary, trials = a_latency(TRIALS)
    figure = latency_figures(trials, summary)["fig-latency-accuracy"]
    assert figure.marks == ((10.0, "cap 10 ms"),)
    assert "board" in figure.x_label


def test_nothing_measured_nothing_drawn():
    assert latency_figures(TRIALS, a_summary(TRIALS)) == {}
    summary, trials = a_latency(TRIALS, cap=None)
    assert latency_figures(trials, summary)["fig-latency-accuracy"].marks == ()
