"""The result as Markdown."""

from __future__ import annotations

from edgenext_search.report.markdown import escaped, markdown, table

from .builders import HOSTILE, a_latency, a_summary, some_trials

TRIALS = some_trials(24)


def test_answer_table_and_conditions():
    summary = a_summary(TRIALS)
    text = markdown(summary)
    assert text.startswith("### EdgeNeXt search: demo, ≤ 1.3M parameters\n\n**")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(summary["finalists"])
    assert len({line.count("|") for line in lines}) == 1
    assert f"**`{summary['winner']['fingerprint']}`** (winner)" in text
    assert "819 held-out training images" in text
    assert "a demonstration" in text


def test_latency_has_a_column():
    text = markdown(a_latency(TRIALS)[0])
    assert "| latency |" in text
    assert "ms pass |" in text


def test_without_a_winner_there_is_no_table():
    text = markdown(a_summary([], winner=None, finalists=[], baseline=None, status="interrupted"))
    assert "No winner yet" in text
    assert "|" not in text


def test_names_stay_text():
    text = markdown(a_summary(TRIALS, study=HOSTILE))
    assert "<img" not in text.replace("\\<", "")
    assert escaped("a|b\n*c*") == "a\\|b \\*c\\*"


def test_columns_are_aligned():
    assert table(["a", "b"], [["1", "2"]], right=[1]).splitlines()[1] == "| --- | --: |"
