"""All trials on the page."""

from __future__ import annotations

from dataclasses import replace

from edgenext_search.report.trials_section import trials_section

from .builders import a_trial, some_trials


def test_failures_are_grouped_by_reason():
    trials = [replace(trial, state="failed", reason="out of memory", curve=()) for trial in some_trials(14)]
    trials.append(replace(a_trial(14), state="failed", curve=()))
    text = trials_section(trials)
    assert "Trials 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ... failed: </b>out of memory" in text
    assert "Trial 14 failed: </b>no reason is recorded" in text


def test_many_reasons_are_cut():
    trials = [replace(a_trial(number), state="failed", reason=f"reason {number}") for number in range(9)]
    text = trials_section(trials)
    assert text.count("<li>") == 6
    assert "The table has the other reasons" in text


def test_no_trials():
    assert "No trial was asked yet." in trials_section([])
