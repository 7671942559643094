"""Laws and truth tables of Pareto fronts."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenext_search.arch.cost import Cost
from edgenext_search.report.pareto import front_trials, full_fidelity, non_dominated

from .builders import a_trial

values = st.one_of(st.integers(-4, 4).map(float), st.floats(allow_nan=False), st.just(math.nan))
points_of_two = st.lists(st.tuples(values, values), max_size=30)
points_of_three = st.lists(st.tuples(values, values, values), max_size=20)


def dominates(one, other, maximize):
    better = [b > a if up else b < a for a, b, up in zip(other, one, maximize, strict=True)]
    worse = [b < a if up else b > a for a, b, up in zip(other, one, maximize, strict=True)]
    return any(better) and not any(worse) and not any(map(math.isnan, (*one, *other)))


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ([], []),
        ([(1, 1)], [0]),
        # score
        #  3 |         c
        #  2 |    b    d     d costs as much as c and scores less; e costs more than b for the same score
        #  1 | a       e
        #    +-----------> cost
        ([(1, 1), (2, 2), (4, 3), (4, 2), (4, 1)], [0, 1, 2]),
        ([(2, 2), (2, 2), (3, 2)], [0, 1]),  # copies are all on the front
        ([(1, math.nan), (math.nan, 9), (5, 0)], [2]),  # NaN is never on it and beats nothing
        ([(math.nan, math.nan)], []),
        ([(-math.inf, 0), (0, math.inf), (1, 1)], [0, 1]),
    ],
)
def test_truth_table(points, front):
    assert non_dominated(points) == front


def test_says_which_objective_is_maximised():
    points = [(1, 1), (2, 2)]
    assert non_dominated(points, (False, False)) == [0]
    assert non_dominated(points, (True, True)) == [1]
    assert non_dominated([(3,), (1,), (1,)], (False,)) == [1, 2]


def test_refuses_points_of_another_length():
    with pytest.raises(ValueError, match="must have 2 objectives"):
        non_dominated([(1, 2), (1, 2, 3)])


@given(points_of_three)
def test_front_is_undominated_and_dominates_the_rest(points):
    maximize = (False, True, False)
    front = set(non_dominated(points, maximize))
    for index, point in enumerate(points):
        rivals = [points[other] for other in front]
        if index in front:
            assert not any(dominates(other, point, maximize) for other in points)
        elif not any(map(math.isnan, point)):
            assert any(dominates(other, point, maximize) for other in rivals)


@given(points_of_two, st.randoms(use_true_random=False))
def test_front_does_not_depend_on_the_order(points, rng):
    order = list(range(len(points)))
    rng.shuffle(order)
    shuffled = non_dominated([points[index] for index in order])
    assert sorted(order[index] for index in shuffled) == non_dominated(points)


def test_thousands_of_points_are_quick():
    rng = random.Random(0)  # noqa: S311
    points = [(rng.random(), rng.random()) for _ in range(5000)]
    assert 1 <= len(non_dominated(points)) < 100


def test_only_the_highest_fidelity_is_compared():
    cheap = Cost(params=1, madds=1, acts=1, memory=1)
    full, dear = a_trial(0, scores=(0.4, 0.7)), a_trial(1, scores=(0.4, 0.9))
    pruned = replace(a_trial(2, scores=(0.99,)), cost=cheap)
    shallow = replace(a_trial(3, scores=(0.99,)), state="complete", cost=cheap)
    failed = replace(a_trial(4), state="failed", curve=(), cost=cheap)
    not_a_number = a_trial(5, scores=(0.4, math.nan), cost=cheap)
    trials = [full, dear, pruned, shallow, failed, not_a_number]
    assert full_fidelity(trials) == [full, dear]
    assert dear in front_trials(trials, "params")
    assert not {2, 3, 4, 5} & {trial.number for trial in front_trials(trials, "madds")}


def test_front_is_in_order_of_cost_and_keeps_duplicates():
    one = a_trial(0, scores=(0.4, 0.7), cost=Cost(params=9, madds=1, acts=1, memory=1))
    copy = replace(one, number=1, duplicate_of=0)
    cheap = a_trial(2, scores=(0.4, 0.6), cost=Cost(params=3, madds=2, acts=1, memory=1))
    assert [trial.number for trial in front_trials([one, copy, cheap], "params")] == [2, 0, 1]
    assert [trial.number for trial in front_trials([one, copy, cheap], "madds")] == [0, 1]
