"""Regression of measured times on the features of models: the rate of each term in microseconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgenext_search.arch.blocks import Block
from edgenext_search.latency.profile.features import block_features

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

RUN = "run"  # the constant term that every model has once
RIDGE = 0.02  # weight of the ridge that keeps the rates of a term in all stages similar, as a relative error
BUSY_RIDGE = 0.05  # weight of the ridge that keeps the slowdown of all terms on a busy device similar
OUTLIER = 0.05  # relative error from which on a measurement has less weight (Huber)
ROUNDS = 6  # iterations of reweighting

Key = tuple[str, int]  # a term and its stage; 0 for the term that belongs to no stage
Rates = dict[str, dict[int, float]]  # microseconds of one unit of a term, by term and stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A measured model as a sample of the regression.

    Attributes:
        features: Amounts of its terms.
        microseconds: Ratio to the reference, times the reference's time on the undisturbed device.
        busy: Share of the reference's measured time that is due to other load on the device, in [0, 1).
        weight: Weight relative to other samples.
    """

    features: Mapping[Key, float]
    microseconds: float
    busy: float = 0.0
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A fitted linear model.

    Attributes:
        rates: Rates on the undisturbed device.
        busy: Change of the rates for a :attr:`Sample.busy` of 1. Other load slows some terms more than the reference
            and others less, so these can be negative.
    """

    rates: Rates
    busy: Rates

    def microseconds(self, features: Mapping[Key, float], *, busy: float = 0.0) -> float:
        """The time of a model whose terms all have a rate; see :attr:`Sample.microseconds`.

        Where the changes for a busy device would make it negative, they are left out.
        """
        total = sum(
            amount * (self.rates[name][stage] + busy * self.busy[name][stage])
            for (name, stage), amount in features.items()
        )
        return total if total > 0 or not busy else self.microseconds(features)

    def has_rates(self, features: Mapping[Key, float]) -> bool:
        """Whether all terms have a rate."""
        return all(stage in self.rates.get(name, {}) for name, stage in features)


def model_features(blocks: Mapping[Block, int], *, run: int = 0) -> dict[Key, float]:
    """The terms of a model.

    Args:
        blocks: Blocks of the model, with the number of each.
        run: Stage of the constant term: 0 for a whole network. A single stage has a constant of its own, because its
            input and output are not part of a network.
    """
    features: dict[Key, float] = {(RUN, run): 1.0}
    for block, number in blocks.items():
        for name, amount in block_features(block).items():
            features[name, block.stage] = features.get((name, block.stage), 0.0) + number * amount
    return features


def fit(samples: Sequence[Sample]) -> Fit:
    """Fit rates >= 0 to measurements, in two steps.

    The first step fits one rate for each term by least squares of relative errors with the constraint that none is
    negative (Lawson and Hanson, "Solving Least Squares Problems", 1974, chapter 23). The second step fits a rate for
    each term and stage, since small feature maps stay in caches and large ones do not; a ridge keeps them near those of
    the first step. In both, outliers have less weight (Huber, "Robust Estimation of a Location Parameter", 1964), and
    other load on the device may slow the terms differently; a ridge keeps the differences small.

    Args:
        samples: Measured models, more than there are terms, with whole networks among them.
    """
    import numpy as np

    keys = sorted({key for sample in samples for key in sample.features})
    names = sorted({name for name, _ in keys})
    belongs = np.array([[own == name for name in names] for own, _ in keys], dtype=np.float64)
    amounts = np.array([[sample.features.get(key, 0.0) for key in keys] for sample in samples])
    measured = np.array([sample.microseconds for sample in samples])
    busy = np.array([sample.busy for sample in samples])
    weights = np.sqrt(np.array([sample.weight for sample in samples]))
    unit = belongs @ np.array([amounts[:, belongs[:, i] > 0].max() for i in range(len(names))])
    by_stage = amounts / unit / measured[:, None]
    by_term = by_stage @ belongs

    first = _robust(by_term, weights)
    scale = _no_zeros(first)
    changes = np.hstack([by_term, -by_term]) * busy[:, None] * np.tile(scale, 2)
    shared = belongs @ (_robust(by_term * scale, weights, changes=changes)[: len(names)] * scale)
    size = _no_zeros(shared)
    solution = _robust(by_stage * size, weights, toward=shared / size, changes=changes)
    own, more, less = np.split(solution, [len(keys), len(keys) + len(names)])
    return Fit(rates=_by_name(keys, own * size / unit), busy=_by_name(keys, belongs @ ((more - less) * scale) / unit))


def _no_zeros(rates: Array) -> Array:
    """Rates as the scale of a ridge: those near zero are raised."""
    smallest: float = 0.02 * rates[rates > 0].mean()
    return rates.clip(min=smallest)


def _by_name(keys: Sequence[Key], values: Array) -> Rates:
    rates: Rates = {name: {} for name, _ in keys}
    for (name, stage), value in zip(keys, values.tolist(), strict=True):
        rates[name][stage] = value
    return rates


def held_out(samples: Sequence[Sample], networks: Iterable[int], *, folds: int = 10) -> dict[int, float]:
    """Cross-validated predictions for networks: each fold of the networks is left out of one fit.

    Args:
        samples: All measured models.
        networks: Indices of the whole networks. The other samples are in every fit.
        folds: Number of folds.

    Returns:
        Predicted microseconds by index. A network with a term that no sample of the fit has is left out.
    """
    order = list(networks)
    predicted: dict[int, float] = {}
    for fold in range(folds):
        left_out = set(order[fold::folds])
        fitted = fit([sample for index, sample in enumerate(samples) if index not in left_out])
        for index in left_out:
            if fitted.has_rates(samples[index].features):
                predicted[index] = fitted.microseconds(samples[index].features, busy=samples[index].busy)
    return {index: predicted[index] for index in order if index in predicted}


def _robust(shares: Array, weights: Array, *, toward: Array | None = None, changes: Array | None = None) -> Array:
    """Robust non-negative least squares: rates >= 0 with which the shares of each model sum to about 1.

    Args:
        shares: Share of each model's measured time for a rate of 1, by model and rate.
        weights: Square roots of the models' weights.
        toward: Rates that a ridge pulls the result to; None for no ridge.
        changes: Further shares, with rates that a ridge pulls to 0; they come last in the result.
    """
    import numpy as np
    from scipy.optimize import nnls

    count = shares.shape[1]
    more = np.empty((len(shares), 0)) if changes is None else changes
    every = np.hstack([shares, more])
    ridge = np.concatenate([np.full(count, 0.0 if toward is None else RIDGE), np.full(more.shape[1], BUSY_RIDGE)])
    target = np.concatenate([np.zeros(count) if toward is None else toward, np.zeros(more.shape[1])])
    current = weights
    rates: Array = np.zeros(every.shape[1])
    for _ in range(ROUNDS):
        rates, _ = nnls(
            np.vstack([every * current[:, None], np.diag(ridge)]), np.concatenate([current, ridge * target])
        )
        errors = np.abs(every @ rates - 1)
        current = weights * np.sqrt(np.minimum(1, OUTLIER / np.maximum(errors, 1e-9)))
    return rates
