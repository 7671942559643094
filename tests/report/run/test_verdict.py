"""The verdict says no more than the numbers do."""

import math

import pytest

from edgenext_search.report.run.verdict import Verdict, answer_and_qualifiers, front_sentences, verdict_of

from ..builders import a_finalist, a_latency, a_measurement, a_summary, a_trial, some_trials, unscored

BASELINE = a_finalist(a_trial(0, origin="edgenext_xx_small"), mean=0.66)
WINNER = a_finalist(a_trial(7), mean=0.71)
NAME = WINNER.fingerprint


def compared(gain, *, winner=WINNER, baseline=BASELINE, **changes):
    rows = [row for row in (winner, baseline) if row]
    return a_summary(winner=winner, baseline=baseline, finalists=rows, gain=gain, **changes)


def gain(mean, low, high, n=0):
    return {"mean": mean, "low": low, "high": high, "confidence": 0.95, "n": n}


def answer(summary):
    return answer_and_qualifiers(summary)[0]


@pytest.mark.parametrize(
    ("mean", "low", "high", "verdict", "says"),
    [
        (0.05, 0.01, 0.09, Verdict.BETTER, "beats the baseline, EdgeNeXt-XXS scaled to the budget, by 5.0 points"),
        (0.0004, 0.0001, 0.0007, Verdict.BETTER, "by 0.04 points"),
        (0.05, -0.01, 0.11, Verdict.INCONCLUSIVE, "scores 5.0 points of top-1 above the baseline"),
        (0.05, 0.0, 0.10, Verdict.INCONCLUSIVE, "above the baseline"),
        (-0.02, -0.06, 0.02, Verdict.INCONCLUSIVE, "2.0 points of top-1 below the baseline"),
        (0.0, -0.02, 0.02, Verdict.INCONCLUSIVE, "scores level with the baseline"),
        (-0.02, -0.03, -0.01, Verdict.WORSE, "2.0 points of top-1 below the baseline"),
        (0.05, None, None, Verdict.NO_INTERVAL, "above the baseline"),
        (0.05, math.nan, 0.1, Verdict.NO_INTERVAL, "above the baseline"),
        (math.nan, None, None, Verdict.NOT_COMPARABLE, "comes first"),
    ],
)
def test_truth_table_of_gains(mean, low, high, verdict, says):
    summary = compared(gain(mean, low, high))
    assert verdict_of(summary) is verdict
    assert answer(summary).startswith(f"Candidate {NAME} ")
    assert says in answer(summary)


@pytest.mark.parametrize(
    ("status", "trials", "verdict"),
    [
        ("running", {"pruned": 3}, Verdict.RUNNING),
        ("interrupted", {"complete": 4}, Verdict.INTERRUPTED),
        ("interrupted", {}, Verdict.INTERRUPTED),
        ("complete", {"failed": 8}, Verdict.ALL_FAILED),
        ("complete", {"pruned": 5, "failed": 1}, Verdict.NONE_COMPLETE),
    ],
)
def test_truth_table_without_winner(status, trials, verdict):
    summary = compared(None, winner=None, baseline=None, status=status, trials=trials)
    assert verdict_of(summary) is verdict
    assert answer(summary).startswith("No winner")


def test_the_baseline_wins_or_is_missing():
    assert verdict_of(compared(None, winner=BASELINE)) is Verdict.BASELINE
    assert "No candidate beat the baseline" in answer(compared(None, winner=BASELINE))
    assert verdict_of(compared(None, baseline=None)) is Verdict.NO_BASELINE


def test_an_interrupted_study_speaks_of_so_far():
    assert answer(compared(gain(0.05, 0.01, 0.09), status="interrupted")).startswith(f"So far, candidate {NAME} beats")


def test_a_winner_with_a_published_shape_is_named():
    winner = a_finalist(a_trial(1, origin="edgenext_x_small"), mean=0.7)
    assert answer(compared(gain(0.04, 0.01, 0.07), winner=winner)).startswith(
        f"EdgeNeXt-XS scaled to the budget ({winner.fingerprint}) beats"
    )


@pytest.mark.parametrize(
    ("n", "says"), [(5, "5 further seeds each)"), (1, "one further seed each)"), (0, "n = 3 seeds each)")]
)
def test_interval_and_seeds_are_said(n, says):
    text = answer(compared(gain(0.05, 0.01, 0.09, n)))
    assert "95 % interval +1.0 to +9.0 points" in text
    assert says in text


def test_scores_of_the_search_are_called_so():
    assert "(one seed each, in the search)." in answer(
        unscored(a_summary(some_trials(24))).model_copy(update={"gain": compared(gain(0.05, None, None)).gain})
    )


def test_where_none_holds_the_cap_that_is_the_answer():
    summary, _ = a_latency(some_trials(24), passed=0)
    first, accuracy, *_ = answer_and_qualifiers(summary)
    assert first == f"None of the {len(summary.finalists)} candidates measured holds 10ms on board."
    assert accuracy.startswith("By accuracy alone: ")


def test_a_front_is_said_in_plain_words():
    rows = [
        a_finalist(a_trial(7), mean=0.71, madds=260_576_008, latency=8_000, measured=a_measurement(9_120.0)),
        a_finalist(a_trial(0), mean=0.66, madds=180_000_000, latency=7_300),
    ]
    summary = compared(gain(0.05, 0.01, 0.09), objectives=["accuracy", "madds", "latency"], front=rows)
    first, one, two = front_sentences(summary)
    assert "2 of the 2 finalists are on the front of top-1, multiply-adds and latency" in first
    assert one.endswith("260.6M multiply-adds, 9.12 ms latency.")
    assert two.endswith("180.0M multiply-adds, 7.30 ms latency, predicted.")
    alone = compared(gain(0.05, 0.01, 0.09), objectives=["accuracy", "madds"], front=rows[:1])
    assert "at least as good as every other finalist" in front_sentences(alone)[0]
    assert front_sentences(a_summary()) == ()
