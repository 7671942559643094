"""What scores to expect: a Gaussian process over assignments, with the noise of a score as a part of the model.

The kernel is an ANOVA decomposition (Duvenaud, Nickisch, Rasmussen 2011, "Additive Gaussian processes") with automatic
relevance determination: with the columns f of :class:`Features`, and a relevance t for each parameter,

    a(x, x') = sum over columns of t f(x) f(x')                              main effects
    s(x, x') = sum over pairs of columns of sqrt(t u) c f(x) g(x')           what they have in common over the stages
    p(x, x') = sum over pairs of linear columns of t f(x) f(x') u g(x) g(x') interactions
    r(x, x') = exp(-d / 2 (a(x, x) + a(x', x') - 2 a(x, x')))                whatever else is smooth
    k = 1 + a + sigma s + rho p + tau r,    score = mean + spread (h + noise),    h ~ GP(0, k)

A field may act alike in near stages, depth in stage 3 as in stage 2: c are the correlations of :class:`Features`, and
sigma, how much of that there is, is fitted. Where it holds, the scores that tell of one stage tell of the others.
The pairs cost no more than the main effects: sum_{i<j} b_i b_j = ((sum b_i)^2 - sum b_i^2) / 2, and the sum of squares
is again a product of columns. Relevances, sigma, rho, tau, d and the noise are maximum a posteriori under log-normal
priors (Rasmussen and Williams 2006, section 5.4), so that few scores give sober answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize

from edgenext_search.search.sampler.features import Array, Features

FITTED = 256  # at most this many scores fit the hyperparameters: their count is small, and the fit cubic
SUPPORT = 512  # at most this many assignments span the posterior; beyond, the projected process approximates it
ITERATIONS = 40
JITTER = 1e-8

# Prior of each hyperparameter's logarithm: median of the hyperparameter, standard deviation, and bounds of the fit.
# Scores are standardised: 1 is their own variance. The relevances share one more factor, with median 1.
MAIN = 0.7  # of the variance is expected in main effects, to equal parts
RELEVANCE = (1.0, (-12.0, 3.0))
PAIRS = (0.3, 1.0, (-6.0, 2.0))
REST = (0.1, 1.0, (-8.0, 2.0))
DECAY = (1.0, 0.7, (-3.0, 3.0))
NOISE = (0.1, 2.0, (float(np.log(1e-4)), 2.0))
COMMON = (1.0, 1.0, (-6.0, 3.0))
SHARED = (1.0, 1.5, (-3.0, 3.0))


@dataclass(frozen=True, slots=True)
class _Kernel:
    """The kernel with one set of hyperparameters.

    Attributes:
        weight: Relevance of each column; shape (columns,).
        linear: Which columns interact; shape (columns,).
        alike: Correlation of the columns' common effects; shape (columns, columns).
        pairs: Weight of the interactions.
        rest: Variance of the rest.
        decay: How fast the rest forgets.
        noise: Variance of a score's noise.
        common: Weight of what effects have in common.
    """

    weight: Array
    linear: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    alike: Array
    pairs: float
    rest: float
    decay: float
    noise: float
    common: float

    def main(self, x: Array, y: Array) -> Array:
        """Constant, main effects and what they have in common; shape (len(x), len(y))."""
        root = self.weight**0.5
        return np.asarray(1 + (x * root) @ self._mixing() @ (y * root).T)

    def parts(self, x: Array, y: Array) -> tuple[Array, Array, Array, Array]:
        """Linear main effects, interactions, squared distances and the rest's correlation; shape (len(x), len(y))."""
        main = (x * self.weight) @ y.T
        xl, yl, wl = x[:, self.linear], y[:, self.linear], self.weight[self.linear]
        lines = (xl * wl) @ yl.T
        pairs = (lines**2 - self._squares(xl, yl, wl)) / 2
        distance = (x**2 @ self.weight)[:, None] + (y**2 @ self.weight)[None] - 2 * main
        return lines, pairs, distance, np.exp(-self.decay / 2 * np.maximum(distance, 0.0))

    def __call__(self, x: Array, y: Array) -> Array:
        """Prior covariance of rows of columns; shape (len(x), len(y))."""
        _, pairs, _, rest = self.parts(x, y)
        return np.asarray(self.main(x, y) + self.pairs * pairs + self.rest * rest)

    def diagonal(self, x: Array) -> Array:
        """Prior variance of rows of columns; shape (len(x),)."""
        xl, wl = x[:, self.linear], self.weight[self.linear]
        pairs = ((xl**2 @ wl) ** 2 - xl**4 @ wl**2) / 2
        z = x * self.weight**0.5
        return np.asarray(1 + (z @ self._mixing() * z).sum(axis=1) + self.pairs * pairs + self.rest)

    def _mixing(self) -> Array:
        """Covariance of the columns' effects, less their weights; shape (columns, columns)."""
        return np.asarray(np.eye(len(self.weight)) + self.common * self.alike)

    @staticmethod
    def _squares(xl: Array, yl: Array, wl: Array) -> Array:
        return np.asarray((xl**2 * wl**2) @ (yl**2).T)


class Surrogate:
    """The posterior of the scores of assignments, given some.

    The order of the observations does not matter: they are sorted first. Beyond :data:`SUPPORT` different assignments
    the posterior is the projected process on that many of them (Seeger, Williams, Lawrence 2003; Rasmussen and
    Williams 2006, section 8.3.4), so an update costs time in proportion to the observations.

    Args:
        features: Of the space.
        codes: The observed assignments; shape (observations, parameters), at least one.
        scores: Their scores; shape (observations,).

    Attributes:
        noise: Standard deviation of a score's noise, in units of the score.
    """

    def __init__(self, features: Features, codes: Array, scores: Array) -> None:
        order = np.lexsort((scores, *codes.T))
        codes, scores = codes[order], scores[order]
        self._features = features
        self._mean = float(scores.mean())
        spread = float(scores.std())
        self._spread = spread if spread > 1e-9 * max(1.0, abs(self._mean)) else 1.0
        columns, target = features.columns(codes), (scores - self._mean) / self._spread
        self._kernel = _fit(features, columns[_some(len(codes), FITTED)], target[_some(len(codes), FITTED)])
        self.noise = self._spread * self._kernel.noise**0.5

        support = features.columns(np.unique(codes, axis=0))
        self._support = support[_some(len(support), SUPPORT)]
        own = self._kernel(self._support, self._support)
        own[np.diag_indices_from(own)] += JITTER * own.diagonal().max()
        self._root = np.linalg.cholesky(own)
        projected = self._project(columns)
        noise = self._kernel.noise
        inner = projected @ projected.T / noise
        inner[np.diag_indices_from(inner)] += 1.0
        self._inner = np.linalg.cholesky(inner)
        self._weights = cho_solve((self._inner, True), projected @ target / noise)

    def mean(self, codes: Array) -> Array:
        """Expected scores; shape (len(codes),)."""
        return np.asarray(self._mean + self._spread * (self._weights @ self._project(self._features.columns(codes))))

    def mean_and_std(self, codes: Array) -> tuple[Array, Array]:
        """Expected scores and the standard deviations of what is expected, without noise; shape (len(codes),) each."""
        columns = self._features.columns(codes)
        projected = self._project(columns)
        explained = solve_triangular(self._inner, projected, lower=True)
        variance = self._kernel.diagonal(columns) - (projected**2).sum(axis=0) + (explained**2).sum(axis=0)
        mean = self._mean + self._spread * (self._weights @ projected)
        return np.asarray(mean), np.asarray(self._spread * np.sqrt(np.maximum(variance, JITTER)))

    def covariance(self, codes: Array) -> Array:
        """Covariance of the noise-free scores; shape (len(codes), len(codes))."""
        columns = self._features.columns(codes)
        projected = self._project(columns)
        explained = solve_triangular(self._inner, projected, lower=True)
        prior = self._kernel(columns, columns)
        return np.asarray(self._spread**2 * (prior - projected.T @ projected + explained.T @ explained))

    def _project(self, columns: Array) -> Array:
        """Whitened covariance with the support; shape (support, rows)."""
        return np.asarray(solve_triangular(self._root, self._kernel(self._support, columns), lower=True))


def _some(n: int, most: int) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
    """At most ``most`` of ``n`` indices, evenly spread; of sorted rows that is a stratified sample."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.intp))


def _fit(features: Features, columns: Array, target: Array) -> _Kernel:
    """The kernel whose hyperparameters are most probable."""
    parameters = len(features.parameters)
    priors = [(MAIN / max(parameters, 1), *RELEVANCE)] * parameters + [PAIRS, REST, DECAY, NOISE, COMMON, SHARED]
    middle = np.log([median for median, _, _ in priors])
    scale = np.array([deviation for _, deviation, _ in priors])

    def kernel(x: Array) -> _Kernel:
        relevance = np.exp(x[:parameters] + x[-1])
        others = (float(value) for value in np.exp(x[parameters:-1]))
        return _Kernel(relevance[features.owner], features.linear, features.alike, *others)

    def objective(x: Array) -> tuple[float, Array]:
        away = (x - middle) / scale
        loss, slope = _loss(features, kernel(x), columns, target)
        return loss + float(away @ away) / 2, slope + away / scale

    optimum = minimize(
        objective,
        np.clip(middle, *np.array([bounds for _, _, bounds in priors]).T),
        jac=True,
        method="L-BFGS-B",
        bounds=[bounds for _, _, bounds in priors],
        options={"maxiter": ITERATIONS},
    )
    return kernel(optimum.x)


def _loss(features: Features, kernel: _Kernel, columns: Array, target: Array) -> tuple[float, Array]:
    """Negative logarithm of the marginal likelihood, less a constant, and its gradient in the logarithms.

    With W = (K^-1 - K^-1 y y' K^-1) / 2 the derivative along a change dK is the sum of W * dK (Rasmussen and Williams
    2006, equation 5.9). A change of a relevance changes a, and through it p and r.
    """
    n = len(target)
    lines, pairs, distance, rest = kernel.parts(columns, columns)
    covariance = kernel.main(columns, columns) + kernel.pairs * pairs + kernel.rest * rest
    covariance[np.diag_indices(n)] += kernel.noise + JITTER
    factor = cho_factor(covariance, lower=True)
    inverse = cho_solve(factor, np.eye(n))
    solved = inverse @ target
    loss = float(target @ solved) / 2 + float(np.log(factor[0].diagonal()).sum())

    w = (inverse - np.outer(solved, solved)) / 2
    of_distance = w * rest * (-kernel.rest * kernel.decay / 2)
    of_main = w - 2 * of_distance
    each = (columns * (of_main @ columns)).sum(axis=0) + 2 * of_distance.sum(axis=0) @ columns**2
    each *= kernel.weight
    z = columns * kernel.weight**0.5
    common = kernel.common * (z @ kernel.alike * (w @ z)).sum(axis=0)
    each += common
    x, weight, of_pairs = columns[:, kernel.linear], kernel.weight[kernel.linear], kernel.pairs * w
    each[kernel.linear] += weight * (x * ((of_pairs * lines) @ x)).sum(axis=0)
    each[kernel.linear] -= weight**2 * (x**2 * (of_pairs @ x**2)).sum(axis=0)
    relevance = np.bincount(features.owner, each, minlength=len(features.parameters))
    others = [
        (of_pairs * pairs).sum(),
        (w * rest).sum() * kernel.rest,
        (of_distance * distance).sum(),
        np.trace(w) * kernel.noise,
        common.sum(),
        relevance.sum(),
    ]
    return loss, np.concatenate([relevance, others])
