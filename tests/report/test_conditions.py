"""The conditions beneath the numbers."""

from __future__ import annotations

import pytest

from edgenext_search.report.conditions import conditions_section

from .builders import a_summary, some_trials, unscored


def test_every_condition_is_there():
    text = conditions_section(a_summary(some_trials(8)))
    for part in (
        "≤ 1.3M parameters",
        "1000 classes, 256x256 px",
        "built-in (generated), 16 classes",
        "48 px, 6 epochs, 3,277 training images",
        "819 held-out training images",
        "after epochs 2, 6",
        "study 0; finalists 3 fresh seeds each",
        "cpu, 2 at once, 1 thread each, 2 cores in the host",
        "timm 1.0.31",
        "2 min 52 s",
        "One image of these 819 is 0.12 points.",
    ):
        assert part in text


def test_a_bare_summary_is_enough():
    text = conditions_section({"budget": {}, "seconds": None})
    assert "Conditions and method" in text
    assert "Time" not in text


def test_fresh_seeds_are_told_of_once_they_are_trained():
    summary = a_summary(some_trials(8))
    assert "the baseline were trained again with fresh seeds" in conditions_section(summary)
    text = conditions_section(unscored(summary))
    assert "the baseline are trained again with fresh seeds" in text
    assert "study 0; finalists not scored again with fresh seeds" in text


def test_the_rematch_is_told_of_where_there_was_one():
    summary = a_summary(some_trials(8))
    assert "further seeds" not in conditions_section(summary)
    again = {"mean": 0.65, "std": 0.012, "n": 5}
    sides = {side: {**summary[side], "rematch": again} for side in ("winner", "baseline")}
    assert "further seeds of both say, which decided nothing." in conditions_section({**summary, **sides})
    assert "further seeds" not in conditions_section({**summary, **sides, "winner": sides["baseline"]})


def test_halving_is_told_of_where_there_was_any():
    summary = a_summary()
    fidelity = {**summary["fidelity"], "rank_by": "train_loss"}
    text = conditions_section({**summary, "fidelity": fidelity})
    assert "the weaker half stops at each rung but the last" in text
    assert "Which half is weaker is read off the mean training loss." in text
    costs = conditions_section({**summary, "fidelity": fidelity, "objectives": ["accuracy", "madds"]})
    assert "read off the mean training loss and costs." in costs
    text = conditions_section({**summary, "fidelity": {**fidelity, "rungs": [6]}})
    assert "none stops early" in text
    assert "weaker half" not in text


def test_objectives_are_named_where_there_are_several():
    summary = a_summary()
    assert "Objectives" not in conditions_section(summary)
    assert "top-1, MAdds and activations" in conditions_section(
        {**summary, "objectives": ["accuracy", "madds", "acts"]}
    )


@pytest.mark.parametrize(
    ("rank_by", "says"),
    [("train_loss", "mean training loss"), ("combined", "held-out loss and training loss together")],
)
def test_what_ranks_is_said(rank_by, says):
    summary = a_summary()
    assert "Ranked by" not in conditions_section(summary)
    summary["fidelity"] = {**summary["fidelity"], "rank_by": rank_by}
    assert says in conditions_section(summary)
