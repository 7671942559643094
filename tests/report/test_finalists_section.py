"""The finalists on the page."""

from __future__ import annotations

import pytest

from edgenext_search.report.finalists_section import finalists_section

from .builders import a_summary, some_trials, unscored

SUMMARY = a_summary(some_trials(24))


def test_finalists_mark_winner_and_baseline():
    text = finalists_section(SUMMARY)
    assert text.count('class="badge win"') == 1
    assert text.count(">baseline</span>") == 1
    assert text.count("<tr") == 1 + len(SUMMARY["finalists"])


def test_members_of_a_front_are_marked():
    summary = {**SUMMARY, "objectives": ["accuracy", "madds"], "front": SUMMARY["finalists"][:3]}
    assert finalists_section(summary).count(">front<") == 3
    assert "front" not in finalists_section(SUMMARY)


def test_those_that_no_fresh_seed_has_scored_are_not_called_scored_again():
    text = finalists_section(SUMMARY)
    assert "<h2>Finalists, scored again</h2>" in text
    assert "Top-1 is mean ± standard deviation, 3 fresh seeds each" in text
    text = finalists_section(unscored(SUMMARY))
    assert "<h2>Finalists so far</h2>" in text
    assert "Top-1 is that of the search, not scored again with fresh seeds" in text


@pytest.mark.parametrize(
    ("rank_by", "says"),
    [
        ("top1", "the score in the search had a part in that and is optimistic for that reason."),
        ("combined", "the score in the search had a part in that and is optimistic for that reason."),
        ("train_loss", "the score in the search is of one seed."),
    ],
)
def test_the_score_in_the_search_has_a_part_in_the_choice_where_it_ranks(rank_by, says):
    text = finalists_section({**SUMMARY, "fidelity": {**SUMMARY["fidelity"], "rank_by": rank_by}})
    assert f"that all trials together lead to expect; {says}" in text


def test_nothing_without_finalists():
    assert finalists_section(a_summary()) is None
