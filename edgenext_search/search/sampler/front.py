"""Which of a few points are best when there are several objectives: domination and hypervolume, both exact.

All objectives are losses, less is better, and all are finite. A point dominates another when it is at least as good in
every objective and better in one; equal points do not dominate each other.
"""

from __future__ import annotations

import heapq

import numpy as np

from edgenext_search.search.sampler.features import Array

MARGIN = 0.1  # of each objective's range, between the worst point and the reference point
DIGITS = 12  # of hypervolumes that are compared: what is left beyond them is rounding


def non_dominated_ranks(losses: Array) -> list[int]:
    """Rank of each point: 0 if none dominates it, else 1 if none but those of rank 0 do, and so on.

    Deb, Pratap, Agarwal, Meyarivan 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II", section III A.

    Args:
        losses: Shape (points, objectives).
    """
    as_good = np.asarray((losses[:, None] <= losses[None]).all(axis=2))
    dominates = as_good & ~as_good.T
    ranks = np.full(len(losses), -1)
    rank = 0
    while (ranks < 0).any():
        left = ranks < 0
        ranks[left & ~dominates[left].any(axis=0)] = rank
        rank += 1
    return [int(its) for its in ranks]


def extended(front: Array, point: Array) -> Array | None:
    """A front with one more point, and without those that it dominates; None if one is at least as good everywhere.

    Args:
        front: Points of which none dominates another; shape (points, objectives).
        point: Shape (objectives,).
    """
    if (front <= point).all(axis=1).any():
        return None
    return np.vstack([front[~(point <= front).all(axis=1)], point])


def hypervolume(losses: Array, reference: Array) -> float:
    """Volume of what is dominated by some point and dominates the reference point.

    The WFG algorithm (While, Bradstreet, Barone 2012, "A fast way of calculating exact hypervolumes"): points are added
    one by one, each with the volume that it alone has against those still to come.

    Args:
        losses: Shape (points, objectives); points that are not better than the reference everywhere add nothing.
        reference: Shape (objectives,).
    """
    inside = losses[(losses < reference).all(axis=1)]
    if len(inside) == 0:
        return 0.0
    if losses.shape[1] == 1:
        return float(reference[0] - inside.min())
    if losses.shape[1] == 2:  # steps of a staircase, from left to right
        inside = inside[inside[:, 0].argsort()]
        widths = np.append(inside[1:, 0], reference[0]) - inside[:, 0]
        return float(widths @ (reference[1] - np.minimum.accumulate(inside[:, 1])))
    inside = np.unique(inside, axis=0)  # of equal points one
    inside = inside[[rank == 0 for rank in non_dominated_ranks(inside)]]
    return sum(contribution(inside, index, reference, before=index) for index in range(len(inside)))


def contribution(losses: Array, index: int, reference: Array, before: int = 0) -> float:
    """Volume that a point adds to that of the others: its box less the part of it that they dominate.

    Args:
        losses: Shape (points, objectives).
        index: Which point.
        reference: Shape (objectives,); worse than every point in every objective.
        before: How many of the others, from the first on, do not count.
    """
    others = np.delete(losses, index, axis=0)[before:]
    box = float(np.prod(reference - losses[index]))
    return box - hypervolume(np.maximum(others, losses[index]), reference)


def best_points(losses: Array, n: int) -> list[int]:
    """Indices of the ``n`` best points, in ascending order.

    Whole ranks are taken as long as there is room. Of the rank that is cut, the point that adds least hypervolume is
    dropped again and again until the rest fit (Beume, Naujoks, Emmerich 2007, "SMS-EMOA"); of equals the last one.
    The rank's best point in each objective is kept, that of an earlier objective first where there is no room for all.

    For the hypervolume each objective is scaled so that the points, all ranks together, range from 0 to 1; the
    reference point is 1 + :data:`MARGIN` in every objective: the nadir of the points and a margin, so that extreme
    points have a volume too. So neither an objective's unit nor its zero matters. With a single objective the best
    point is followed by the second best, and of equal ones the first by the second.

    Args:
        losses: Shape (points, objectives).
        n: How many.
    """
    ranks = non_dominated_ranks(losses)
    kept: list[int] = []
    for rank in range(max(ranks, default=-1) + 1):
        members = [index for index, its in enumerate(ranks) if its == rank]
        if len(kept) + len(members) > n:
            chosen = _most_volume(losses[members], _scaled(losses)[members], n - len(kept))
            kept += [members[index] for index in chosen]
            break
        kept += members
    return sorted(kept)


def _most_volume(losses: Array, scaled: Array, n: int) -> list[int]:
    """Indices of the ``n`` points of a rank that are left when those that add least volume are dropped one by one.

    What a point adds never falls as others are dropped, so a volume computed earlier is a lower bound, and only that
    of the least bound has to be computed anew (Minoux 1978's lazy greedy).
    """
    objectives = range(losses.shape[1])
    reference = np.full(losses.shape[1], 1 + MARGIN)
    orders = [np.lexsort((*losses.T[::-1], losses[:, objective])) for objective in objectives]
    extremes = list(dict.fromkeys(int(order[0]) for order in orders))[:n]
    left = list(range(len(losses)))

    def volume(index: int) -> float:
        return round(contribution(scaled[left], left.index(index), reference), DIGITS)

    bounds = [(volume(index), -index, len(left)) for index in left if index not in extremes]
    heapq.heapify(bounds)
    while len(left) > n:
        _, negative, computed_with = heapq.heappop(bounds)
        if computed_with == len(left):
            left.remove(-negative)
        else:
            heapq.heappush(bounds, (volume(-negative), negative, len(left)))
    return left


def _scaled(losses: Array) -> Array:
    """Each objective from 0 to 1; 0 where all points are equal in it."""
    low, high = losses.min(axis=0), losses.max(axis=0)
    return np.asarray((losses - low) / np.where(high > low, high - low, 1.0))
