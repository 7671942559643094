"""Microseconds of each term of work, fitted to measured models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgenext_search.arch.blocks import Block
from edgenext_search.latency.work import work_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

RUN = "run"  # the term that every model has once: what a run costs whatever is in it
RIDGE = 0.02  # how strongly a term's stages are held together; as the relative error that is as bad
OUTLIER = 0.05  # relative error beyond which a measurement counts less (Huber's)
ROUNDS = 6  # of reweighting

Key = tuple[str, int]  # a term, and the stage where it is done; 0 for what belongs to none
Rates = dict[str, dict[int, float]]  # microseconds of one unit of a term, by stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A measured model.

    Attributes:
        work: Its terms by stage.
        microseconds: What was measured.
        weight: What it counts relative to others.
    """

    work: Mapping[Key, float]
    microseconds: float
    weight: float = 1.0


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


def fit(samples: Sequence[Sample]) -> Rates:
    """Rates >= 0 that explain the measurements, in two steps.

    The first finds one rate for each term, by least squares of relative errors under the constraint that none is
    negative (Lawson and Hanson, "Solving Least Squares Problems", 1974, chapter 23). The second lets every stage have
    rates of its own, since small feature maps stay in caches and large ones do not, and holds them to the first by a
    ridge. In both, measurements far off count less (Huber, "Robust Estimation of a Location Parameter", 1964).

    Args:
        samples: Measured models; more than there are terms, some of them whole networks.
    """
    import numpy as np

    keys = sorted({key for sample in samples for key in sample.work})
    names = sorted({name for name, _ in keys})
    belongs = np.array([[own == name for name in names] for own, _ in keys], dtype=np.float64)
    amounts = np.array([[sample.work.get(key, 0.0) for key in keys] for sample in samples])
    measured = np.array([sample.microseconds for sample in samples])
    weights = np.sqrt(np.array([sample.weight for sample in samples]))
    unit = belongs @ np.array([amounts[:, belongs[:, i] > 0].max() for i in range(len(names))])
    shares = amounts / unit / measured[:, None]

    shared = belongs @ _robust(shares @ belongs, weights)
    size = np.maximum(shared, 0.02 * shared[shared > 0].mean())
    own = _robust(shares * size, weights, toward=shared / size) * size / unit
    rates: Rates = {name: {} for name in names}
    for (name, stage), rate in zip(keys, own.tolist(), strict=True):
        rates[name][stage] = rate
    return rates


def predicted(work: Mapping[Key, float], rates: Rates) -> float:
    """Microseconds of a model whose terms all have a rate."""
    return sum(amount * rates[name][stage] for (name, stage), amount in work.items())


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
        rates = fit([sample for index, sample in enumerate(samples) if index not in left_out])
        for index in left_out:
            work = samples[index].work
            if all(stage in rates.get(name, {}) for name, stage in work):
                found[index] = predicted(work, rates)
    return {index: found[index] for index in order if index in found}


def _robust(shares: Array, weights: Array, *, toward: Array | None = None) -> Array:
    """Rates whose shares of the measured times sum to 1 for each model, or nearly so."""
    import numpy as np
    from scipy.optimize import nnls

    held = np.empty((0, shares.shape[1])) if toward is None else RIDGE * np.eye(shares.shape[1])
    aim = np.empty(0) if toward is None else RIDGE * toward
    current = weights
    rates: Array = np.zeros(shares.shape[1])
    for _ in range(ROUNDS):
        rates, _ = nnls(np.vstack([shares * current[:, None], held]), np.concatenate([current, aim]))
        errors = np.abs(shares @ rates - 1)
        current = weights * np.sqrt(np.minimum(1, OUTLIER / np.maximum(errors, 1e-9)))
    return rates
