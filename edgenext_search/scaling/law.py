r"""The law ``error = a * cost^-b + c`` through a few networks of a family, and what it predicts of a larger one.

Three to seven points do not determine three parameters, so the fit is Bayesian: how fast errors of a family fall, where
they end and how far its members stray from a smooth law was learned from many families (a :class:`Prior`), and the
members at hand move that as far as they can. The law itself is the usual one of scaling studies (Hestness et al.,
arXiv 1712.00409; Rosenfeld et al., arXiv 1909.12673).

Written around the family's largest known member, with cost ``C0``, and its least error ``e``, the law is
``c = phi * e`` and ``b = elasticity / (1 - phi)``: ``phi`` is the share of the error that no size removes,
``elasticity`` the relative fall of the error with the logarithm of the cost, at ``C0``. Given both, ``a`` is linear and
integrated out with a flat prior; what is left is summed over a fixed grid. So a fit is exact up to the grid, takes
milliseconds, and always comes out the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgenext_search.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CONFIDENCE = 0.9
LEVEL = 20.0  # percent of error that the priors are stated at
LEVELS = (10.0, 50.0)  # percent of error between which families were seen; beyond, what holds at the nearer end

_LOGITS = np.linspace(-4.5, 4.5, 24)  # of phi
_STEPS = np.linspace(-3.0, 3.0, 24)  # of the elasticity, in its prior's standard deviations
_NOISES = np.linspace(-2.4, 2.4, 7)  # of the residuals' spread, in its prior's standard deviations
_STEEPEST = 12.0  # of b; steeper is a step
_HIGHEST = 300.0  # logarithm that is still squared without overflow
_NEGLIGIBLE = 1e-8  # weight of a point of the grid that quantiles do without
_BISECTIONS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """What is known of families before any member of this one is seen.

    Attributes:
        elasticity: Logarithm of the middle elasticity, where the largest known member has :data:`LEVEL` percent.
        elasticity_level: What the error's logarithm adds to it.
        elasticity_spread: Standard deviation of the logarithm between families.
        floor: Logit of the middle ``phi``, at the same level.
        floor_level: What the error's logarithm adds to it.
        floor_spread: Standard deviation of the logit between families.
        coupling: What a logit of ``phi`` above the middle adds to the elasticity's logarithm.
        noise: Logarithm of the middle spread of members about the law, as a share of the error, at the same level.
        noise_spread: Standard deviation of that logarithm between families.
        noise_power: The spread grows with this power of the error; 1 makes it a share.
        shared: Share of that variance that near members have in common.
        reach: Logarithmic cost over which it decays by e.
    """

    elasticity: float
    elasticity_level: float = 0.0
    elasticity_spread: float
    floor: float
    floor_level: float = 0.0
    floor_spread: float
    coupling: float
    noise: float
    noise_spread: float
    noise_power: float = 1.0
    shared: float
    reach: float


# Learned by `benchmarks/scaling_law.py --learn` from the 69 families of benchmarks/prior_families.json.
IMAGENET = Prior(
    elasticity=-1.84, elasticity_level=1.18, elasticity_spread=0.37, floor=1.44, floor_level=-4.00, floor_spread=0.53,
    coupling=-0.40, noise=-4.20, noise_spread=0.66, noise_power=2.58, shared=0.51, reach=3.74,
)  # fmt: skip
GENERAL = Prior(
    elasticity=-1.24, elasticity_spread=0.55, floor=1.40, floor_spread=0.72, coupling=-0.29, noise=-4.06,
    noise_spread=0.70, shared=0.43, reach=3.31,
)  # fmt: skip
PRIORS = {"imagenet": IMAGENET, "general": GENERAL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The error that a law expects at a cost, in percent: the predictive distribution's median and central interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """A posterior over laws, given the members of a family.

    Attributes:
        costs: Of the members, ascending, in any unit.
        errors: Of the members, in percent.
        prior: What was known before.
        phi: Share of the error that no size removes, of each point of the grid.
        b: Exponent, of each point.
        a: Middle of the amplitude at the largest cost, of each point.
        weights: Of phi by b by spread, summing to 1.
        spreads: Of the members about the law, at :data:`LEVEL`, as a share of it.
    """

    costs: Floats
    errors: Floats
    prior: Prior
    phi: Floats
    b: Floats
    a: Floats
    weights: Floats
    spreads: Floats

    @property
    def parameters(self) -> dict[str, float]:
        """``a``, ``b`` and ``c`` of the most probable law, the cost in the unit that was given."""
        density = self.weights.sum(axis=2)
        row, column = np.unravel_index(int(density.argmax()), density.shape)
        b = float(self.b[row, column])
        amplitude = float(self.a[row, column] * self.costs[-1] ** b)
        return {"a": amplitude, "b": b, "c": float(self.phi[row] * self.errors.min())}

    def predict(self, cost: float, *, confidence: float = CONFIDENCE) -> Prediction:
        """The error of another member of the family.

        Args:
            cost: Of that member, in the unit of ``costs``.
            confidence: Of the interval, which holds the error of the member, not only the law's middle.
        """
        weights, means, deviations = self.mixture(cost)
        tail = (1 - confidence) / 2
        low, value, high = quantiles(weights, means, deviations, (tail, 0.5, 1 - tail))
        return Prediction(value=value, low=low, high=high)

    def mixture(self, cost: float) -> tuple[Floats, Floats, Floats]:
        """The predictive distribution at a cost as normal distributions: weights, means and standard deviations."""
        log_costs, log_cost = np.log(self.costs), float(np.log(cost))
        covariance = _covariance(np.append(log_costs, log_cost), np.append(self.errors, self.errors.min()), self.prior)
        inverse, cross, own = np.linalg.inv(covariance[:-1, :-1]), covariance[:-1, -1], covariance[-1, -1]
        there = np.exp(-self.b * (log_cost - log_costs[-1]))
        curve = _curve(self.b, log_costs - log_costs[-1])
        pull = inverse @ cross  # how much the new member strays as the known ones do
        rest = self.errors[None, :] - self.phi[:, None] * self.errors.min()
        means = (
            self.phi[:, None] * self.errors.min() + self.a * there + (rest @ pull)[:, None] - self.a * (curve @ pull)
        )
        precision = ((curve @ inverse) * curve).sum(axis=-1)
        variance = own - cross @ pull + (there - curve @ pull) ** 2 / precision
        shape = self.weights.shape
        deviations = np.sqrt(variance)[:, :, None] * self.spreads
        return self.weights.ravel(), np.broadcast_to(means[:, :, None], shape).ravel(), deviations.ravel()


def fit_law(costs: Sequence[float] | Floats, errors: Sequence[float] | Floats, prior: Prior = GENERAL) -> Law:
    """The law through members of a family.

    Args:
        costs: Of at least one member, positive, in any unit.
        errors: Top-1 errors in percent, within (0, 100).
        prior: What is known of families. :data:`IMAGENET` also knows at which errors ImageNet's families level off;
            :data:`GENERAL` says the same whatever the errors are multiplied by.

    Raises:
        UserError: There is no member, or a cost or an error is out of range.
    """
    order = np.argsort(np.asarray(costs, dtype=float), kind="stable")
    x, y = np.asarray(costs, dtype=float)[order], np.asarray(errors, dtype=float)[order]
    if not len(x) or not (np.isfinite(x) & (x > 0)).all():
        raise UserError(f"A law needs members with costs > 0, but got {[*map(float, x)]}.")
    if not ((y > 0) & (y < 100)).all():
        raise UserError(f"A law needs errors between 0 and 100 %, but got {[*map(float, y)]}.")
    place = np.log(x) - np.log(x[-1])
    level = np.log(np.clip(y.min(), *LEVELS) / LEVEL)
    middle = prior.floor + prior.floor_level * level
    phi = 1 / (1 + np.exp(-_LOGITS))
    elasticity = (
        prior.elasticity
        + prior.elasticity_level * level
        + prior.elasticity_spread * _STEPS[None, :]
        + prior.coupling * (_LOGITS - middle)[:, None]
    )
    b = np.minimum(np.exp(elasticity) / (1 - phi)[:, None], _STEEPEST)
    inverse = np.linalg.inv(_covariance(place, y, prior))
    curve = _curve(b, place)
    rest = y[None, :] - phi[:, None] * y.min()
    precision = ((curve @ inverse) * curve).sum(axis=-1)
    a = np.einsum("fbn,fn->fb", curve @ inverse, rest) / precision
    misfit = np.maximum(((rest @ inverse) * rest).sum(axis=-1)[:, None] - a**2 * precision, 0.0)
    spreads = np.exp(prior.noise + prior.noise_spread * _NOISES)
    logs = (
        -0.5 * (((_LOGITS - middle) / prior.floor_spread) ** 2)[:, None, None]
        - 0.5 * (_STEPS**2)[None, :, None]
        - 0.5 * _NOISES**2
        - 0.5 * misfit[:, :, None] / spreads**2
        - (len(x) - 1) * np.log(spreads)
        - 0.5 * np.log(precision)[:, :, None]
    )
    logs[a <= 0] = -np.inf  # a larger member is not expected to be worse
    if not np.isfinite(logs).any():  # members that get worse with size: the flattest law that there is
        logs = np.where(b[:, :, None] == b.min(), 0.0, -np.inf) - 0.5 * _NOISES**2
        a = np.maximum(a, 0.0)
    weights = np.exp(logs - logs.max())
    return Law(
        costs=x, errors=y, prior=prior, phi=phi, b=b, a=a, weights=weights / weights.sum(), spreads=spreads
    )  # fmt: skip


def quantiles(weights: Floats, means: Floats, deviations: Floats, shares: Sequence[float]) -> list[float]:
    """Quantiles of a mixture of normal distributions, by bisection.

    Args:
        weights: Of the distributions, summing to 1.
        means: Their means.
        deviations: Their standard deviations, positive.
        shares: Which quantiles, within (0, 1).
    """
    from scipy.special import ndtr

    kept = weights > _NEGLIGIBLE
    weights, means, deviations = weights[kept] / weights[kept].sum(), means[kept], deviations[kept]
    values = []
    for share in shares:
        low, high = float((means - 9 * deviations).min()), float((means + 9 * deviations).max())
        for _ in range(_BISECTIONS):
            at = (low + high) / 2
            low, high = (at, high) if float(weights @ ndtr((at - means) / deviations)) < share else (low, at)
        values.append((low + high) / 2)
    return values


def law_text(parameters: Mapping[str, float]) -> str:
    """``12.3 C^-0.45 + 15.1``."""
    return f"{parameters['a']:.4g} C^-{parameters['b']:.3f} + {parameters['c']:.2f}"


def _curve(b: Floats, place: Floats) -> Floats:
    """``cost^-b`` of members smaller than the largest, as a multiple of its own: phi by b by member."""
    return np.exp(np.minimum(-b[:, :, None] * place, _HIGHEST))


def _covariance(place: Floats, errors: Floats, prior: Prior) -> Floats:
    """Of members about the law, at spread 1: near members stray alike, weak members stray farther."""
    relative = np.clip(errors, *LEVELS) / LEVEL if prior.noise_power != 1 else errors / LEVEL
    scale = LEVEL * relative**prior.noise_power
    alike = prior.shared * np.exp(-np.abs(place[:, None] - place[None, :]) / prior.reach)
    np.fill_diagonal(alike, 1.0)
    covariance: Floats = alike * scale[:, None] * scale[None, :]
    return covariance
