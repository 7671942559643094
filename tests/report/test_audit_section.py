from __future__ import annotations

import html

from edgenext_search.report.audit_figure import audit_figure
from edgenext_search.report.audit_section import audit_section
from edgenext_search.report.audit_words import audit_sentences

from .builders import HOSTILE, a_summary, an_audit, some_trials

TRIALS = some_trials(24)


def section_of(summary):
    return audit_section(summary, "fig", audit_figure(summary))


def test_there_is_no_section_without_an_audit():
    assert section_of(a_summary(TRIALS)) is None
    assert section_of(a_summary(TRIALS, audit=None)) is None


def test_the_section_has_words_figure_and_table():
    summary = a_summary(TRIALS, audit=an_audit(TRIALS))
    text = section_of(summary)
    assert "Can the scores be trusted?" in text
    assert 'id="fig"' in text
    assert all(html.escape(sentence) in text for sentence in audit_sentences(summary))
    assert text.count("<tr") == 1 + 5
    assert "<ul" not in text
    assert "long training<small> vs another seed</small>" in text


def test_what_ranks_is_named_in_table_and_label():
    text = section_of(a_summary(TRIALS, audit=an_audit(TRIALS, rank_by="train_loss")))
    assert "after 6 epochs<small> training loss</small>" in text
    assert "Mean training loss in the search" in text


def test_failures_are_listed_and_stay_text():
    audit = an_audit(TRIALS)
    audit["failed"] = [{"trial": 3, "seed": 5, "fingerprint": "a", "reason": HOSTILE}]
    text = section_of(a_summary(TRIALS, audit=audit))
    assert "Trial 3, seed 5" in text
    assert "<img" not in text


def test_an_audit_without_a_reference_has_no_figure():
    text = section_of(a_summary(TRIALS, audit=an_audit(TRIALS, n=0)))
    assert "0 candidates have a reference" in text
    assert 'id="fig"' not in text
