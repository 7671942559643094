"""What to score next when costs are to be small too: each proposal aims at a place of its own on the front.

A cost is known exactly before any training, so accuracy alone is uncertain, and one surrogate models it. Each proposal
draws a weight vector over accuracy and the costs, and looks for what is best in the augmented Chebyshev sense
(Knowles 2006, "ParEGO", equation 2): with losses l_j, scaled to the observed ranges, it minimises

    max_j(w_j l_j) + 0.05 sum_j(w_j l_j)

Unlike a weighted sum that also reaches the parts of a front that bulge inwards.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgenext_search.search.sampler.acquisition import (
    DRAWN,
    EXPLOIT,
    EXTRA,
    GENERATIONS,
    OPTIMISM,
    IsNew,
    spread_out,
    unseen,
)
from edgenext_search.search.sampler.features import Array, Features
from edgenext_search.search.sampler.surrogate import Surrogate

CostFunction = Callable[[Array], Array]
"""Logarithms of the costs of rows of codes; shape (rows, parameters) to (rows, costs)."""

AUGMENTED = 0.05  # Knowles's rho: what all losses count beside the largest
KEPT, PARENTS, LITTER = 12, 3, 6  # for each proposal: how many are kept, how many breed, and neighbours of each


def next_codes(
    features: Features,
    codes: Array,
    scores: Array,
    costs: Array,
    *,
    n: int,
    rng: np.random.Generator,
    cost_fn: CostFunction,
    is_new: IsNew | None = None,
) -> Array:
    """Codes of ``n`` assignments to score next; shape (n, parameters).

    A pool is bred toward what each of the proposals looks for. From it they are taken one by one; after each the
    uncertainty is what it will be once that one is scored, so proposals of like weights spread out. Assignments that
    have been scored are not proposed while the pool has others.

    Args:
        features: Of the space.
        codes: What has been scored; shape (observations, parameters), at least one.
        scores: Their scores; shape (observations,).
        costs: Logarithms of their costs; shape (observations, costs).
        n: How many, at least one.
        rng: For weights and pool.
        cost_fn: Costs of any assignment.
        is_new: As of :func:`edgenext_search.search.sampler.acquisition.next_codes`.
    """
    surrogate = Surrogate(features, codes, scores)
    scalarisations = _Scalarisations(surrogate.mean(codes), costs, n, rng)
    cached_costs = _CachedCosts(cost_fn)
    pool = _pool(features, surrogate, scalarisations, cached_costs, observed=np.unique(codes, axis=0), rng=rng)
    pool = unseen(pool, codes)
    if len(pool) < n:
        pool = np.concatenate([pool, features.random(n, rng)])
    mean, pool_costs = surrogate.mean(pool), cached_costs(pool)
    return spread_out(surrogate, pool, n, lambda turn, std: scalarisations.values(mean, std, pool_costs)[turn], is_new)


class _Scalarisations:
    """What each of ``n`` proposals looks for.

    Args:
        expected: Expected scores of what has been scored; shape (observations,).
        costs: Logarithms of their costs; shape (observations, costs).
        n: How many.
        rng: For the weights.
    """

    def __init__(self, expected: Array, costs: Array, n: int, rng: np.random.Generator) -> None:
        observed = np.column_stack([-expected, costs])
        spread = np.ptp(observed, axis=0)
        self._spread = np.where(spread > 0, spread, 1.0)
        self._weights = rng.dirichlet(np.ones(observed.shape[1]), size=n)
        self._optimism = np.where(np.arange(n) % EXPLOIT == 0, 0.0, OPTIMISM)

    def values(self, mean: Array, std: Array, costs: Array) -> Array:
        """How well each assignment of a pool serves each proposal, more is better; shape (n, pool)."""
        utilities = []
        for weights, optimism in zip(self._weights, self._optimism, strict=True):
            losses = np.column_stack([-mean - optimism * std, costs])
            weighted = weights * (losses - losses.min(axis=0)) / self._spread
            utilities.append(-weighted.max(axis=1) - AUGMENTED * weighted.sum(axis=1))
        return np.stack(utilities)


class _CachedCosts:
    """Costs of codes, each assignment asked for once."""

    def __init__(self, cost_fn: CostFunction) -> None:
        self._costs_of = cost_fn
        self._cache: dict[bytes, Array] = {}

    def __call__(self, codes: Array) -> Array:
        keys = [row.tobytes() for row in codes]
        new = {key: row for key, row in zip(keys, codes, strict=True) if key not in self._cache}
        if new:
            self._cache |= zip(new, self._costs_of(np.stack(list(new.values()))), strict=True)
        return np.stack([self._cache[key] for key in keys])


def _pool(
    features: Features,
    surrogate: Surrogate,
    scalarisations: _Scalarisations,
    cached_costs: _CachedCosts,
    *,
    observed: Array,
    rng: np.random.Generator,
) -> Array:
    """Different assignments among which the good ones for each proposal are; shape (pool, parameters)."""
    drawn = features.random(DRAWN, rng)
    pool = np.concatenate([drawn, observed])
    for _ in range(GENERATIONS):
        pool = np.unique(pool, axis=0)
        ranked = (-scalarisations.values(*surrogate.mean_and_std(pool), cached_costs(pool))).argsort(
            axis=1, kind="stable"
        )
        parents = pool[ranked[:, :PARENTS].ravel()]
        children = features.varied(np.repeat(parents, LITTER, axis=0), rng, extra=EXTRA)
        pool = np.concatenate([pool[np.unique(ranked[:, :KEPT])], children])
    return np.unique(np.concatenate([pool, drawn]), axis=0)
