"""Which assignments to score next, given what the surrogate expects: a cohort that learns and uses what it learned."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgenext_search.search.sampler.features import Array, Features
from edgenext_search.search.sampler.surrogate import Surrogate

EXPLOIT = 4  # every fourth proposal, the first among them, has the best expected score; the others explore
OPTIMISM = 3.0  # explorers maximise the expected score plus this many standard deviations
DRAWN = 100  # random assignments in the pool
ELITES, CHILDREN = 12, 20  # the best expected of the observed, and how many neighbours of each are in the first pool
GENERATIONS, KEPT, PARENTS, LITTER = 4, 60, 10, 10  # of the pool: kept by each criterion, parents, neighbours of each
REDRAWS = 20  # of a random assignment that builds a known network: a small space may have no other
EXTRA = 0.6  # mean number of parameters that a neighbour changes beyond one


IsNew = Callable[[Array], bool]
"""Whether a row of codes is another network than all that are known and those that it was asked of before."""


def next_codes(
    features: Features, codes: Array, scores: Array, n: int, rng: np.random.Generator, *, is_new: IsNew | None = None
) -> Array:
    """Codes of ``n`` assignments to score next; shape (n, parameters).

    A pool of candidates is bred toward high expected and high optimistic scores (upper confidence bound: Srinivas,
    Krause, Kakade, Seeger 2010). From it the proposals are taken one by one; after each the uncertainty, which does
    not depend on scores, is what it will be once that one is scored (Desautels, Krause, Burdick 2014), so the cohort
    spreads out. Assignments that have been scored, and others that build a known network, are not proposed while there
    are others.

    Args:
        features: Of the space.
        codes: What has been scored; shape (observations, parameters), at least one.
        scores: Their scores; shape (observations,).
        n: How many.
        rng: For the pool.
        is_new: Whether a row builds a network that is not known yet; None where each row is one of its own.
    """
    surrogate = Surrogate(features, codes, scores)
    pool = unseen(_pool(features, surrogate, np.unique(codes, axis=0), rng), codes)
    if len(pool) < n:
        pool = np.concatenate([pool, features.random(n, rng)])
    mean, _ = surrogate.mean_and_std(pool)

    def value(turn: int, std: Array) -> Array:
        return mean if turn % EXPLOIT == 0 else mean + OPTIMISM * std

    return spread_out(surrogate, pool, n, value, is_new)


def spread_out(
    surrogate: Surrogate, pool: Array, n: int, value: Callable[[int, Array], Array], is_new: IsNew | None = None
) -> Array:
    """Codes of ``n`` different assignments of a pool, taken one by one; shape (n, parameters).

    Those that build known networks are taken last.

    Args:
        surrogate: What is expected.
        pool: At least ``n`` assignments; shape (pool, parameters).
        n: How many.
        value: What the assignments are worth at a turn, given the standard deviations of what is expected once those
            taken before are scored; shape (pool,) to (pool,).
        is_new: As of :func:`next_codes`.
    """
    covariance = surrogate.covariance(pool)
    chosen: list[int] = []
    known: list[int] = []
    for turn in range(n):
        worth = value(turn, np.sqrt(np.maximum(covariance.diagonal(), 0.0)))
        ranked = _best(worth, len(pool))
        left = ranked[~np.isin(ranked, [*chosen, *known])]
        pick = None
        for row in left.tolist():
            if is_new is None or is_new(pool[row]):
                pick = row
                break
            known.append(row)
        if pick is None:
            pick = known.pop(0)
        chosen.append(pick)
        noisy = covariance[pick, pick] + surrogate.noise**2
        covariance = covariance - np.outer(covariance[pick], covariance[pick]) / noisy
    return pool[chosen]


def random_codes(features: Features, n: int, rng: np.random.Generator, is_new: IsNew | None = None) -> Array:
    """Codes of ``n`` random assignments that build networks not known yet, as far as they are easily found."""
    rows = features.random(n, rng)
    if is_new is None:
        return rows
    for row in range(n):
        for _ in range(REDRAWS):
            if is_new(rows[row]):
                break
            rows[row] = features.random(1, rng)[0]
    return rows


def _pool(features: Features, surrogate: Surrogate, observed: Array, rng: np.random.Generator) -> Array:
    """Different assignments among which the good and the promising ones are; shape (pool, parameters)."""
    elites = observed[_best(surrogate.mean(observed), ELITES)]
    drawn = features.random(DRAWN, rng)
    pool = np.concatenate([drawn, features.varied(np.repeat(elites, CHILDREN, axis=0), rng, extra=EXTRA)])
    for _ in range(GENERATIONS):
        pool = np.unique(pool, axis=0)
        mean, std = surrogate.mean_and_std(pool)
        ranked = [pool[_best(mean + optimism * std, KEPT)] for optimism in (0.0, 1.0, OPTIMISM)]
        parents = np.repeat(np.concatenate([kept[:PARENTS] for kept in ranked]), LITTER, axis=0)
        pool = np.concatenate([*ranked, features.varied(parents, rng, extra=EXTRA)])
    return np.unique(np.concatenate([pool, drawn]), axis=0)


def _best(values: Array, n: int) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
    """Indices of the ``n`` largest values, the first of equals first."""
    return np.argsort(-values, kind="stable")[:n]


def unseen(pool: Array, codes: Array) -> Array:
    """The rows of the pool that are not among ``codes``."""
    seen = {row.tobytes() for row in codes}
    return pool[[row.tobytes() not in seen for row in pool]]
