"""The statistics of scaling studies: laws with bootstrap intervals, ranks between budgets, two spaces' errors.

Nothing here knows of trainings. Scores are top-1 in [0, 1], errors in percent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgenext_search.scaling.law import CONFIDENCE, GENERAL, Law, fit_law
from edgenext_search.search.ranking.agreement import judge, seeds_agree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RESAMPLES = 100  # of shapes and seeds, for each law
GRID = 13  # costs at which a law has a band
DRAWS = 40  # from the predictive distribution of each resample
BANDS = 2000  # resamples of candidates, for error distributions
BAND_CONFIDENCE = 0.95
SIGNIFICANT = 0.05
Z = 1.959964  # of 95 %
LEAST = 4  # candidates of a space that a test is made with
_BISECTIONS = 50
_SMALLEST = 1e-3  # percent of error: a perfect score is not known to be better


def laws(
    costs: Mapping[str, Sequence[Sequence[float]]],
    scores: Sequence[Sequence[Sequence[float]]],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> list[dict[str, Any]]:
    """The law of the shapes' median error against each cost, what it says of the largest size, and of the next.

    Shapes and seeds are drawn anew for every interval, and the members of each draw stray from its law as families do
    (:data:`~edgenext_search.scaling.law.GENERAL`).

    Args:
        costs: By name: of each shape at each size, ascending sizes.
        scores: Of each shape at each size with each seed; NaN where a training is missing, but one is there.
        seed: Of the bootstrap.
        resamples: Of the bootstrap.

    Returns:
        For each cost, a JSON object. Its ``band`` holds at costs from the smallest size to the next one the interval of
        another size of the family; the last is that of ``next``.
    """
    table = np.asarray(scores, dtype=float)  # shape, size, seed
    found = []
    for name, values in costs.items():
        rng = np.random.default_rng(seed)
        counts = np.log(np.asarray(values, dtype=float))
        sizes = np.exp(counts.mean(axis=0))
        errors = _middle_errors(table)
        after = float(sizes[-1] ** 2 / sizes[-2])
        grid = np.geomspace(sizes[0], after, GRID)
        parameters, largest, following = [], [], []
        for _ in range(resamples):
            drawn = _resampled(table, rng)
            shapes = np.exp(counts[drawn[0]].mean(axis=0))
            again = _middle_errors(drawn[1])
            law, short = fit_law(shapes, again, GENERAL), fit_law(shapes[:-1], again[:-1], GENERAL)
            parameters.append(law.parameters)
            largest.append(_draws(short, shapes[-1:], rng)[0])
            following.append(_draws(law, grid, rng))
        law = fit_law(sizes, errors, GENERAL)
        actual = float(errors[-1])
        points = [{"cost": float(size), "error": float(error)} for size, error in zip(sizes, errors, strict=True)]
        of_largest: dict[str, Any] = {"cost": float(sizes[-1]), "actual": actual, **_interval(np.concatenate(largest))}
        of_largest["error"] = of_largest["predicted"] - actual
        of_largest["covered"] = of_largest["low"] <= actual <= of_largest["high"]
        band = np.concatenate(following, axis=1)
        of_next: dict[str, Any] = {"cost": after, **_interval(band[-1])}
        ends = [{"cost": float(cost), **_ends(draws)} for cost, draws in zip(grid, band, strict=True)]
        fitted: dict[str, Any] = {
            key: {"value": value, **_ends([item[key] for item in parameters])} for key, value in law.parameters.items()
        }
        found.append(
            {"cost": name, "law": fitted, "points": points, "band": ends, "largest": of_largest, "next": of_next}
        )
    return found


def rank_agreement(scores: Sequence[Sequence[Sequence[float]]], *, seed: int) -> dict[str, Any]:
    """Whether shapes rank alike at different sizes.

    Args:
        scores: As in :func:`laws`.
        seed: Of the bootstrap.

    Returns:
        ``pairs``: for each two sizes, by place, tau-b and Spearman's rank correlation of the shapes' means with their
        intervals over shapes. ``seeds``: for each size the share of pairs of shapes that two seeds order alike.
    """
    table = np.asarray(scores, dtype=float)
    means = np.nanmean(table, axis=2)
    sizes = table.shape[1]
    pairs = []
    for small in range(sizes):
        for large in range(small + 1, sizes):
            agreement = judge(means[:, small], table[:, large], seed=seed)
            pairs.append(
                {
                    "sizes": [small, large],
                    "n": agreement.n,
                    "tau": agreement.tau.to_dict() if agreement.tau else None,
                    "spearman": agreement.spearman.to_dict() if agreement.spearman else None,
                }
            )
    agreed = [seeds_agree(table[:, size], seed=seed) for size in range(sizes)]
    return {"pairs": pairs, "seeds": [item.to_dict() if item else None for item in agreed]}


def compare(names: Sequence[str], sides: Sequence[Sequence[float]], *, seed: int) -> dict[str, Any]:
    """Which of two spaces has the better candidates, by the distributions of their errors.

    As in "Designing Network Design Spaces" (arXiv 2003.13678, section 3.1) spaces are compared by the empirical
    distribution of the errors of random candidates. The test is that of Mann and Whitney (Annals of Mathematical
    Statistics 18, 1947); its statistic over the number of pairs is how often a candidate of the first beats one of the
    second.

    Args:
        names: Of the two spaces.
        sides: Errors in percent of each one's candidates.
        seed: Of the bootstrap over candidates.

    Returns:
        A JSON object; ``superiority`` and ``better`` are None where a side has fewer than four candidates.
    """
    first, second = (np.asarray(side, dtype=float) for side in sides)
    rng = np.random.default_rng(seed)
    spaces = [
        {
            "name": name,
            "n": len(side),
            "mean": float(side.mean()) if len(side) else None,
            "median": float(np.median(side)) if len(side) else None,
            "best": float(side.min()) if len(side) else None,
            "edf": _edf(side, rng),
        }
        for name, side in zip(names, (first, second), strict=True)
    ]
    found: dict[str, Any] = {"spaces": spaces, "superiority": None, "difference": None, "ks": None, "better": None}
    if min(len(first), len(second)) < LEAST:
        return found
    from scipy.stats import ks_2samp, mannwhitneyu

    test = mannwhitneyu(first, second, alternative="two-sided")
    wins = _beats(first, second)
    differences = _drawn_again(first, rng).mean(axis=1) - _drawn_again(second, rng).mean(axis=1)
    ks = ks_2samp(first, second)
    p = float(test.pvalue)
    found["superiority"] = {"value": wins, **_superiority(wins, len(first), len(second)), "p": p}
    found["difference"] = {"value": float(first.mean() - second.mean()), **_ends(differences, BAND_CONFIDENCE)}
    found["ks"] = {"statistic": float(ks.statistic), "p": float(ks.pvalue)}
    if p < SIGNIFICANT and wins != 0.5:
        found["better"] = names[0] if wins > 0.5 else names[1]
    return found


def _middle_errors(table: Floats) -> Floats:
    """Of each size the median over shapes, each the mean of its seeds: a shape that learned nothing decides nothing."""
    errors: Floats = 100 * (1 - np.median(np.nanmean(table, axis=2), axis=0))
    return np.clip(errors, _SMALLEST, 100 - _SMALLEST)


def _resampled(table: Floats, rng: np.random.Generator) -> tuple[NDArray[np.intp], Floats]:
    """Shapes drawn with replacement, each with seeds drawn from those that it has at each size."""
    shapes = rng.integers(len(table), size=len(table))
    drawn = np.empty_like(table)
    for row, shape in enumerate(shapes):
        for size in range(table.shape[1]):
            known = table[shape, size][np.isfinite(table[shape, size])]
            drawn[row, size] = rng.choice(known, size=table.shape[2])
    return shapes, drawn


def _draws(law: Law, costs: Floats, rng: np.random.Generator) -> Floats:
    """Errors of other members: cost by draw. A draw is the same law at all costs, so that a band is smooth."""
    chosen = rng.choice(law.weights.size, size=DRAWS, p=law.weights.ravel())
    straying = rng.standard_normal(DRAWS)
    mixtures = [law.mixture(float(cost)) for cost in costs]
    return np.stack([means[chosen] + deviations[chosen] * straying for _, means, deviations in mixtures])


def _interval(draws: Floats) -> dict[str, Any]:
    return {"predicted": float(np.median(draws)), **_ends(draws)}


def _ends(values: Sequence[float] | Floats, confidence: float = CONFIDENCE) -> dict[str, Any]:
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.asarray(values, dtype=float), [tail, 1 - tail])
    return {"low": float(low), "high": float(high)}


def _edf(side: Floats, rng: np.random.Generator) -> list[dict[str, float]]:
    """The share of candidates at or below each error, with a pointwise band."""
    if not len(side):
        return []
    at = np.unique(side)
    share = (side[:, None] <= at).mean(axis=0)
    again = (_drawn_again(side, rng)[:, :, None] <= at).mean(axis=1)
    tail = (1 - BAND_CONFIDENCE) / 2
    low, high = np.quantile(again, [tail, 1 - tail], axis=0)
    columns = (at, share, low, high)
    return [
        dict(zip(("error", "share", "low", "high"), map(float, row), strict=True)) for row in zip(*columns, strict=True)
    ]


def _drawn_again(side: Floats, rng: np.random.Generator) -> Floats:
    return side[rng.integers(len(side), size=(BANDS, len(side)))]


def _beats(first: Floats, second: Floats) -> float:
    """How often an error of the first is the smaller one; ties count half."""
    signs = np.sign(second[None, :] - first[:, None])
    return float((signs.mean() + 1) / 2)


def _superiority(value: float, first: int, second: int) -> dict[str, float]:
    """The 95 % score interval of a share of pairs (Newcombe, Statistics in Medicine 25, 2006, method 5).

    Unlike a bootstrap it has a width where all pairs are ordered alike.

    Args:
        value: The share.
        first: Candidates on one side of a pair.
        second: Candidates on the other.
    """
    extra = (first + second) / 2 - 1

    def outside(share: float) -> bool:
        odds = (1 - share) / (2 - share) + share / (1 + share)
        variance = share * (1 - share) * (1 + extra * odds) / (first * second)
        return (value - share) ** 2 > Z**2 * variance

    ends = []
    for end in (0.0, 1.0):
        inner, outer = value, end
        for _ in range(_BISECTIONS):
            middle = (inner + outer) / 2
            inner, outer = (inner, middle) if outside(middle) else (middle, outer)
        ends.append(inner)
    return {"low": ends[0], "high": ends[1]}
