"""The distribution of errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenext_search.report.spread import edf, edf_figure

from .builders import a_summary, a_trial, some_trials


@given(st.lists(st.floats(0, 100), min_size=1))
def test_an_edf_rises_to_all_of_them(errors):
    x, y = edf(errors)
    assert x == sorted(errors)
    assert y == sorted(y)
    assert y[-1] == 100


def test_only_the_samplers_fully_trained_candidates_count():
    trials = [
        a_trial(0, origin="edgenext_xx_small", scores=(0.4, 0.6)),
        a_trial(1, scores=(0.4, 0.7)),
        a_trial(2, scores=(0.5,)),
    ]
    figure = edf_figure(trials, a_summary(trials))
    assert list(figure.named()) == ["all, n = 1"]
    assert list(figure.series[0].x) == pytest.approx([30, 30])
    assert figure.marks == ((pytest.approx(40), "baseline"),)


def test_halves_of_a_study_with_enough():
    trials = some_trials(60)
    names = list(edf_figure(trials, a_summary(trials)).named())
    assert [name.partition(",")[0] for name in names] == ["all", "first half", "second half"]


@pytest.mark.parametrize("trials", [[], some_trials(4, failed=4)])
def test_nothing_to_show(trials):
    assert edf_figure(trials, a_summary(trials)) is None
