"""The verdict says no more than the numbers do."""

from __future__ import annotations

import math

import pytest

from edgenext_search.report.verdict import front_sentences, gain_of, is_established, verdict, verdict_sentences

from .builders import a_finalist, a_measurement, a_summary, a_trial

BASELINE = a_finalist(a_trial(0, origin="edgenext_xx_small"), mean=0.66)
WINNER = a_finalist(a_trial(7), mean=0.71)
NAME = WINNER["fingerprint"]
ON_FRONT = "are on the front of top-1 and MAdds: none is better in one without being worse in another"


def compared(gain, *, winner=WINNER, baseline=BASELINE, **changes):
    rows = [row for row in (winner, baseline) if row]
    return a_summary(winner=winner, baseline=baseline, finalists=rows, gain=gain, **changes)


def gain(mean, low, high):
    return {"mean": mean, "low": low, "high": high, "confidence": 0.95}


@pytest.mark.parametrize(
    ("mean", "low", "high", "says", "adds"),
    [
        (0.05, 0.01, 0.09, "beats the baseline, EdgeNeXt-XXS scaled to the budget, by 5.0 points of top-1", ""),
        (0.05, -0.01, 0.11, "scores 5.0 points of top-1 above the baseline", "The interval includes zero"),
        (0.05, 0.0, 0.10, "scores 5.0 points of top-1 above the baseline", "The interval includes zero"),
        (-0.02, -0.06, 0.02, "scores 2.0 points of top-1 below the baseline", "The interval includes zero"),
        (-0.02, -0.03, -0.01, "scores 2.0 points of top-1 below the baseline", "the baseline is the better choice"),
        (0.0, -0.02, 0.02, "scores level with the baseline", "The interval includes zero"),
        (0.0004, 0.0001, 0.0007, "beats the baseline, EdgeNeXt-XXS scaled to the budget, by 0.04 points", ""),
        (0.05, None, None, "scores 5.0 points of top-1 above the baseline", "Without more seeds there is no interval"),
        (0.05, math.nan, 0.1, "scores 5.0 points of top-1 above the baseline", "Without more seeds"),
    ],
)
def test_truth_table_of_gains(mean, low, high, says, adds):
    summary = compared(gain(mean, low, high))
    answer, *rest = verdict_sentences(summary)
    assert answer.startswith(f"Candidate {NAME} {says}")
    assert (adds in " ".join(rest)) if adds else not rest
    assert is_established(summary) == (not adds)
    assert ("not established" in " ".join(rest)) == (bool(rest) and "better choice" not in adds)


def test_interval_and_seeds_are_said():
    assert "(95% interval +1.0 to +9.0 points, n = 3 seeds each)." in verdict(compared(gain(0.05, 0.01, 0.09)))
    few = {**BASELINE, "score": {**BASELINE["score"], "n": 2}}
    assert "n = 3 seeds against 2" in verdict(compared(gain(0.05, 0.01, 0.09), baseline=few))


@pytest.mark.parametrize(
    ("n", "says"), [(5, "5 further seeds each)"), (1, "one further seed each)"), (0, "n = 3 seeds")]
)
def test_the_seeds_of_the_rematch_are_said(n, says):
    assert says in verdict(compared({**gain(0.05, 0.01, 0.09), "n": n}))


def test_without_a_gain_the_rematch_is_compared():
    rows = [{**row, "rematch": {"mean": mean, "std": 0.01, "n": 5}} for row, mean in ((WINNER, 0.69), (BASELINE, 0.67))]
    assert gain_of(compared(None, winner=rows[0], baseline=rows[1])) == pytest.approx(0.02)


def test_one_seed_each_establishes_nothing():
    rows = [{**row, "score": {**row["score"], "std": None, "n": 1}} for row in (WINNER, BASELINE)]
    text = verdict(compared(None, winner=rows[0], baseline=rows[1]))
    assert "5.0 points of top-1 above" in text
    assert "one seed each" in text
    assert "not established" in text


def test_scores_of_the_search_are_called_so():
    rows = [
        {**row, "score": {**row["score"], "std": None, "n": 1}, "fresh_seeds": 0, "search_score": row["score"]["mean"]}
        for row in (WINNER, BASELINE)
    ]
    assert "(one seed each, in the search)." in verdict(compared(None, winner=rows[0], baseline=rows[1]))
    assert "(fresh seeds against one of the search)." in verdict(compared(None, winner=WINNER, baseline=rows[1]))


def test_a_front_is_said_in_plain_words():
    rows = [
        {**WINNER, "madds": 260_576_008, "footprint": 2_097_152},
        {**BASELINE, "madds": 180_000_000, "footprint": 1_048_576},
    ]
    summary = compared(gain(0.05, 0.01, 0.09), objectives=["accuracy", "madds"], front=rows)
    assert front_sentences(summary) == (
        f"2 of the 2 finalists {ON_FRONT}.",
        f"Candidate {NAME}: 71.0 ± 1.2% (n = 3), 260.6M MAdds.",
        f"EdgeNeXt-XXS scaled to the budget ({BASELINE['fingerprint']}): 66.0 ± 1.2% (n = 3), 180.0M MAdds.",
    )
    three = {**summary, "objectives": ["accuracy", "madds", "footprint"]}
    assert "of top-1, MAdds and weights and peak activations:" in front_sentences(three)[0]
    assert front_sentences(three)[1].endswith("260.6M MAdds, 2.097MB weights and peak activations.")


def test_a_front_of_latency_has_the_times_that_decided_it():
    rows = [{**WINNER, "latency": 8_000, "measured": a_measurement(9_120.0)}, {**BASELINE, "latency": 7_300}]
    summary = compared(gain(0.05, 0.01, 0.09), objectives=["accuracy", "latency"], front=rows)
    _, first, second = front_sentences(summary)
    assert first.endswith(" (n = 3), 9.12 ms latency.")
    assert second.endswith(" (n = 3), 7.30 ms latency, predicted.")


def test_a_front_of_one_and_none():
    summary = compared(gain(0.05, 0.01, 0.09), objectives=["accuracy", "madds"], front=[WINNER])
    assert front_sentences(summary) == (
        f"Candidate {NAME} is at least as good as every other finalist in top-1 and MAdds.",
    )
    assert front_sentences({**summary, "objectives": ["accuracy"]}) == ()
    assert front_sentences({**summary, "front": []}) == front_sentences(a_summary()) == ()


def test_a_winner_with_a_published_shape_is_named():
    winner = a_finalist(a_trial(1, origin="edgenext_x_small"), mean=0.7)
    assert verdict(compared(gain(0.04, 0.01, 0.07), winner=winner)).startswith(
        f"EdgeNeXt-XS scaled to the budget ({winner['fingerprint']}) beats"
    )


def test_the_baseline_wins():
    text = verdict(compared(None, winner=BASELINE))
    assert text == (
        "No candidate beat the baseline: EdgeNeXt-XXS scaled to the budget itself comes first, "
        "with a top-1 of 66.0 ± 1.2% (n = 3)."
    )


def test_no_baseline():
    text = verdict(compared(None, baseline=None))
    assert f"Candidate {NAME} scores best" in text
    assert "no baseline" in text


def test_a_score_that_is_no_number():
    broken = {**WINNER, "score": {"mean": math.nan, "std": None, "n": 1}}
    summary = compared(None, winner=broken)
    assert gain_of(summary) is None
    assert "cannot be compared" in verdict(summary)


@pytest.mark.parametrize(
    ("status", "trials", "says"),
    [
        ("interrupted", {"complete": 0, "pruned": 3, "failed": 1}, "interrupted before any candidate was trained"),
        ("interrupted", {"complete": 4, "pruned": 0, "failed": 0}, "before its finalists were scored again"),
        ("interrupted", {}, "(no trials)"),
        ("complete", {"complete": 0, "pruned": 0, "failed": 8}, "No winner: all 8 trials failed."),
        ("complete", {"complete": 0, "pruned": 0, "failed": 1}, "No winner: its only trial failed."),
        ("complete", {"complete": 0, "pruned": 5, "failed": 1}, "no candidate was trained through the last rung"),
    ],
)
def test_truth_table_without_winner(status, trials, says):
    text = verdict(compared(None, winner=None, baseline=None, status=status, trials=trials))
    assert says in text
    assert text.startswith("No winner yet" if status == "interrupted" else "No winner:")


def test_an_interrupted_study_speaks_of_so_far():
    text = verdict(compared(gain(0.05, 0.01, 0.09), status="interrupted"))
    assert text.startswith(f"So far, candidate {NAME} beats")
