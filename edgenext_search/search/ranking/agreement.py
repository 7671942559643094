"""How well a series of scores ranks candidates as a reference does: pure statistics, on any named series.

Nothing here knows of trials or trainings. Scores are compared with references of several seeds, [n, seeds], NaN where
a value is missing. All that is estimated comes with a bootstrap interval over candidates, made from how often each
candidate was drawn, so that one drawn twice is never compared with itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from edgenext_search.search.ranking.results import EstimateResult, NoiseCeiling

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Series = Sequence[float] | Floats
    Table = Sequence[Sequence[float]] | Floats

LEAST = 4  # candidates that a rank correlation is computed from
RESAMPLES = 2000
CONFIDENCE = 0.95
TOPS = (1, 3, 5)
_CHUNK = 4_000_000  # numbers that a step of the bootstrap holds at once
_LEAST_SHARE = 0.5  # of the resamples that must have a value, or there is no interval
_TIE = 1e-9  # of a series' range; values nearer than this tie
_ROUNDING = 1e-14  # of a series' values, alike: means of the same scores in another order tie


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What a series of scores says about the order of the references' means.

    Attributes:
        n: Candidates that have both.
        tau: Kendall's tau-b (Biometrika 33, 1945); None where either is constant or ``n`` is less than 4.
        spearman: Spearman's rank correlation, of average ranks; None as before.
        pairwise_accuracy: Share of pairs of candidates whose references differ that the score orders alike; a tie of
            the score counts half. That is (1 + Somers' D) / 2 (American Sociological Review 27, 1962), and
            (1 + tau) / 2 where nothing ties.
        partial_tau: tau-b of the residuals after least squares on the covariates; None as before, or without any.
        partial_spearman: Spearman's of the same residuals.
        noise_ceiling: None with fewer than two seeds, or where one of its correlations does not exist.
        regret: By k: the reference of the best candidate of all, less that of the best among the k that the score
            ranks highest, in the references' unit. Ties are broken in every way, and averaged. None with fewer than k.
    """

    n: int
    tau: EstimateResult | None
    spearman: EstimateResult | None
    pairwise_accuracy: EstimateResult | None
    partial_tau: EstimateResult | None
    partial_spearman: EstimateResult | None
    noise_ceiling: NoiseCeiling | None
    regret: dict[int, float | None]

    def to_fields(self) -> dict[str, Any]:
        """The fields by name, to be laid into an :class:`~edgenext_search.search.ranking.results.AuditSeries`."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def judge(
    scores: Series,
    references: Table,
    covariates: Table | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Agreement:
    """How well scores rank candidates as references do.

    Args:
        scores: Scores to be judged, higher is better, [n]; NaN where a candidate has none.
        references: What is held to be true, [n, seeds]; NaN where a training is missing.
        covariates: What is taken out for the partial correlations, such as log costs, [n, c].
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
    """
    x, table = np.asarray(scores, float), _table(references)
    truth = _mean(table)
    kept = np.isfinite(x) & np.isfinite(truth)
    best = float(np.nanmax(truth)) if np.isfinite(truth).any() else math.nan
    x, y, table = x[kept], truth[kept], table[kept]
    weights = _weights(len(x), resamples, seed)
    estimates: list[EstimateResult | None] = [None] * 3
    partial: list[EstimateResult | None] = [None] * 2
    if len(x) >= LEAST:
        estimates = _estimates(lambda w: _correlations(_signs(x), _signs(y), w), weights)
        if covariates is not None:
            taken = np.asarray(covariates, float)[kept]
            if len(x) - taken.shape[1] >= LEAST:
                partial = _estimates(lambda w: _partial(x, y, taken, w)[:2], weights)
    return Agreement(
        n=len(x),
        tau=estimates[0],
        spearman=estimates[1],
        pairwise_accuracy=estimates[2],
        partial_tau=partial[0],
        partial_spearman=partial[1],
        noise_ceiling=_noise_ceiling(x, table, resamples, seed),
        regret={k: _regret(x, y, k, best) for k in TOPS},
    )


def seeds_agree(references: Table, *, resamples: int = RESAMPLES, seed: int = 0) -> EstimateResult | None:
    """Share of pairs of candidates that two single seeds order alike: the mean over all pairs of seeds.

    Args:
        references: [n, seeds]; candidates and seeds are left out as for the :class:`NoiseCeiling`.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        None with fewer than two seeds or four candidates, or where a seed's references are constant.
    """
    table = _table(references)
    rows, seeds = _in_full(table)
    table = table[rows, :seeds]
    if len(table) < LEAST or not seeds:
        return None
    signs = [_signs(column) for column in table.T]

    def share(w: Floats) -> Floats:
        pairs = [_correlations(a, b, w)[2] for i, a in enumerate(signs) for j, b in enumerate(signs) if i != j]
        mean: Floats = np.mean(pairs, axis=0, keepdims=True)
        return mean

    return _estimates(share, _weights(len(table), resamples, seed))[0]


def pairwise_accuracy(
    scores: Series, references: Table, *, resamples: int = RESAMPLES, seed: int = 0
) -> EstimateResult | None:
    """:attr:`Agreement.pairwise_accuracy` of :func:`judge`, without all the rest."""
    x, y = np.asarray(scores, float), _mean(_table(references))
    kept = np.isfinite(x) & np.isfinite(y)
    if kept.sum() < LEAST:
        return None
    a, b = _signs(x[kept]), _signs(y[kept])
    return _estimates(lambda w: _correlations(a, b, w)[2:], _weights(len(a), resamples, seed))[0]


def _table(references: Table) -> Floats:
    table = np.asarray(references, float)
    return table if len(table) else table.reshape(0, 1)


def _mean(table: Floats) -> Floats:
    """Means over the seeds that are there, [n]; NaN where there is none."""
    there = np.isfinite(table)
    count = there.sum(axis=1)
    total = np.where(there, table, 0.0).sum(axis=1)
    means: Floats = np.divide(total, count, out=np.full(len(table), math.nan), where=count > 0)
    return means


def _in_full(table: Floats) -> tuple[NDArray[np.bool_], int]:
    """Who has the first m >= 2 seeds in full, [n], and m: most candidates, then most seeds; 0 of one seed."""
    there = np.isfinite(table)
    seeds = max(range(2, table.shape[1] + 1), key=lambda m: (there[:, :m].all(axis=1).sum(), m), default=0)
    return np.asarray(there[:, :seeds].all(axis=1)), seeds


def _weights(n: int, resamples: int, seed: int) -> Floats:
    """How often each candidate is drawn, [1 + resamples, n]; the first row is the sample itself."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=resamples) if n else np.zeros((resamples, 0))
    return np.concatenate([np.ones((1, n)), drawn.astype(float)])


def _signs(x: Floats, like: Floats | None = None) -> Floats:
    """Order of each pair, [..., n, n]: 1 where the first is greater, -1 where it is less, 0 where they tie.

    Differences that are rounding, measured by the series ``like`` (``x`` itself unless given), are ties.
    """
    scale = x if like is None else like
    tie = max(_TIE * float(np.ptp(scale)), _ROUNDING * float(np.abs(scale).max()))
    difference = x[..., :, None] - x[..., None, :]
    signs: Floats = np.where(np.abs(difference) <= tie, 0.0, np.sign(difference))
    return signs


def _correlations(a: Floats, b: Floats, w: Floats) -> Floats:
    """Kendall's tau-b, Spearman's rho and the share of pairs in order, of weighted candidates; NaN where undefined.

    With ``a_ij`` the sign of x_i - x_j: tau-b is sum w_i w_j a_ij b_ij over the root of the pairs that do not tie in
    either; the average rank of i is (sum_j w_j a_ij + n + 1) / 2, so rho is Pearson's correlation of those sums.

    Args:
        a: Signs of the scores, [n, n] or [r, n, n].
        b: Signs of the references, alike.
        w: Weights, [r, n].

    Returns:
        [3, r].
    """

    def over_j(matrix: Floats) -> Floats:
        return w @ matrix.T if matrix.ndim == 2 else np.einsum("rij,rj->ri", matrix, w)

    both, in_a, in_b = ((w * over_j(matrix)).sum(axis=1) for matrix in (a * b, a * a, b * b))
    p, q = over_j(a), over_j(b)
    cross, var_a, var_b = ((w * product).sum(axis=1) for product in (p * q, p * p, q * q))
    defined = (in_a > 0) & (in_b > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        statistics = np.stack([both / np.sqrt(in_a * in_b), cross / np.sqrt(var_a * var_b), both / in_b])
    statistics[2] = (1 + statistics[2]) / 2
    return np.where(defined, np.clip(statistics, -1.0, 1.0), math.nan)


def _partial(x: Floats, y: Floats, covariates: Floats, w: Floats) -> Floats:
    """:func:`_correlations` of the residuals of weighted least squares on the covariates and a constant, [3, r]."""
    spread = covariates.std(axis=0)
    scaled = (covariates - covariates.mean(axis=0)) / np.where(spread > _TIE, spread, np.inf)
    design = np.column_stack([np.ones(len(x)), scaled])  # [n, c + 1]
    chunks = []
    step = max(1, _CHUNK // len(x) ** 2)
    for start in range(0, len(w), step):
        part = w[start : start + step]
        gram = np.einsum("ri,ij,ik->rjk", part, design, design)
        inverse = np.linalg.pinv(gram, rcond=_TIE, hermitian=True)

        def residual_signs(series: Floats, part: Floats = part, inverse: Floats = inverse) -> Floats:
            coefficients = np.einsum("rjk,ik,ri,i->rj", inverse, design, part, series, optimize=True)
            return _signs(series - coefficients @ design.T, like=series)

        chunks.append(_correlations(residual_signs(x), residual_signs(y), part))
    return np.concatenate(chunks, axis=1)


def _estimates(statistics: Callable[[Floats], Floats], weights: Floats) -> list[EstimateResult | None]:
    """An estimate of each of several statistics, from their values of the sample and of its resamples."""
    return [_estimate(values) for values in statistics(weights)]


def _estimate(values: Floats) -> EstimateResult | None:
    value, drawn = values[0], values[1:][np.isfinite(values[1:])]
    if not math.isfinite(value):
        return None
    low = high = None
    if len(drawn) >= max(1, _LEAST_SHARE * (len(values) - 1)):
        ends = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        low, high = map(float, ends) if np.ptp(ends) > _TIE else (None, None)
    return EstimateResult(value=float(value), low=low, high=high)


def _noise_ceiling(x: Floats, table: Floats, resamples: int, seed: int) -> NoiseCeiling | None:
    rows, seeds = _in_full(table)
    x, table = x[rows], table[rows, :seeds]
    if len(x) < LEAST or not seeds:
        return None
    mine = _signs(x)
    others = [(_signs(table[:, s]), _signs(np.delete(table, s, axis=1).mean(axis=1))) for s in range(seeds)]

    def statistics(w: Floats) -> Floats:
        reached = np.mean([_correlations(one, rest, w) for one, rest in others], axis=0)
        score = np.mean([_correlations(mine, rest, w) for _, rest in others], axis=0)
        return np.stack([reached[0], score[0], reached[0] - score[0], reached[2], score[2]])

    tau, score_tau, headroom, pairs, score_pairs = _estimates(statistics, _weights(len(x), resamples, seed))
    if tau is None or score_tau is None or headroom is None or pairs is None or score_pairs is None:
        return None
    return NoiseCeiling(
        n=len(x),
        seeds=seeds,
        tau=tau,
        score_tau=score_tau,
        headroom=headroom,
        share_of_noise_ceiling=score_tau.value / tau.value if tau.value > 0 else None,
        pairwise_accuracy=pairs,
        score_pairwise_accuracy=score_pairs,
    )


def _regret(x: Floats, y: Floats, k: int, best: float) -> float | None:
    """``best`` less the greatest reference among the k highest scores, averaged over all ways to break ties.

    Of m candidates that tie for r of the k places, sorted by reference, the j-th is the best of those chosen in
    C(j - 1, r - 1) of C(m, r) ways.
    """
    if len(x) < k:
        return None
    threshold = np.sort(x)[-k]
    sure = max(y[x > threshold], default=-math.inf)
    tied = np.sort(y[x == threshold])
    places = k - int((x > threshold).sum())
    ways = [math.comb(j, places - 1) for j in range(len(tied))]
    expected = sum(way * max(sure, value) for way, value in zip(ways, tied, strict=True)) / sum(ways)
    return float(max(0.0, best - expected))
