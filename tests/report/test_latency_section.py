from __future__ import annotations

from edgenext_search.report.latency_figures import latency_figures
from edgenext_search.report.latency_section import latency_section

from .builders import HOSTILE, a_latency, a_summary, some_trials

TRIALS = some_trials(24)


def test_the_section_has_the_answer_the_figures_and_a_row_a_finalist():
    summary, trials = a_latency(TRIALS, passed=0)
    summary["latency"]["device"] = HOSTILE
    text = latency_section(summary, latency_figures(trials, summary))
    assert text.count("<tr") == 1 + len(summary["finalists"])
    assert 'id="fig-latency-predicted"' in text
    assert "None of the" in text
    assert "verdict-fail" in text
    assert "<img" not in text


def test_without_latency_there_is_none():
    assert latency_section(a_summary(TRIALS), {}) is None
