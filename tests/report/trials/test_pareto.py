"""Which trials are compared, and which are on a front."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenext_search.arch.cost import Cost
from edgenext_search.report.trials.pareto import costs_among, front_trials, full_fidelity

from ..builders import a_trial


def points(pairs):
    return [
        a_trial(number, scores=(0.1, score), cost=Cost(params=cost, madds=1, acts=1, memory=1))
        for number, (cost, score) in enumerate(pairs)
    ]


@pytest.mark.parametrize(
    ("pairs", "front"),
    [
        ([], []),
        ([(1, 0.1)], [0]),
        # score
        #  3 |         c
        #  2 |    b    d     d costs as much as c and scores less; e costs more than b for a lower score
        #  1 | a       e
        #    +-----------> cost
        ([(1, 0.1), (2, 0.2), (4, 0.3), (4, 0.2), (4, 0.1)], [0, 1, 2]),
        ([(2, 0.2), (2, 0.2), (3, 0.2)], [0, 1]),  # copies are all on the front
        ([(1, math.nan), (5, 0.0)], [1]),
    ],
)
def test_truth_table(pairs, front):
    assert [trial.number for trial in front_trials(points(pairs), "params")] == front


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 5).map(float)), max_size=12))
def test_a_front_is_undominated_and_dominates_the_rest(pairs):
    front = {trial.number for trial in front_trials(points(pairs), "params")}
    for index, (cost, score) in enumerate(pairs):
        better = any(c <= cost and s >= score and (c, s) != (cost, score) for c, s in pairs)
        assert (index in front) == (not better)


def test_only_the_highest_fidelity_is_compared():
    cheap = Cost(params=1, madds=1, acts=1, memory=1)
    full, dear = a_trial(0, scores=(0.4, 0.7)), a_trial(1, scores=(0.4, 0.9))
    pruned = replace(a_trial(2, scores=(0.99,)), cost=cheap)
    shallow = replace(a_trial(3, scores=(0.99,)), state="complete", cost=cheap)
    failed = replace(a_trial(4), state="failed", curve=(), cost=cheap)
    not_a_number = a_trial(5, scores=(0.4, math.nan), cost=cheap)
    assert full_fidelity([full, dear, pruned, shallow, failed, not_a_number]) == [full, dear]


def test_latency_has_a_front_only_where_it_was_asked_for():
    assert "latency" not in costs_among([a_trial(0)])
    assert front_trials([a_trial(0)], "latency") == []
