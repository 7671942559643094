"""Statistics of run times: medians, ratios and their confidence intervals. Python 3.8, standard library only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

FEWEST_PAIRS = 6  # pairs of blocks for an interval of their ratio: the median lies between six with 1 - 2^-5 = 0.97
Z95 = 1.959963984540054  # quantile 0.975 of the normal distribution


def quantile(ordered: Sequence[float], share: float) -> float:
    """A quantile of sorted values, with linear interpolation."""
    position = share * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def median_interval(blocks: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """The median of all runs and its 95 % interval, for runs that are not independent.

    The interval inverts the sign test: its ends are the runs of rank n (1/2 -+ t se), where se is the standard error
    of the share of runs below the median. It is estimated from the shares of the blocks (batch means) and increased
    by the autocorrelation of the blocks, so that slow periods of the machine widen it (Heidelberger and Lewis,
    "Quantile estimation in dependent sequences", Operations Research 32, 1984). It is never narrower than the
    interval for independent runs, and never wider than the range of the runs.

    Args:
        blocks: Times in the order of the runs, in blocks; fewer than 8 blocks are divided into 16.

    Returns:
        Median, low, high.
    """
    if len(blocks) < 8:
        blocks = cut(blocks, 16)
    ordered = sorted(time for block in blocks for time in block)
    centre = quantile(ordered, 0.5)
    shares = [sum(0.5 if time == centre else float(time < centre) for time in block) / len(block) for block in blocks]
    count, n = len(shares), len(ordered)
    mean = sum(shares) / count
    variance = sum((share - mean) ** 2 for share in shares) / max(count - 1, 1)
    correlation_time = _correlation_time([share - mean for share in shares])
    error = math.sqrt(max(variance * correlation_time / count, 0.25 / n))
    half = t975(max(count / correlation_time - 1, 1.0)) * error
    low = max(math.floor(n * (0.5 - half)), 0)
    high = min(math.ceil(n * (0.5 + half)), n) - 1
    return centre, ordered[min(low, n - 1)], ordered[max(high, 0)]


def _correlation_time(deviations: Sequence[float]) -> float:
    """The number of values that are worth one independent value: 1 + 2 times the sum of the autocorrelations.

    It is at least 1. Autocorrelations are summed in pairs up to the first pair that is not positive (Geyer, "Practical
    Markov chain Monte Carlo", Statistical Science 7, 1992).
    """
    count = len(deviations)
    power = sum(value * value for value in deviations)
    if power == 0:
        return 1.0

    def correlation(lag: int) -> float:
        return sum(a * b for a, b in zip(deviations, deviations[lag:])) / power

    total = 0.0
    for lag in range(0, count - 1, 2):
        pair = correlation(lag) + correlation(lag + 1)
        if pair <= 0:
            break
        total += pair
    return min(max(2 * total - 1, 1.0), float(count))


def t975(freedom: float) -> float:
    """Quantile 0.975 of Student's t distribution (Abramowitz and Stegun, 26.7.5)."""
    z = Z95
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )


def summarise(blocks: Sequence[Sequence[float]], reference: Sequence[Sequence[float]]) -> dict[str, float | None]:
    """The figures of a measurement, in microseconds.

    Args:
        blocks: Times of the model's runs.
        reference: Times of the reference's runs, in as many blocks, each adjacent to the model's; empty without one.
    """
    ordered = sorted(time for block in blocks for time in block)
    p50, low, high = median_interval(blocks)
    figures: dict[str, float | None] = {
        "p50": p50,
        "p90": quantile(ordered, 0.9),
        "min": ordered[0],
        "low": low,
        "high": high,
        "n": len(ordered),
        "drift": _drift(reference or blocks),
        "ratio": None,
        "ratio_low": None,
        "ratio_high": None,
        "reference_p50": None,
    }
    if reference:
        ratios = pair_ratios(blocks, reference)
        ratio, ratio_low, ratio_high = median_interval(ratios)
        figures["ratio"] = ratio
        if len(ratios) >= FEWEST_PAIRS:
            figures.update(ratio_low=ratio_low, ratio_high=ratio_high)
        figures["reference_p50"] = median([time for block in reference for time in block])
    return figures


def pair_ratios(blocks: Sequence[Sequence[float]], reference: Sequence[Sequence[float]]) -> list[list[float]]:
    """The ratio of the medians of each two adjacent blocks, each as a block of its own."""
    return [[median(ours) / median(theirs)] for ours, theirs in zip(blocks, reference)]


def cut(blocks: Sequence[Sequence[float]], count: int) -> list[list[float]]:
    """Divide the runs, in their order, into at most ``count`` blocks of almost the same length."""
    runs = [time for block in blocks for time in block]
    parts = [runs[len(runs) * i // count : len(runs) * (i + 1) // count] for i in range(count)]
    return [part for part in parts if part]


def _drift(blocks: Sequence[Sequence[float]]) -> float:
    """Relative change of the median from the first third of the runs to the last."""
    thirds = cut(blocks, 3)
    return median(thirds[-1]) / median(thirds[0]) - 1
