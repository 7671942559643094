"""Which images a candidate learns from and which score it: pure functions of the labels and a seed."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edgenext_search.errors import UserError

IntArray: TypeAlias = npt.NDArray[np.int64]


def stratified_split(labels: IntArray, *, val_fraction: float, seed: int) -> tuple[IntArray, IntArray]:
    """Hold out about the same fraction of every class.

    A class of c images gives `round(c * val_fraction)` of them to validation, at least one and at most c - 1.

    Args:
        labels: Class of each image, [n].
        val_fraction: Fraction to hold out, in (0, 1).
        seed: Which images are held out.

    Returns:
        Indices to train on and indices to score on: disjoint, each sorted, together all of 0..n-1.

    Raises:
        UserError: If `val_fraction` is out of range or a class has a single image.
    """
    if not 0 < val_fraction < 1:
        raise UserError(
            "The fraction of images held out for scoring must lie between 0 and 1, but val_fraction is "
            f"{val_fraction}. Use 0.1, say."
        )
    present, counts = np.unique(labels, return_counts=True)
    if (counts == 1).any():
        single = ", ".join(str(label) for label in present[counts == 1][:5])
        raise UserError(
            "Every class needs at least 2 images, one to train on and one to score on, but "
            f"{int((counts == 1).sum())} class(es) have 1: class index {single}. Add images, or remove the class "
            "(from val/ too)."
        )
    held_out = np.clip(np.rint(counts * val_fraction), 1, counts - 1).astype(np.int64)
    rank, which_class = _rank_within_class(labels, seed)
    in_val = rank < held_out[which_class]
    return np.flatnonzero(~in_val), np.flatnonzero(in_val)


def stratified_subset(labels: IntArray, *, n: int, seed: int) -> IntArray:
    """Choose n images with about the class proportions of the whole.

    All images are put in one order, of which the subset is the head: first one image of every class, then the classes
    interleaved in proportion to their size. So subsets of one seed are nested, and hold every class from
    n = number of classes on.

    Args:
        labels: Class of each image, [N].
        n: Number of images wanted, at least 1; more than N means all.
        seed: Which images are chosen.

    Returns:
        Sorted indices, [min(n, N)].

    Raises:
        UserError: If n is less than 1.
    """
    if n < 1:
        raise UserError(f"A subset needs at least 1 image, but {n} were asked for. Ask for more, or for all.")
    rank, which_class = _rank_within_class(labels, seed)
    counts = np.bincount(which_class)
    position = np.where(rank == 0, 0.0, (rank + 0.5) / counts[which_class])
    order = np.lexsort((_shuffled_keys(len(labels), seed), position))
    return np.sort(order[:n]).astype(np.int64)


def _rank_within_class(labels: IntArray, seed: int) -> tuple[IntArray, IntArray]:
    """Random rank of each image within its class, and the position of that class among those present; both [n]."""
    _, which_class = np.unique(labels, return_inverse=True)
    order = np.lexsort((_shuffled_keys(len(labels), seed), which_class))
    starts = np.concatenate([[0], np.cumsum(np.bincount(which_class))[:-1]]) if len(labels) else np.zeros(0, int)
    rank = np.empty(len(labels), dtype=np.int64)
    rank[order] = np.arange(len(labels)) - starts[which_class[order]]
    return rank, which_class.astype(np.int64)


def _shuffled_keys(n: int, seed: int) -> IntArray:
    return np.random.default_rng(seed).permutation(n).astype(np.int64)
