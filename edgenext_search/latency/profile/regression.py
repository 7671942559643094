"""Microseconds of each term of work, fitted to measured models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgenext_search.arch.blocks import Block
from edgenext_search.latency.profile.features import work_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

RUN = "run"  # the term that every model has once: what a run costs whatever is in it
RIDGE = 0.02  # how strongly a term's stages are held together; as the relative error that is as bad
BUSY_RIDGE = 0.05  # how strongly all terms are held to slowing alike while the device is busy
OUTLIER = 0.05  # relative error beyond which a measurement counts less (Huber's)
ROUNDS = 6  # of reweighting

Key = tuple[str, int]  # a term, and the stage where it is done; 0 for what belongs to none
Rates = dict[str, dict[int, float]]  # microseconds of one unit of a term, by stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A measured model.

    Attributes:
        work: Its terms by stage.
        microseconds: Its ratio to the reference, times the reference's time while the device is not kept busy.
        busy: The share of the reference's own time that it only took because the device was kept busy, in [0, 1).
        weight: What it counts relative to others.
    """

    work: Mapping[Key, float]
    microseconds: float
    busy: float = 0.0
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What is fitted to measured models.

    Attributes:
        rates: Microseconds of one unit of each term by stage, on a device that nothing else keeps busy.
        busy: What is added to the rates for a full share of :attr:`Sample.busy`, by term and stage. A busy device slows
            some terms more than the reference and others less, so these can be negative.
    """

    rates: Rates
    busy: Rates

    def microseconds(self, work: Mapping[Key, float], *, busy: float = 0.0) -> float:
        """The time of a model whose terms all have a rate, as in :attr:`Sample.microseconds`."""
        return sum(
            amount * (self.rates[name][stage] + busy * self.busy[name][stage]) for (name, stage), amount in work.items()
        )

    def knows(self, work: Mapping[Key, float]) -> bool:
        """Whether all terms have a rate."""
        return all(stage in self.rates.get(name, {}) for name, stage in work)


def total_work(blocks: Mapping[Block, int], *, run: int = 0) -> dict[Key, float]:
    """The terms of a model.

    Args:
        blocks: Its blocks, with how many of each there are.
        run: 0 for a whole network; for the model of one stage that stage, so that its own way in and out, which no
            network has, does not count as part of a block.
    """
    found: dict[Key, float] = {(RUN, run): 1.0}
    for block, number in blocks.items():
        for name, amount in work_of(block).items():
            found[name, block.stage] = found.get((name, block.stage), 0.0) + number * amount
    return found


def fit(samples: Sequence[Sample]) -> Fit:
    """Rates >= 0 that explain the measurements, in two steps.

    The first finds one rate for each term, by least squares of relative errors under the constraint that none is
    negative (Lawson and Hanson, "Solving Least Squares Problems", 1974, chapter 23). The second lets every stage have
    rates of its own, since small feature maps stay in caches and large ones do not, and holds them to the first by a
    ridge. In both, measurements far off count less (Huber, "Robust Estimation of a Location Parameter", 1964), and a
    busy device may slow the terms differently, held to slowing alike by a ridge.

    Args:
        samples: Measured models; more than there are terms, some of them whole networks.
    """
    import numpy as np

    keys = sorted({key for sample in samples for key in sample.work})
    names = sorted({name for name, _ in keys})
    belongs = np.array([[own == name for name in names] for own, _ in keys], dtype=np.float64)
    amounts = np.array([[sample.work.get(key, 0.0) for key in keys] for sample in samples])
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
    found = _robust(by_stage * size, weights, toward=shared / size, changes=changes)
    own, more, less = np.split(found, [len(keys), len(keys) + len(names)])
    return Fit(rates=_by_name(keys, own * size / unit), busy=_by_name(keys, belongs @ ((more - less) * scale) / unit))


def _no_zeros(rates: Array) -> Array:
    """Rates with those that are almost zero raised, to scale a ridge by."""
    smallest: float = 0.02 * rates[rates > 0].mean()
    return rates.clip(min=smallest)


def _by_name(keys: Sequence[Key], values: Array) -> Rates:
    rates: Rates = {name: {} for name, _ in keys}
    for (name, stage), value in zip(keys, values.tolist(), strict=True):
        rates[name][stage] = value
    return rates


def held_out(samples: Sequence[Sample], networks: Iterable[int], *, folds: int = 10) -> dict[int, float]:
    """What the fit predicts for networks that it has not seen: each fold of them is left out once.

    Args:
        samples: All measured models.
        networks: Which of them are whole networks. The others are in every fit.
        folds: How many fits.

    Returns:
        Predicted microseconds by index, of the networks that have no term that only they have.
    """
    order = list(networks)
    found: dict[int, float] = {}
    for fold in range(folds):
        left_out = set(order[fold::folds])
        seen = fit([sample for index, sample in enumerate(samples) if index not in left_out])
        for index in left_out:
            if seen.knows(samples[index].work):
                found[index] = seen.microseconds(samples[index].work, busy=samples[index].busy)
    return {index: found[index] for index in order if index in found}


def _robust(shares: Array, weights: Array, *, toward: Array | None = None, changes: Array | None = None) -> Array:
    """Rates >= 0 whose shares of the measured times sum to 1 for each model, or nearly so.

    Args:
        shares: The share of each model's time that a rate of 1 makes up.
        weights: Of the models.
        toward: Rates that a ridge holds the result to.
        changes: Further shares, whose rates a ridge holds to 0; they come last in the result.
    """
    import numpy as np
    from scipy.optimize import nnls

    count = shares.shape[1]
    more = np.empty((len(shares), 0)) if changes is None else changes
    every = np.hstack([shares, more])
    ridge = np.concatenate([np.full(count, 0.0 if toward is None else RIDGE), np.full(more.shape[1], BUSY_RIDGE)])
    aim = np.concatenate([np.zeros(count) if toward is None else toward, np.zeros(more.shape[1])])
    current = weights
    rates: Array = np.zeros(every.shape[1])
    for _ in range(ROUNDS):
        rates, _ = nnls(np.vstack([every * current[:, None], np.diag(ridge)]), np.concatenate([current, ridge * aim]))
        errors = np.abs(every @ rates - 1)
        current = weights * np.sqrt(np.minimum(1, OUTLIER / np.maximum(errors, 1e-9)))
    return rates
