"""All trials, and why some failed."""

from dataclasses import replace

from edgenext_search.report.document import plain
from edgenext_search.report.run.trials import failures, trials_section

from ..builders import a_trial, some_trials, text_of


def test_failures_are_grouped_by_reason():
    trials = [replace(trial, state="failed", reason="out of memory", curve=()) for trial in some_trials(14)]
    trials.append(replace(a_trial(14), state="failed", curve=()))
    assert [plain(item) for item in failures(trials).items] == [
        "Trials 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ... failed: out of memory",
        "Trial 14 failed: no reason is recorded",
    ]


def test_many_reasons_are_cut():
    trials = [replace(a_trial(number), state="failed", reason=f"reason {number}") for number in range(9)]
    assert len(failures(trials).items) == 6


def test_no_trials():
    assert "No trial was asked yet." in text_of(trials_section([]))
    assert failures([a_trial(0)]) is None
