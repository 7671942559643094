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
EXTRA = 0.6  # mean number of parameters that a neighbour changes beyond one


def next_codes(features: Features, codes: Array, scores: Array, n: int, rng: np.random.Generator) -> Array:
    """Codes of ``n`` assignments to score next; shape (n, parameters).

    A pool of candidates is bred toward high expected and high optimistic scores (upper confidence bound: Srinivas,
    Krause, Kakade, Seeger 2010). From it the proposals are taken one by one; after each the uncertainty, which does
    not depend on scores, is what it will be once that one is scored (Desautels, Krause, Burdick 2014), so the cohort
    spreads out. Assignments that have been scored are not proposed while the pool has others.

    Args:
        features: Of the space.
        codes: What has been scored; shape (observations, parameters), at least one.
        scores: Their scores; shape (observations,).
        n: How many.
        rng: For the pool.
    """
    surrogate = Surrogate(features, codes, scores)
    pool = unseen(_pool(features, surrogate, np.unique(codes, axis=0), rng), codes)
    if len(pool) < n:
        pool = np.concatenate([pool, features.random(n, rng)])
    mean, _ = surrogate.mean_and_std(pool)

    def value(turn: int, std: Array) -> Array:
        return mean if turn % EXPLOIT == 0 else mean + OPTIMISM * std

    return spread_out(surrogate, pool, n, value)


def spread_out(surrogate: Surrogate, pool: Array, n: int, value: Callable[[int, Array], Array]) -> Array:
    """Codes of ``n`` different assignments of a pool, taken one by one; shape (n, parameters).

    Args:
        surrogate: What is expected.
        pool: At least ``n`` assignments; shape (pool, parameters).
        n: How many.
        value: What the assignments are worth at a turn, given the standard deviations of what is expected once those
            taken before are scored; shape (pool,) to (pool,).
    """
    covariance = surrogate.covariance(pool)
    chosen: list[int] = []
    for turn in range(n):
        worth = value(turn, np.sqrt(np.maximum(covariance.diagonal(), 0.0)))
        pick = int(np.where(np.isin(np.arange(len(pool)), chosen), -np.inf, worth).argmax())
        chosen.append(pick)
        noisy = covariance[pick, pick] + surrogate.noise**2
        covariance = covariance - np.outer(covariance[pick], covariance[pick]) / noisy
    return pool[chosen]


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
