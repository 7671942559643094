"""How far a study had come."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenext_search.report.progress import (
    BY_IMAGES,
    BY_TRIALS,
    best_figures,
    hypervolume_costs,
    hypervolume_figures,
    hypervolumes,
    images_trained,
)

from .builders import a_summary, a_trial, some_trials


def test_images_are_counted_as_often_as_they_were_seen():
    trials = [a_trial(0), a_trial(1, scores=(0.4,)), replace(a_trial(2), duplicate_of=0), a_trial(3, scores=())]
    summary = a_summary(trials)
    assert images_trained(trials, summary) == [6 * 3277, 8 * 3277, 8 * 3277, 8 * 3277]
    summary["fidelity"]["train_images"] = None
    assert images_trained(trials, summary) is None
    assert list(best_figures(trials, summary)) == [BY_TRIALS]


def test_the_best_so_far_against_both():
    trials = [a_trial(0, scores=(0.4, 0.6)), a_trial(1, scores=(0.9,)), a_trial(2, scores=(0.4, 0.7))]
    figures = best_figures(trials, a_summary(trials))
    (by_trials,), (by_images,) = figures[BY_TRIALS].series, figures[BY_IMAGES].series
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
    assert hypervolume_costs({"objectives": ["accuracy", "params", "latency"]}) == ["params", "latency"]
    assert hypervolume_costs({"objectives": ["accuracy"]}) == ["madds"]


@pytest.mark.parametrize("trials", [[], some_trials(3, failed=3), [a_trial(0, scores=(0.4,))]])
def test_nothing_to_show(trials):
    assert best_figures(trials, a_summary(trials)) == {}
    assert hypervolume_figures(trials, a_summary(trials)) == {}
