"""The statistics of scaling studies: laws with bootstrap intervals, ranks between budgets, two spaces' errors.

Nothing here knows of trainings. Scores are top-1 in [0, 1], errors in percent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgenext_search.scaling.law import CONFIDENCE, GENERAL, Law, fit_law
from edgenext_search.scaling.records import (
    BandPoint,
    LargestError,
    LawParameters,
    LawPoint,
    LawResult,
    PredictedError,
    RankPair,
    RanksResult,
    SharePoint,
    SpaceErrors,
    SpacesComparison,
    Superiority,
    TwoSampleTest,
)
from edgenext_search.search.ranking.agreement import judge, seeds_agree
from edgenext_search.search.ranking.results import EstimateResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edgenext_search.arch.metrics import CostName

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
    costs: Mapping[CostName, Sequence[Sequence[float]]],
    scores: Sequence[Sequence[Sequence[float]]],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> list[LawResult]:
    """The law of the shapes' median error against each cost, what it says of the largest size, and of the next.

    Shapes and seeds are drawn anew for every interval, and the members of each draw stray from its law as families do
    (:data:`~edgenext_search.scaling.law.GENERAL`).

    Args:
        costs: By name: of each shape at each size, ascending sizes.
        scores: Of each shape at each size with each seed; NaN where a training is missing, but one is there.
        seed: Of the bootstrap.
        resamples: Of the bootstrap.

    Returns:
        The law of each cost. Its ``band`` holds, at costs from the smallest size to the next one, the interval of
        another size of the family; the last is that of ``next``.
    """
    table = np.asarray(scores, dtype=float)  # shape, size, seed
    fits = []
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
        band = np.concatenate(following, axis=1)
        predicted, low, high = _interval(np.concatenate(largest))
        after_predicted, after_low, after_high = _interval(band[-1])
        fits.append(
            LawResult(
                cost=name,
                law=LawParameters(
                    **{
                        key: _estimate(value, [item[key] for item in parameters], CONFIDENCE)
                        for key, value in law.parameters.items()
                    }
                ),
                points=tuple(LawPoint(cost=size, error=error) for size, error in zip(sizes, errors, strict=True)),
                band=tuple(
                    BandPoint(cost=cost, low=ends[0], high=ends[1])
                    for cost, ends in zip(grid, (_ends(draws, CONFIDENCE) for draws in band), strict=True)
                ),
                largest=LargestError(
                    cost=float(sizes[-1]),
                    actual=actual,
                    predicted=predicted,
                    low=low,
                    high=high,
                    error=predicted - actual,
                    covered=low <= actual <= high,
                ),
                next=PredictedError(cost=after, predicted=after_predicted, low=after_low, high=after_high),
            )
        )
    return fits


def rank_agreement(scores: Sequence[Sequence[Sequence[float]]], *, seed: int) -> RanksResult:
    """Whether shapes rank alike at different sizes.

    Args:
        scores: As in :func:`laws`.
        seed: Of the bootstrap.
    """
    table = np.asarray(scores, dtype=float)
    means = np.nanmean(table, axis=2)
    sizes = table.shape[1]
    pairs = []
    for small in range(sizes):
        for large in range(small + 1, sizes):
            agreement = judge(means[:, small], table[:, large], seed=seed)
            pairs.append(RankPair(sizes=(small, large), n=agreement.n, tau=agreement.tau, spearman=agreement.spearman))
    agreed = [seeds_agree(table[:, size], seed=seed) for size in range(sizes)]
    return RanksResult(pairs=tuple(pairs), seeds=tuple(agreed))


def compare(names: Sequence[str], sides: Sequence[Sequence[float]], *, seed: int) -> SpacesComparison:
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
        The comparison, without a test where a side has fewer than four candidates.
    """
    first, second = (np.asarray(side, dtype=float) for side in sides)
    rng = np.random.default_rng(seed)
    one, other = (
        SpaceErrors(
            name=name,
            n=len(side),
            mean=float(side.mean()) if len(side) else None,
            median=float(np.median(side)) if len(side) else None,
            best=float(side.min()) if len(side) else None,
            edf=_edf(side, rng),
        )
        for name, side in zip(names, (first, second), strict=True)
    )
    if min(len(first), len(second)) < LEAST:
        return SpacesComparison(spaces=(one, other))
    from scipy.stats import ks_2samp, mannwhitneyu

    p = float(mannwhitneyu(first, second, alternative="two-sided").pvalue)
    wins = _beats(first, second)
    low, high = _superiority(wins, len(first), len(second))
    differences = _drawn_again(first, rng).mean(axis=1) - _drawn_again(second, rng).mean(axis=1)
    ks = ks_2samp(first, second)
    return SpacesComparison(
        spaces=(one, other),
        superiority=Superiority(value=wins, low=low, high=high, p=p),
        difference=_estimate(float(first.mean() - second.mean()), differences, BAND_CONFIDENCE),
        ks=TwoSampleTest(statistic=float(ks.statistic), p=float(ks.pvalue)),
        better=names[wins < 0.5] if p < SIGNIFICANT and wins != 0.5 else None,
    )


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
            scores = table[shape, size][np.isfinite(table[shape, size])]
            drawn[row, size] = rng.choice(scores, size=table.shape[2])
    return shapes, drawn


def _draws(law: Law, costs: Floats, rng: np.random.Generator) -> Floats:
    """Errors of other members: cost by draw. A draw is the same law at all costs, so that a band is smooth."""
    chosen = rng.choice(law.weights.size, size=DRAWS, p=law.weights.ravel())
    straying = rng.standard_normal(DRAWS)
    mixtures = [law.mixture(float(cost)) for cost in costs]
    return np.stack([means[chosen] + deviations[chosen] * straying for _, means, deviations in mixtures])


def _interval(draws: Floats) -> tuple[float, float, float]:
    """The median of draws and the ends of their 90 % interval."""
    return float(np.median(draws)), *_ends(draws, CONFIDENCE)


def _estimate(value: float, draws: Sequence[float] | Floats, confidence: float) -> EstimateResult:
    low, high = _ends(draws, confidence)
    return EstimateResult(value=value, low=low, high=high)


def _ends(values: Sequence[float] | Floats, confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.asarray(values, dtype=float), [tail, 1 - tail])
    return float(low), float(high)


def _edf(side: Floats, rng: np.random.Generator) -> tuple[SharePoint, ...]:
    """The share of candidates at or below each error, with a pointwise bootstrap band.

    ``scipy.stats.ecdf`` has Greenwood's band, which has no width where the share is 1 and other values elsewhere.
    """
    if not len(side):
        return ()
    at = np.unique(side)
    share = (side[:, None] <= at).mean(axis=0)
    again = (_drawn_again(side, rng)[:, :, None] <= at).mean(axis=1)
    tail = (1 - BAND_CONFIDENCE) / 2
    low, high = np.quantile(again, [tail, 1 - tail], axis=0)
    return tuple(
        SharePoint(error=error, share=value, low=lower, high=upper)
        for error, value, lower, upper in zip(at, share, low, high, strict=True)
    )


def _drawn_again(side: Floats, rng: np.random.Generator) -> Floats:
    return side[rng.integers(len(side), size=(BANDS, len(side)))]


def _beats(first: Floats, second: Floats) -> float:
    """How often an error of the first is the smaller one; ties count half."""
    signs = np.sign(second[None, :] - first[:, None])
    return float((signs.mean() + 1) / 2)


def _superiority(value: float, first: int, second: int) -> tuple[float, float]:
    """The 95 % score interval of a share of pairs (Newcombe, Statistics in Medicine 25, 2006, method 5).

    Unlike a bootstrap it has a width where all pairs are ordered alike.
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
    return ends[0], ends[1]
