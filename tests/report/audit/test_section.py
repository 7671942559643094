"""The table, the figure and the section of an audit."""

import pytest

from edgenext_search.report.audit.section import audit_document, audit_figure, audit_section, audit_table
from edgenext_search.report.document import plain

from ..builders import HOSTILE, a_summary, an_audit, some_trials, text_of

TRIALS = some_trials(24)
AUDIT = an_audit(TRIALS, n=20)
SUMMARY = a_summary(TRIALS, audit=AUDIT)


def test_a_row_for_each_rung_each_cost_and_the_ceiling():
    table = audit_table(AUDIT)
    names = [row.cells[0].text for row in table.rows]
    assert names == ["after 2 epochs", "after 6 epochs", "params alone", "MAdds alone", "long training"]
    assert table.rows[1].cells[1].text == str(AUDIT.series[1].n)
    assert " to " in table.rows[1].cells[2].note
    assert table.rows[-1].cells[-2].text == "1.00"


def test_the_figure_has_a_mark_for_each_candidate_and_rung():
    shown = audit_figure(SUMMARY, AUDIT).named()
    last = shown["after 6 epochs"]
    rows = [row for row in AUDIT.candidates if len(row.curve) == 2]
    assert list(last.y) == pytest.approx([100 * row.reference.mean for row in rows])
    assert list(last.rows) == [row.trial for row in rows]
    assert last.low[0] < last.y[0] < last.high[0]
    assert audit_figure(SUMMARY, AUDIT.model_copy(update={"candidates": ()})) is None


def test_what_ranks_is_on_the_axis():
    audit = an_audit(TRIALS, rank_by="loss")
    assert audit_figure(SUMMARY, audit).x_label == "Held-out loss in the search, on the scale of top-1, %"


def test_the_section_has_words_figure_table_and_failures():
    values = {**AUDIT.to_dict(), "failed": [{"fingerprint": "a", "trial": 3, "seed": 7, "reason": HOSTILE}]}
    section = audit_section(a_summary(TRIALS, audit=values))
    text = text_of(section)
    for part in ("chance is 50 %", "2 fresh seeds, 20 candidates", f"Trial 3, seed 7 failed: {HOSTILE}", "is left out"):
        assert part in text
    assert audit_section(a_summary(TRIALS)) is None


def test_without_a_candidate_there_are_words_alone():
    values = {**AUDIT.to_dict(), "candidates": [], "series": [], "n": 0}
    summary = a_summary(TRIALS, audit=values)
    assert "The audit cannot tell" in text_of(audit_section(summary))
    assert audit_document(summary, summary.audit).brief == ()


def test_an_audit_alone_shows_the_same_blocks():
    document = audit_document(SUMMARY, AUDIT)
    assert document.brief[0] == audit_table(AUDIT)
    assert "bootstraps over candidates" in plain(document.brief[1].text)
    assert document.paths == (("report", SUMMARY.report),)
