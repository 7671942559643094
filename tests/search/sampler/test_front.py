import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from optuna._hypervolume import compute_hypervolume

from edgenext_search.search.sampler.front import (
    DIGITS,
    MARGIN,
    best_points,
    contribution,
    extended,
    hypervolume,
    non_dominated_ranks,
)


@st.composite
def some_points(draw, *, least=1, most=9, objectives=(1, 4)):
    """Points on a coarse grid, so that ties and duplicates are common."""
    shape = draw(st.tuples(st.integers(least, most), st.integers(*objectives)))
    return draw(arrays.arrays(np.float64, shape, elements=st.integers(0, 5).map(float)))


def drawn(picture):
    """Losses of the numbered points of a drawing: columns from left to right, rows from the top; less is better."""
    found = {}
    for y, row in enumerate(picture.strip("\n").splitlines()):
        for x, cell in enumerate(row.split()):
            found |= {int(number): (float(x), float(y)) for number in cell.split("+") if number != "."}
    return np.array([found[number] for number in sorted(found)])


def dominates(a, b):
    return bool((a <= b).all() and (a < b).any())


RANKS = [
    ("0", [0]),
    ("0+1", [0, 0]),
    (
        """
        0  .  .
        .  1  .
        .  .  2
        """,
        [0, 1, 2],
    ),
    (
        """
        .  .  0
        .  1  .
        2  .  .
        """,
        [0, 0, 0],
    ),
    (
        """
        .  0  4
        1  3  .
        2  .  5
        """,
        [0, 0, 1, 1, 1, 2],
    ),
]


@pytest.mark.parametrize(("picture", "ranks"), RANKS)
def test_ranks(picture, ranks):
    assert non_dominated_ranks(drawn(picture)) == ranks


def test_no_points():
    assert non_dominated_ranks(np.empty((0, 2))) == []
    assert best_points(np.empty((0, 2)), 3) == []
    assert hypervolume(np.empty((0, 3)), np.ones(3)) == 0


@given(some_points())
def test_a_rank_is_the_longest_chain_of_points_that_dominate_one_another(points):
    def chain(index):
        return max((1 + chain(other) for other, p in enumerate(points) if dominates(p, points[index])), default=0)

    assert non_dominated_ranks(points) == [chain(index) for index in range(len(points))]


@given(some_points())
def test_a_front_extended_point_by_point_is_that_of_all(points):
    front = points[:0]
    for point in points:
        grown = extended(front, point)
        front = front if grown is None else grown
    first = points[[rank == 0 for rank in non_dominated_ranks(points)]]
    assert sorted(map(tuple, front)) == sorted(set(map(tuple, first)))


# Volumes: # is what a point alone dominates, = what others do too; the reference is the lower right corner.


def test_the_volume_of_a_staircase():
    """
    0 # # .      0 1 2 3
    = 1 = #
    = = 2 #
    """
    steps = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])  # dominated ones add nothing
    assert hypervolume(steps, np.array([4.0, 3.0])) == 12
    front = np.array([[0.0, 2.0], [1.0, 1.0], [3.0, 0.0]])
    reference = np.array([4.0, 3.0])
    assert hypervolume(front, reference) == 4 + 3 + 1
    assert [contribution(front, index, reference) for index in range(len(front))] == [1, 2, 1]
    twice = np.concatenate([front, front[1:2]])
    assert [contribution(twice, index, reference) for index in range(len(twice))] == [1, 0, 1, 0]


def test_the_volume_of_boxes():
    reference = np.array([2.0, 2.0, 2.0])
    corners = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])  # each two unit cubes, one is shared
    assert hypervolume(corners, reference) == 4
    assert [contribution(corners, index, reference) for index in range(len(corners))] == [1, 1, 1]
    assert hypervolume(np.array([[0.0, 0.0, 2.0]]), reference) == 0
    assert hypervolume(np.array([[0.5]]), np.array([2.0])) == 1.5


@given(some_points(most=12))
def test_volumes_are_those_of_optuna(points):
    reference = np.full(points.shape[1], 5.5)
    assert hypervolume(points, reference) == pytest.approx(compute_hypervolume(points, reference))


@given(some_points())
def test_a_contribution_is_the_volume_less_that_of_the_others(points):
    reference = np.full(points.shape[1], 6.0)
    whole = hypervolume(points, reference)
    for index in range(len(points)):
        assert contribution(points, index, reference) == pytest.approx(
            whole - hypervolume(np.delete(points, index, axis=0), reference)
        )


def naive(points, n):
    """The best points by the definition: every volume computed anew, by Optuna."""
    scaled = points - points.min(axis=0)
    scaled /= np.where(scaled.max(axis=0) > 0, scaled.max(axis=0), 1)
    reference = np.full(points.shape[1], 1 + MARGIN)
    ranks = non_dominated_ranks(points)
    kept = []
    for rank in range(max(ranks) + 1):
        members = [index for index in range(len(points)) if ranks[index] == rank]
        extremes = []
        for objective in range(points.shape[1]):
            best = min(members, key=lambda index, o=objective: (points[index][o], *points[index], index))
            extremes += [best] if best not in extremes else []
        extremes = extremes[: max(n - len(kept), 0)]
        while len(kept) + len(members) > n:
            volume = compute_hypervolume(scaled[members], reference)
            adds = {
                index: volume - compute_hypervolume(scaled[[m for m in members if m != index]], reference)
                if len(members) > 1
                else volume
                for index in members
                if index not in extremes
            }
            members.remove(min(adds, key=lambda index: (round(adds[index], DIGITS - 2), -index)))
        kept += members
    return sorted(kept)


@given(some_points(objectives=(1, 3)), st.integers(0, 9))
def test_the_best_points_are_those_of_the_definition(points, n):
    assert best_points(points, n) == naive(points, n)


@given(some_points(), st.integers(0, 12))
def test_as_many_as_asked_and_none_that_a_dropped_one_dominates(points, n):
    best = best_points(points, n)
    assert len(best) == min(n, len(points))
    dropped = set(range(len(points))) - set(best)
    assert not any(dominates(points[d], points[b]) for d in dropped for b in best)


@given(some_points(least=2), st.data())
def test_units_and_zeros_of_the_objectives_do_not_matter(points, data):
    n = data.draw(st.integers(1, len(points)))
    scale = np.array([data.draw(st.sampled_from([0.25, 1.0, 4.0, 1024.0])) for _ in points.T])
    shift = np.array([data.draw(st.integers(-8, 8)) for _ in points.T])
    assert best_points(points * scale + shift, n) == best_points(points, n)


@given(some_points(least=2), st.data())
def test_whole_ranks_stay_whatever_the_scale(points, data):
    """Any rescaling that keeps the order keeps the ranks; only the choice inside of the rank that is cut may change."""
    n = data.draw(st.integers(1, len(points)))
    bent = np.exp(points)
    ranks = non_dominated_ranks(points)
    assert non_dominated_ranks(bent) == ranks
    whole = [r for r in set(ranks) if sum(other <= r for other in ranks) <= n]
    surely = {index for index, r in enumerate(ranks) if r in whole}
    assert surely <= set(best_points(points, n)) & set(best_points(bent, n))


@given(st.permutations(range(7)))
def test_the_order_decides_between_equals_alone(order):
    points = np.array([(x, math.exp(-x * 0.7)) for x in range(7)])  # all different, and so are their volumes
    expected = {tuple(points[index]) for index in best_points(points, 4)}
    shuffled = points[list(order)]
    assert {tuple(shuffled[index]) for index in best_points(shuffled, 4)} == expected
