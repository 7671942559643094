"""The distribution of errors."""

import pytest

from edgenext_search.report.run.errors import errors_figure, errors_section
from edgenext_search.report.trials.study import Study

from ..builders import a_summary, a_trial, some_trials


def figure_of(trials):
    return errors_figure(Study(a_summary(trials), trials))


def test_only_the_samplers_fully_trained_candidates_count():
    trials = [
        a_trial(0, origin="edgenext_xx_small", scores=(0.4, 0.6)),
        a_trial(1, scores=(0.4, 0.7)),
        a_trial(2, scores=(0.5,)),
    ]
    figure = figure_of(trials)
    assert list(figure.named()) == ["all, n = 1"]
    assert list(figure.series[0].x) == pytest.approx([30, 30])
    assert list(figure.marks) == [(pytest.approx(40), "baseline")]


def test_halves_of_a_study_with_enough():
    trials = some_trials(60)
    names = list(figure_of(trials).named())
    assert [name.partition(",")[0] for name in names] == ["all", "first half", "second half"]


@pytest.mark.parametrize("trials", [[], some_trials(4, failed=4)])
def test_nothing_to_show(trials):
    assert figure_of(trials) is None
    assert errors_section(Study(a_summary(trials), trials)) is None


def test_the_share_rises_to_all():
    (line,) = figure_of([a_trial(number, scores=(0.4, score)) for number, score in enumerate((0.7, 0.6))]).series
    assert (list(line.x), list(line.y)) == (pytest.approx([30, 30, 40]), [0, 50, 100])
