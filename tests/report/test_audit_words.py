"""What an audit says: answer, ceiling, winner, size, rungs."""

from __future__ import annotations

import copy

import pytest

from edgenext_search.report.audit_words import COLUMNS, audit_conditions, audit_rows, audit_sentences

from .builders import a_summary, an_audit, an_estimate, some_trials

TRIALS = some_trials(24)


@pytest.fixture
def summary():
    return a_summary(TRIALS, audit=an_audit(TRIALS, n=20))


def last_rung(summary):
    return summary["audit"]["series"][1]


def said(summary):
    return " ".join(audit_sentences(summary))


def with_ceiling(summary, *, tau, score, room):
    last_rung(summary)["ceiling"] = {
        "n": 10,
        "seeds": 2,
        "tau": an_estimate(tau),
        "score_tau": an_estimate(score),
        "room": {"value": tau - score, "low": room[0], "high": room[1]},
        "tau_of_ceiling": score / tau if tau > 0 else None,
        "pairs_right": an_estimate((1 + tau) / 2),
        "score_pairs_right": an_estimate((1 + score) / 2),
    }
    last_rung(summary)["pairs_right"] = an_estimate(0.75, 0.1)
    return summary


def test_the_answer_needs_no_statistics(summary):
    last_rung(summary)["pairs_right"] = {"value": 0.714, "low": 0.6, "high": 0.8}
    summary["audit"]["series"][0]["pairs_right"] = {"value": 0.6, "low": 0.51, "high": 0.72}
    first, *_, second = audit_sentences(summary)
    n = last_rung(summary)["n"]
    assert first == (
        "Of two candidates that were trained for 6 epochs, picked at random, the one that the score after 6 "
        "epochs prefers is also the better one after 24 epochs in 71 % of cases (95 % interval 60 % to 80 %, "
        f"n = {n}; a coin has 50 %)."
    )
    assert second.startswith("Of two candidates of this study, picked at random, the one that the score after 2 ")


def test_long_trainings_are_measured_in_the_same_way(summary):
    with_ceiling(summary, tau=0.56, score=0.38, room=(-0.1, 0.4))
    assert (
        "A long training with another seed agrees with a second long training in 78 % of pairs, and with the search's "
        "score in 69 %;"
    ) in said(summary)
    last_rung(summary)["ceiling"]["seeds"] = 3
    assert "The mean of 2 long trainings agrees with a second long training in 78 % of pairs" in said(summary)


def test_long_trainings_that_do_not_agree_tell_nothing(summary):
    with_ceiling(summary, tau=-0.04, score=0.1, room=(-0.4, 0.3))
    last_rung(summary)["ceiling"]["pairs_right"] = {"value": 0.48, "low": 0.23, "high": 0.75}
    last_rung(summary)["pairs_right"] = {"value": 0.45, "low": 0.2, "high": 0.75}
    text = said(summary)
    assert "Not even the long trainings are shown to agree better than a coin" in text
    assert "--reference-epochs 48 or --seeds" in text
    assert "does not show that the winner" not in text


def test_one_seed_has_no_ceiling_and_the_text_says_why():
    text = said(a_summary(TRIALS, audit=an_audit(TRIALS, seeds=1)))
    assert "With one reference training each, it is not known how far two long trainings agree" in text
    assert "Longer trainings" not in text


def test_a_score_that_is_not_established_to_beat_a_coin(summary):
    last_rung(summary)["pairs_right"] = {"value": 0.6, "low": 0.45, "high": 0.75}
    assert "not established to be better than a coin" in said(summary)
    last_rung(summary)["pairs_right"] = {"value": 0.6, "low": None, "high": None}
    assert "no interval" in said(summary)
    assert "not established to be better than a coin" in said(summary)


@pytest.mark.parametrize(
    ("tau", "score", "room", "winner", "rungs"),
    [
        (0.8, 0.4, (0.1, 0.6), "but not as good as a long training", "would pay: they rank candidates better"),
        (0.6, 0.58, (-0.2, 0.2), "about as good as a long training", "would hardly pay."),
        (0.4, 0.4, (-0.2, 0.2), "about as good as a long training", "more held-out images or more seeds would"),
        (0.6, 0.45, (-0.1, 0.3), "12 candidates do not settle", "--n 40 would tell more"),
        (-0.2, 0.4, (-0.9, -0.1), "one of the better candidates", None),
    ],
)
def test_what_follows_for_winner_and_rungs(summary, tau, score, room, winner, rungs):
    last_rung(with_ceiling(summary, tau=tau, score=score, room=room))["n"] = 12
    assert winner in said(summary)
    assert rungs is None or rungs in said(summary)
    assert ("Longer trainings" in said(summary)) == (rungs is not None)


def test_regret_is_that_of_as_many_as_there_are_finalists(summary):
    last_rung(summary).update(pairs_right=an_estimate(0.75), regret={"1": 0.031, "3": 0.008, "5": 0.0})
    assert len(summary["finalists"]) in (3, 4)
    assert "The best of the 3 that it ranks highest is 0.8 points of top-1 below the best of all" in said(summary)
    last_rung(summary)["regret"] = {"1": 0.031, "3": None, "5": None}
    assert "The one that it ranks highest is 3.1 points of top-1 below" in said(summary)
    last_rung(summary)["regret"]["3"] = 0.0
    assert "The best of the 3 that it ranks highest is the best of all that were trained long." in said(summary)
    last_rung(summary)["regret"] = {"1": None, "3": None, "5": None}
    assert "ranks highest" not in said(summary)


def test_a_score_that_is_no_better_than_counting_is_worth_nothing(summary):
    last_rung(summary)["madds_pairs_right"] = an_estimate(0.99)
    assert "Counting multiply-adds alone is right in 99 %: so far the trainings say no more" in said(summary)
    last_rung(summary)["madds_pairs_right"] = last_rung(summary)["params_pairs_right"] = None
    assert "Counting" not in said(summary)


def test_an_audit_under_way(summary):
    summary["audit"]["status"] = "interrupted"
    assert said(summary).startswith("So far: Of two")
    young = a_summary(TRIALS, audit=an_audit(TRIALS, n=3))
    (text,) = audit_sentences(young)
    assert text.startswith("The audit cannot tell whether the scores can be trusted: 3 candidates have a reference")
    for series in summary["audit"]["series"]:
        series["pairs_right"] = None
    assert "no rung has 8 candidates whose scores and references differ" in said(summary)


def test_seven_candidates_say_nothing_of_trust():
    (text,) = audit_sentences(a_summary(TRIALS, audit=an_audit(TRIALS, n=7, noise=0.0)))
    assert text == (
        "The audit cannot tell whether the scores can be trusted: 7 candidates have a reference, and the order of "
        "fewer than 8 says too little."
    )


def test_of_too_few_at_the_last_rung_the_one_before_is_asked(summary):
    last_rung(summary)["n"] = 7
    text = said(summary)
    assert text.startswith("Of two candidates of this study, picked at random, the one that the score after 2 ")
    assert (
        "Too few of the sample were trained longer in the search to judge by that (7 for 6 epochs; 8 are needed); "
        "--n 40 would train more of those."
    ) in text
    assert "after 6 epochs" not in text
    assert "Longer trainings in the search" not in text
    last_rung(summary).update(n=0, pairs_right=None)
    assert "(0 for 6 epochs; 8 are needed)" in said(summary)


def test_an_order_without_a_fault_beats_a_coin_and_has_no_interval(summary):
    for series in summary["audit"]["series"][:2]:
        series["pairs_right"] = series["tau"] = {"value": 1.0, "low": None, "high": None}
    assert "in 100 % of cases (no interval, n = " in said(summary)
    assert "better than a coin" in said(summary)
    assert "not established" not in said(summary)


def test_a_ceiling_of_too_few_is_not_spoken_of(summary):
    with_ceiling(summary, tau=0.8, score=0.4, room=(0.1, 0.6))["audit"]["series"][1]["ceiling"]["n"] = 7
    assert "Too few candidates have all their reference trainings" in said(summary)
    assert "agrees with a second long training" not in said(summary)
    assert "Longer trainings" not in said(summary)


@pytest.mark.parametrize(
    ("rank_by", "reading", "short"),
    [
        ("loss", "held-out loss", "held-out loss"),
        ("train_loss", "mean training loss", "training loss"),
        ("top1", None, ""),
    ],
)
def test_what_ranks_is_named(rank_by, reading, short):
    summary = a_summary(TRIALS, audit=an_audit(TRIALS, n=20, rank_by=rank_by))
    assert f"picked at random, the one that the {reading or 'score'} after 6 epochs prefers" in said(summary)
    assert [row[0] for row in audit_rows(summary["audit"])][:2] == [
        ("after 2 epochs", short),
        ("after 6 epochs", short),
    ]
    named = f"The search ranks by the {reading}, brought to the scale of top-1: that is what is judged."
    assert (named in audit_conditions(summary)) == (reading is not None)


def test_the_table_has_a_row_a_score_and_one_for_the_ceiling(summary):
    rows = audit_rows(summary["audit"])
    assert [row[0][0] for row in rows] == [
        "after 2 epochs",
        "after 6 epochs",
        "params alone",
        "MAdds alone",
        "long training",
    ]
    assert {len(row) for row in rows} == {len(COLUMNS)}
    last_rung(summary)["tau"] = {"value": -0.123, "low": None, "high": 0.5}
    assert audit_rows(summary["audit"])[1][3] == ("−0.12", "")  # noqa: RUF001
    ceiling = summary["audit"]["series"][0]["ceiling"]
    assert rows[-1][:2] == (("long training", "vs another seed"), ("20", ""))
    ceiling.update(n=9, seeds=3)
    assert audit_rows(summary["audit"])[-1][:2] == (("long training", "vs mean of 2"), ("9", ""))
    assert len(audit_rows(an_audit(TRIALS, seeds=1))) == 4
    assert audit_rows({**summary["audit"], "series": []}) == []


def test_conditions_stand_beneath_it(summary):
    text = audit_conditions(summary)
    assert text.startswith("Reference: top-1 after 24 epochs in one learning-rate cycle, 48 px, 2 fresh seeds, 20 cand")
    assert "left out" not in text
    summary["audit"]["candidates"][3]["scores"] *= 2
    assert ", 2 to 4 fresh seeds, 20 candidates" in audit_conditions(summary)
    failed = copy.deepcopy(summary)
    failed["audit"]["failed"] = [{"trial": 3, "seed": 5, "fingerprint": "a", "reason": "no luck"}]
    assert "1 reference training is left out that failed." in audit_conditions(failed)
