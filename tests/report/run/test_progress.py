"""How far a study had come."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenext_search.report.document import Tabs
from edgenext_search.report.run.progress import history_section, hypervolume_costs, hypervolumes, images_trained
from edgenext_search.report.trials.study import Study

from ..builders import a_summary, a_trial, some_trials


def a_study(trials, **changes):
    return Study(a_summary(trials, **changes), trials)


def courses(study):
    """The figures by tab and kind."""
    tabs = history_section(study).blocks[0]
    assert isinstance(tabs, Tabs)
    return {label: {figure.identifier: figure.plot for figure in group.blocks} for label, group in tabs.panels}


def test_images_are_counted_as_often_as_they_were_seen():
    trials = [a_trial(0), a_trial(1, scores=(0.4,)), replace(a_trial(2), duplicate_of=0), a_trial(3, scores=())]
    assert images_trained(a_study(trials)) == [6 * 3277, 8 * 3277, 8 * 3277, 8 * 3277]
    unknown = a_study(trials, fidelity={"img_size": 48, "epochs": 6})
    assert images_trained(unknown) is None
    assert history_section(unknown).blocks[0].panels[0][0] == "Trials"


def test_the_best_so_far_against_both():
    trials = [a_trial(0, scores=(0.4, 0.6)), a_trial(1, scores=(0.9,)), a_trial(2, scores=(0.4, 0.7))]
    shown = courses(a_study(trials))
    (by_trials,) = shown["Trials"]["fig-best"].series
    (by_images,) = shown["Images trained"]["fig-best-images"].series
    assert (list(by_trials.x), list(by_trials.y)) == ([1, 3, 3], pytest.approx([60, 70, 70]))
    assert list(by_images.x) == [6 * 3277, 14 * 3277, 14 * 3277]
    assert list(by_trials.rows) == [0, 2, 2]


def test_the_hypervolume_of_a_staircase_by_hand():
    def trial(number, score, madds):
        base = a_trial(number, scores=(0.1, score))
        return replace(base, cost=replace(base.cost, madds=madds))

    # log madds from 0 to 1 and scores from 0 to 1: the box is 1.1 wide and high
    e = round(math.e * 1e6)
    trials = [trial(0, 0.0, 1_000_000), trial(1, 1.0, e), trial(2, 0.5, 1_000_000)]
    found = dict(hypervolumes(trials, ["madds"]))
    box = 1.1**2
    assert found[0] == pytest.approx(0.1 * 1.1 / box, rel=1e-5)
    assert found[1] == pytest.approx((0.1 * 1.1 + 1.0 * 0.1) / box, rel=1e-5)
    assert found[2] == pytest.approx((0.6 * 1.1 + 0.5 * 0.1) / box, rel=1e-5)


@given(st.integers(0, 30), st.integers(0, 3))
def test_the_hypervolume_only_grows_and_stays_a_share(count, seed):
    values = [value for _, value in hypervolumes(some_trials(count, seed=seed), ["params", "madds"])]
    assert all(0 <= value <= 1 + 1e-12 for value in values)
    assert values == sorted(values)


def test_costs_are_the_objectives_or_multiply_adds():
    assert hypervolume_costs(a_summary(objectives=["accuracy", "params", "latency"])) == ["params", "latency"]
    assert hypervolume_costs(a_summary()) == ["madds"]


def test_nothing_to_show():
    assert history_section(a_study([])) is None
    assert history_section(a_study(some_trials(3, failed=3))) is None
    stopped = history_section(a_study([a_trial(0, scores=(0.4,))]))
    assert [block.identifier for block in stopped.blocks[:1]] == ["fig-history"]
