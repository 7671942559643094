"""The conditions beneath the numbers."""

import pytest

from edgenext_search.report.run.conditions import conditions_section

from ..builders import a_summary, changed, some_trials, text_of, unscored

SUMMARY = a_summary(some_trials(8))


def test_every_condition_is_there():
    text = text_of(conditions_section(SUMMARY))
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


def test_a_run_that_has_not_begun_has_conditions_too():
    young = a_summary(data=None, conditions=None, fidelity={"img_size": 48, "epochs": 6, "rungs": [6]})
    text = text_of(conditions_section(young))
    assert "Device" not in text
    assert "none stops early" in text


@pytest.mark.parametrize(
    ("objectives", "rank_by", "says"),
    [
        (["accuracy"], "train_loss", "the weaker half stops, by mean training loss, and"),
        (["accuracy", "madds"], "combined", "held-out loss and training loss together and costs, and"),
    ],
)
def test_what_stops_candidates_is_said(objectives, rank_by, says):
    fidelity = {**SUMMARY.fidelity.to_dict(), "rank_by": rank_by}
    assert says in text_of(conditions_section(a_summary(objectives=objectives, fidelity=fidelity)))


def test_seeds_and_rematch_are_told_of():
    assert "the baseline were trained again" in text_of(conditions_section(SUMMARY))
    assert "the baseline are trained again" in text_of(conditions_section(unscored(SUMMARY)))
    assert "Further seeds" not in text_of(conditions_section(SUMMARY))
    again = SUMMARY.winner.score
    both = changed(changed(SUMMARY, SUMMARY.winner, rematch=again), SUMMARY.baseline, rematch=again)
    assert "Further seeds, which decided nothing" in text_of(conditions_section(both))
