"""What each choice scored."""

import statistics
from dataclasses import replace

import pytest
from scipy.stats import t

from edgenext_search.report.run.choices import (
    FIELDS,
    choice_figures,
    choices_section,
    estimates,
    importance_figure,
    parameter_text,
)
from edgenext_search.report.trials.study import Study
from edgenext_search.search.store.records import Losses

from ..builders import a_candidate, a_summary, a_trial, some_trials

TRIALS = some_trials(40)


def kernels(trials):
    """The figure of the first stage's kernel size."""
    return choice_figures(trials)["Kernel size"][0]


def test_means_and_intervals_are_those_of_the_scores():
    base = a_trial(0).candidate
    scores = {3: [0.60, 0.62, 0.70], 7: [0.50, 0.55]}
    trials = [
        a_trial(number, scores=(0.4, score), candidate=replace(base, kernel_sizes=(kernel, *base.kernel_sizes[1:])))
        for number, (kernel, score) in enumerate((k, score) for k, values in scores.items() for score in values)
    ]
    figure = kernels(trials)
    (series,) = figure.series
    assert list(figure.x_names) == ["3", "7"]
    assert list(series.y) == pytest.approx([64, 52.5])
    half = 100 * t.ppf(0.975, 2) * statistics.stdev(scores[3]) / 3**0.5
    assert series.high[0] - series.y[0] == pytest.approx(half)
    assert series.low[1] is None  # two networks have no interval worth the name
    assert "n = 2" in series.notes[1]


def test_stopped_trials_count_with_an_estimate():
    trials = [a_trial(0, scores=(0.4, 0.7)), a_trial(1, scores=(0.3, 0.6)), a_trial(2, scores=(0.2,))]
    assert estimates(trials)[2] == pytest.approx(0.5)


def test_values_are_held_against_each_other_by_top1_whatever_ranks():
    base = a_trial(0).candidate
    trials = [
        a_trial(
            number,
            scores=(0.3, 0.70 + 0.01 * (number % 3) - (0.1 if number > 2 else 0)),
            candidate=replace(base, kernel_sizes=(7 if number > 2 else 3, *base.kernel_sizes[1:])),
            losses=((6, Losses(train=0.5 if number > 2 else 0.9)),),
        )
        for number in range(6)
    ]
    (series,) = kernels(trials).series
    assert list(series.y) == pytest.approx([71, 61])
    assert "mean top-1 71.0 %" in series.notes[0]


def test_a_field_that_no_block_uses_has_no_value():
    base = a_trial(0).candidate
    without = replace(base, sdta_blocks=(0, 0, 0, 0))
    two, three = (replace(base, sdta_blocks=(0, 1, 0, 0), sdta_splits=(2, n, 2, 2)) for n in (2, 3))
    trials = [a_trial(number, candidate=candidate) for number, candidate in enumerate((without, two, three))]
    (figure,) = choice_figures(trials)["SDTA splits"]
    assert (figure.title, list(figure.x_names)) == ("SDTA splits, stage 2", ["2", "3"])
    assert [note.split("\n")[-1] for note in figure.series[0].notes] == ["n = 1", "n = 1"]


def test_every_field_that_varies_has_its_figures_on_one_scale():
    found = choice_figures(TRIALS)
    assert set(found) <= set(FIELDS.values())
    assert {"Kernel size", "Blocks", "Width over the stage before", "SDTA blocks"} <= set(found)
    assert len({plot.y_range for plots in found.values() for plot in plots}) == 1
    counts = [sum(int(note.rsplit("n = ")[1]) for note in plot.series[0].notes) for plot in found["Blocks"]]
    assert counts == [len(TRIALS)] * 4


def test_width_ratios_are_binned_evenly():
    (figure, *_) = choice_figures(TRIALS)["Width over the stage before"]
    counts = [int(note.rsplit("n = ")[1]) for note in figure.series[0].notes]
    assert 2 <= len(counts) <= 5
    assert sum(counts) == len(TRIALS)


@pytest.mark.parametrize(
    "trials",
    [
        [],
        some_trials(4, failed=4),
        [a_trial(0)],
        [a_trial(number, candidate=a_candidate(__import__("random").Random(0))) for number in range(3)],
    ],
)
def test_nothing_varies(trials):
    assert choice_figures(trials) == {}
    assert choices_section(Study(a_summary(trials), trials)) is None


def test_importance_has_bars_in_the_order_given_with_names_in_words():
    values = {"stage3.kernel_size": 0.5, "expand_ratio": 0.3, **{f"p{index}": 0.2 / 20 for index in range(20)}}
    figure = importance_figure(
        a_summary(importance={"method": "PED-ANOVA", "quantile": 0.25, "n": 40, "values": values})
    )
    assert list(figure.y_names[:2]) == ["kernel size, stage 3", "expand ratio"]
    assert list(figure.series[0].x[:2]) == [50, 30]
    assert "8 more below 1.0 %" in figure.x_label
    assert "best 25 % of 40" in figure.y_label


def test_without_importances_there_is_no_figure():
    assert importance_figure(a_summary()) is None


def test_names_of_parameters():
    assert parameter_text("stage2.sdta_splits") == "SDTA splits, stage 2"
    assert parameter_text("depth") == "depth"
