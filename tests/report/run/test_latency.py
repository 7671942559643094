"""What the device found of the finalists."""

import pytest

from edgenext_search.report.document import plain
from edgenext_search.report.run.latency import (
    LatencyVerdict,
    latency_conditions,
    latency_section,
    latency_sentences,
    latency_table,
    latency_verdict,
    none_holds,
    short_latency,
)

from ..builders import a_finalist, a_latency, a_measurement, a_summary, a_trial, changed, some_trials

TRIALS = some_trials(24)
SUMMARY, TIMED = a_latency(TRIALS)


def a_row(**changes):
    return a_finalist(a_trial(0), mean=0.5, **changes)


@pytest.mark.parametrize(
    ("changes", "verdict", "short"),
    [
        ({"measured": a_measurement(8_912)}, LatencyVerdict.HOLDS, "8.91 ms pass"),
        ({"measured": a_measurement(8_912, verdict="fail")}, LatencyVerdict.EXCEEDS, "8.91 ms fail"),
        ({"measured": a_measurement(8_912, verdict="undecided")}, LatencyVerdict.UNDECIDED, "8.91 ms undecided"),
        ({"measured": a_measurement(8_912, verdict=None)}, LatencyVerdict.NO_CAP, "8.91 ms"),
        ({"latency": 8_500}, LatencyVerdict.PREDICTED, "~8.50 ms"),
        ({}, LatencyVerdict.NOT_KNOWN, ""),
    ],
)
def test_truth_table(changes, verdict, short):
    assert latency_verdict(a_row(**changes)) is verdict
    assert short_latency(a_row(**changes)) == short
    summary = a_latency(TRIALS)[0].model_copy(update={"winner": a_row(**changes), "baseline": None})
    (said,) = latency_sentences(summary)
    assert "board" in said


def test_nothing_is_said_where_latency_was_not_asked_for():
    summary = a_summary(TRIALS)
    assert latency_sentences(summary) == ()
    assert none_holds(summary) is None
    assert latency_section(summary, TRIALS) is None
    assert latency_conditions(summary) == ""


def test_the_winner_is_compared_with_the_baseline():
    faster = changed(SUMMARY, SUMMARY.winner, measured=a_measurement(8_000))
    faster = changed(faster, faster.baseline, measured=a_measurement(10_000))
    assert latency_sentences(faster)[1].startswith("It takes 0.80 of the baseline’s time (at least 0.7")
    assert latency_sentences(SUMMARY)[1].startswith("Against the baseline no difference in time is shown: ")
    assert len(latency_sentences(changed(faster, faster.baseline, measured=None))) == 1


def test_one_candidate_that_does_not_hold_the_cap():
    summary, _ = a_latency(TRIALS, passed=0)
    one = summary.model_copy(update={"latency": summary.latency.model_copy(update={"measured": 1})})
    assert none_holds(one) == "The only candidate measured does not hold 10ms on board."
    assert none_holds(SUMMARY) is None


def test_rows_say_how_far_off_the_prediction_was():
    cells = latency_table(SUMMARY).rows[0].cells
    assert cells[3].text == "−3.8 %"
    assert (cells[-1].text, cells[-1].tone) == ("holds the cap", "good")
    unmeasured = changed(SUMMARY, SUMMARY.winner, measured=None)
    assert latency_table(unmeasured).rows[0].cells[-1].text == "not measured"


def test_conditions_have_margin_and_predictor():
    measured = SUMMARY.winner.measured
    slow = measured.model_copy(update={"conditions": measured.conditions.model_copy(update={"slower": 1.5})})
    text = latency_conditions(changed(SUMMARY, SUMMARY.winner, measured=slow))
    for part in (
        "Measured by onnxruntime 1.20, 1 thread.",
        "1.50 times as slow",
        "(1.050)",
        "On 100 networks",
        "2.0 %",
    ):
        assert part in text


def test_figures_are_of_the_measured_finalists():
    section = latency_section(SUMMARY, TIMED)
    figures = {figure.identifier: figure.plot for figure in section.blocks[1].blocks}
    assert set(figures) == {"fig-latency-accuracy", "fig-latency-predicted"}
    (points,) = figures["fig-latency-accuracy"].series
    assert (points.name, len(points.x)) == ("holds the cap", len(SUMMARY.finalists))
    assert figures["fig-latency-accuracy"].marks == ((10.0, "cap 10ms"),)
    band = figures["fig-latency-predicted"].named()["within 10 %"]
    assert band.low[0] == pytest.approx(0.9 * band.x[0])
    assert any("holds the cap of 10ms" in plain(paragraph.text) for paragraph in section.blocks[0].blocks)
