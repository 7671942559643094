"""What the device said, in words."""

from __future__ import annotations

import pytest

from edgenext_search.report.latency_words import (
    latency_conditions,
    latency_rows,
    latency_sentences,
    none_holds,
    refusal,
    short_latency,
)
from edgenext_search.report.terminal import print_summary
from edgenext_search.report.verdict import verdict_sentences

from .builders import a_latency, a_measurement, a_summary, some_trials

TRIALS = some_trials(24)


def test_nothing_is_said_where_latency_was_not_asked_for():
    assert latency_sentences(a_summary(TRIALS)) == ()
    assert refusal(a_summary(TRIALS)) is None


def test_a_winner_that_holds_the_cap():
    summary, _ = a_latency(TRIALS)
    time = summary["winner"]["measured"]["p50"] / 1000
    said = latency_sentences(summary)
    assert said[0].startswith(f"On board it takes {time:.2f} ms (")
    assert said[0].endswith("n = 312): it holds the cap of 10 ms.")
    assert said[1] == "It takes 0.90 of the baseline’s time (0.88 to 0.92, taken in turns)."  # noqa: RUF001
    assert verdict_sentences(summary)[-2:] == said


def test_where_none_holds_the_cap_that_is_the_answer():
    summary, _ = a_latency(TRIALS, passed=0)
    assert none_holds(summary)
    answer, accuracy, *_ = verdict_sentences(summary)
    assert answer == f"None of the {len(summary['finalists'])} candidates measured holds 10 ms on board."
    assert accuracy.startswith("By accuracy alone, ")
    summary["latency"]["measured"] = 1
    assert refusal(summary) == "The only candidate that was measured does not hold 10 ms on board."


@pytest.mark.parametrize(
    ("verdict", "words"),
    [("fail", "exceeds the cap of 10 ms"), ("undecided", "whether it holds the cap of 10 ms is undecided")],
)
def test_other_verdicts(verdict, words):
    summary, _ = a_latency(TRIALS)
    summary["winner"]["measured"]["verdict"] = verdict
    assert words in latency_sentences(summary)[0]


def test_without_a_cap_there_is_no_verdict():
    summary, _ = a_latency(TRIALS, cap=None)
    assert latency_sentences(summary)[0].endswith("n = 312).")
    assert not none_holds(summary)


def test_a_winner_that_was_not_measured():
    summary, _ = a_latency(TRIALS)
    summary["winner"]["measured"] = None
    (said,) = latency_sentences(summary)
    assert "is predicted, not measured: " in said
    assert said.endswith("under a cap of 10 ms.")


def test_no_difference_to_the_baseline():
    summary, _ = a_latency(TRIALS)
    summary["winner"]["measured"] = a_measurement(9_000, ratio=1.01)
    assert latency_sentences(summary)[1].startswith("Against the baseline no difference in time is shown: 1.01")


def test_rows_say_how_far_off_the_prediction_was():
    summary, _ = a_latency(TRIALS)
    (row, cells), *_ = latency_rows(summary)
    assert cells[2] == "−3.8 %"  # noqa: RUF001
    assert cells[-1] == "holds the cap"
    row["measured"] = None
    assert latency_rows(summary)[0][1][-1] == "not measured"


def test_short():
    assert short_latency({"measured": a_measurement(8_912)}) == "8.91 ms pass"
    assert short_latency({"measured": a_measurement(8_912, verdict=None)}) == "8.91 ms"
    assert short_latency({"latency": 8_500}) == "~8.50 ms"
    assert short_latency({}) == ""


def test_conditions_have_margin_and_predictor():
    text = latency_conditions(a_latency(TRIALS)[0])
    assert "runtime onnxruntime" in text
    assert "(1.050)" in text
    assert "median_error 0.02" in text


@pytest.mark.parametrize("width", [60, 300])
def test_the_terminal_has_a_column(width):
    from rich.console import Console

    summary, _ = a_latency(TRIALS)
    console = Console(width=width, record=True, file=__import__("io").StringIO())
    print_summary(summary, console)
    text = console.export_text()
    assert "ms pass" in text
    assert "atency" in text
