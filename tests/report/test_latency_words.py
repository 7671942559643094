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
    ratio = summary["winner"]["measured"]["p50"] / summary["baseline"]["measured"]["p50"]
    assert said[1].startswith(
        f"Against the baseline no difference in time is shown: {ratio:.2f} of the baseline’s time (at least "  # noqa: RUF001
    )
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


def test_a_difference_to_the_baseline():
    summary, _ = a_latency(TRIALS)
    summary["winner"]["measured"] = a_measurement(8_000)
    summary["baseline"]["measured"] = a_measurement(10_000)
    assert latency_sentences(summary)[1].startswith("It takes 0.80 of the baseline’s time (at least 0.7")  # noqa: RUF001
    summary["baseline"]["measured"] = None
    assert len(latency_sentences(summary)) == 1


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
    summary, _ = a_latency(TRIALS)
    next(row for row in summary["finalists"] if row["measured"])["measured"]["conditions"]["slower"] = 1.5
    text = latency_conditions(summary)
    assert "Measured by onnxruntime 1.20, 1 thread." in text
    assert "it was 1.50 times as slow when it was measured" in text
    assert "(1.050)" in text
    assert "Of 100 networks that the profile had not seen, predictions were off by 2.0 % in the mean" in text


@pytest.mark.parametrize("width", [60, 300])
def test_the_terminal_has_a_column(width):
    from rich.console import Console

    summary, _ = a_latency(TRIALS)
    console = Console(width=width, record=True, file=__import__("io").StringIO())
    print_summary(summary, console)
    text = console.export_text()
    assert "ms pass" in text
    assert "atency" in text
