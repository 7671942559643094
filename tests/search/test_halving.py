import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenext_search.search.halving import estimated_scores, survivors
from edgenext_search.search.records import Losses

from .builders import a_record

scores_of_a_cohort = st.dictionaries(st.integers(0, 60), st.floats(0, 1), max_size=20)

# One line for each cohort: trial number:score, "!" marks trials that always go on, ">" those that do.
HALVING = """
0:.9 1:.8 2:.7 3:.6           > 0 1
0:.6 1:.7 2:.8 3:.9           > 2 3
0:.6 1:.7 2:.8 3:.9  !0       > 0 2 3
0:.9 1:.7 2:.8 3:.6  !0       > 0 2
0:.5 1:.6 2:.7                > 1 2
0:.5 1:.6 2:.7       !0       > 0 1 2
0:.5 1:.5 2:.5 3:.5           > 0 1
3:.5 2:.5 1:.5 0:.5           > 0 1
4:.1 5:.3 6:.3 7:.3  !0       > 5 6
0:.5 1:.6 2:.6 3:.6           > 1 2
9:.2                          > 9
8:.2 9:.3                     > 9
                     !0       >
"""


@pytest.mark.parametrize("line", [line for line in HALVING.splitlines() if line.strip()])
def test_who_goes_on(line):
    left, _, right = line.partition(">")
    given_scores, _, always = left.partition("!")
    scores = {int(n): float(s) for n, s in (item.split(":") for item in given_scores.split())}
    assert survivors(scores, always={int(n) for n in always.split()}) == {int(n) for n in right.split()}


@given(scores_of_a_cohort, st.sets(st.integers(0, 60)))
def test_the_better_half_goes_on(scores, always):
    kept = survivors(scores, always=always)
    half = survivors(scores)
    assert len(half) == math.ceil(len(scores) / 2)
    assert kept == half | (always & scores.keys())
    stopped = scores.keys() - half
    assert all(scores[a] >= scores[b] for a in half for b in stopped)
    assert all(a < b for a in half for b in stopped if scores[a] == scores[b])


@given(scores_of_a_cohort, st.randoms(use_true_random=False))
def test_the_order_in_which_scores_come_does_not_matter(scores, rng):
    items = list(scores.items())
    rng.shuffle(items)
    assert survivors(dict(items)) == survivors(scores)


# Trials by their scores at rungs of 1, 2 and 4 epochs, and what each would have at the last.
#   gains to the last rung:  from 1: 0.40 (a), 0.20 (b), 0.30 (c) -> 0.30;   from 2: 0.10, 0.06, 0.20 -> 0.10
ESTIMATES = [
    ((0.30, 0.60, 0.70), 0.70),
    ((0.40, 0.54, 0.60), 0.60),
    ((0.20, 0.30, 0.50), 0.50),
    ((0.25, 0.35), 0.45),
    ((0.15,), 0.45),
]


def test_a_stopped_trial_gets_the_median_gain_of_those_that_went_on():
    trials = [a_record(number, scores=curve, rungs=(1, 2, 4)) for number, (curve, _) in enumerate(ESTIMATES)]
    assert estimated_scores(trials, (1, 2, 4)) == {
        number: pytest.approx(expected) for number, (_, expected) in enumerate(ESTIMATES)
    }


def test_estimates_from_losses():
    """The loss of trial 1 is lower at the first rung, and so its estimate is higher, against their top-1."""
    held_out = [((2, 3.0), (4, 2.0)), ((2, 1.0),), ((2, 2.0),)]
    trials = [
        a_record(n, scores=scores, losses=tuple((epoch, Losses(held_out=loss)) for epoch, loss in held_out[n]))
        for n, scores in enumerate([(0.5, 0.9), (0.4,), (0.3,)])
    ]
    assert estimated_scores(trials, (2, 4), "loss") == {
        0: 0.9,
        1: pytest.approx(0.5 + 0.6),  # at the first rung 0.3, 0.5 and 0.4; the gain is 0.9 - 0.3
        2: pytest.approx(0.4 + 0.6),
    }


def test_without_a_complete_trial_a_score_stands_for_itself():
    trials = [a_record(0, scores=(0.3,)), a_record(1, scores=(0.2,))]
    assert estimated_scores(trials, (2, 4)) == {0: 0.3, 1: 0.2}
    assert estimated_scores([], (2, 4)) == {}


def test_failed_and_unscored_trials_have_no_estimate():
    trials = [
        a_record(0, scores=(0.3, 0.5)),
        a_record(1, scores=(0.3,), state="failed", reason="x"),
        a_record(2, scores=(), state="failed", reason="x"),
    ]
    assert estimated_scores(trials, (2, 4)).keys() == {0}
