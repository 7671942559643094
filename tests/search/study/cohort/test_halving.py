import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_builders import a_record

from edgenext_search.search.store.records import Losses
from edgenext_search.search.study.cohort.halving import estimated_scores, expected_at_last_rung, survivors

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


# Several objectives: score upward, cost to the right, on a logarithmic scale; a second cost from panel to panel.
# Numbers are trials; those with + between them are equal in everything. ">" those that go on, "!" always, "?" NaN.
DRAWINGS = """
one objective                 1                   > 1 2
                              2+3
                              0

one objective, equals         0+1+2               > 0 1

one objective, NaN            2                   > 1 2         ?0 ?5
                              1
                              3

whole ranks                   .  1  .  .          > 0 1
                              0  .  .  .
                              .  .  3  .
                              .  .  .  2

all on the front: its ends    .  .  .  2          > 2 3
                              .  .  1  .
                              .  0  .  .
                              3  .  .  .

the one that adds most        .  .  .  .  4       > 0 2 4
                              .  .  .  3  .
                              .  2  .  .  .
                              .  .  .  .  .
                              0  1  .  .  .

equal volumes: the first      .  .  .  .  1       > 1 2 7
                              .  .  .  4  .
                              .  .  9  .  .
                              .  2  .  .  .
                              7  .  .  .  .

equal points: the first       .   .    2          > 1 2 4
                              4  1+3   .
                              0   .    5

the second rank is cut        .   .    6          > 1 3 6
                              .   3    .
                              1   .    2
                              .   .    .
                              .   4    .

room for one: the best        .  1                > 1
                              0  .

the baseline goes on          .  1  .             > 0 1 2       !0
                              2  .  .
                              .  3  .
                              .  .  0

NaN never goes on             .  1  .             > 1 2         !0 ?0 ?7
                              2  .  .
                              .  3  .

one that is alone             .  5                > 5

none                          .                   >             !0 ?1

two costs                     .  .  |  3  .       > 1 3
                              .  1  |  .  .
                              0  .  |  .  .
                              .  .  |  .  2

two costs, one rank           .  .  |  .  4       > 1 3 4
                              .  .  |  3  .
                              .  1  |  .  .
                              0  .  |  .  .
                              .  .  |  .  2
"""


@pytest.mark.parametrize("drawing", DRAWINGS.strip("\n").split("\n\n"), ids=lambda text: text[:29].strip())
def test_who_goes_on_with_several_objectives(drawing):
    rows = [line[30:].partition(">")[0] for line in drawing.splitlines()]
    _, _, end = drawing.splitlines()[0][30:].partition(">")
    always = {int(word[1:]) for word in end.split() if word[0] == "!"}
    scores = {int(word[1:]): math.nan for word in end.split() if word[0] == "?"}
    costs = dict.fromkeys(scores, (3.0, 3.0))
    for height, row in enumerate(reversed(rows)):
        for panel, part in enumerate(row.split("|")):
            for column, cell in enumerate(part.split()):
                for number in cell.split("+") if cell != "." else []:
                    scores[int(number)] = 0.1 * height
                    costs[int(number)] = (1e6 * 2**column, 1e5 * 10**panel)
    single = drawing.startswith("one objective")
    kept = survivors(scores, None if single else costs, always=always)
    assert kept == {int(word) for word in end.split() if word.isdigit()}


cohorts = st.dictionaries(
    st.integers(0, 60), st.tuples(st.integers(0, 6), st.integers(1, 6), st.integers(1, 6)), max_size=12
)


@given(cohorts, st.integers(1, 2))
def test_nothing_that_goes_on_is_dominated_by_what_stops(cohort, many):
    scores = {number: point[0] / 7 for number, point in cohort.items()}
    costs = {number: point[1 : 1 + many] for number, point in cohort.items()}
    half = survivors(scores, costs)
    assert len(half) == math.ceil(len(cohort) / 2)
    for stopped in cohort.keys() - half:
        for kept in half:
            no_worse = scores[stopped] >= scores[kept] and all(
                mine <= theirs for mine, theirs in zip(costs[stopped], costs[kept], strict=True)
            )
            assert not no_worse or (scores[stopped], costs[stopped]) == (scores[kept], costs[kept])


@given(cohorts, st.sampled_from([0.5, 2.0, 1024.0]), st.randoms(use_true_random=False))
def test_units_and_order_change_nothing(cohort, unit, rng):
    scores = {number: float(point[0]) for number, point in cohort.items()}
    costs = {number: point[1:] for number, point in cohort.items()}
    items = list(scores.items())
    rng.shuffle(items)
    scaled = {number: (unit * a, b) for number, (a, b) in costs.items()}
    assert survivors({n: unit * m for n, m in items}, scaled) == survivors(scores, costs)


@given(cohorts)
def test_equal_costs_leave_accuracy_alone(cohort):
    scores = {number: float(point[0]) for number, point in cohort.items()}
    assert survivors(scores, dict.fromkeys(cohort, (7, 7))) == survivors(scores)


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
    assert estimated_scores(trials, (1, 2, 4), stopped="constant") == {
        number: pytest.approx(expected) for number, (_, expected) in enumerate(ESTIMATES)
    }


def test_a_stopped_trial_is_expected_by_regressions_from_rung_to_rung():
    """Many trials, of which each second one went on: the prior hardly counts."""
    first = [number / 400 for number in range(400)]
    curves = {
        number: {1: score} if number % 2 else {1: score, 2: 0.3 + 0.5 * score, 4: 0.6 + 0.1 * score}
        for number, score in enumerate(first)
    }
    found = expected_at_last_rung(curves, (1, 2, 4))
    for number, score in enumerate(first):
        assert found[number] == pytest.approx(0.6 + 0.1 * score, abs=1e-2)


def test_with_few_trials_the_slope_is_near_its_prior():
    curves = {0: {1: 0.5, 2: 0.9}, 1: {1: 0.3}, 2: {1: 0.1}}
    assert expected_at_last_rung(curves, (1, 2)) == {0: 0.9, 1: pytest.approx(0.7), 2: pytest.approx(0.5)}


@given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=3), max_size=12))
def test_who_finished_keeps_its_score(rows):
    curves = {number: dict(zip((1, 2, 4), row, strict=False)) for number, row in enumerate(rows)}
    found = expected_at_last_rung(curves, (1, 2, 4))
    assert found.keys() == curves.keys()
    assert all(found[number] == curve[4] for number, curve in curves.items() if 4 in curve)
    assert all(math.isfinite(score) for score in found.values())


def test_estimates_from_losses():
    """The loss of trial 1 is lower at the first rung, and so its estimate is higher, against their top-1."""
    held_out = [((2, 3.0), (4, 2.0)), ((2, 1.0),), ((2, 2.0),)]
    trials = [
        a_record(n, scores=scores, losses=tuple((epoch, Losses(held_out=loss)) for epoch, loss in held_out[n]))
        for n, scores in enumerate([(0.5, 0.9), (0.4,), (0.3,)])
    ]
    assert estimated_scores(trials, (2, 4), "loss") == {
        0: 0.9,
        1: pytest.approx(0.9 + (0.5 - 0.3)),  # at the first rung 0.3, 0.5 and 0.4
        2: pytest.approx(0.9 + (0.4 - 0.3)),
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
