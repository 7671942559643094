"""Numbers of things that are too many to count, estimated from samples, with an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Z = 1.959964  # two-sided 95 % of a normal distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """A number of different networks, exact or estimated.

    Attributes:
        value: The number, or its estimate.
        low: Lower end of the estimate's 95 % interval; ``value`` where exact.
        high: Upper end; None where the samples do not bound it.
        method: ``exact``; ``sampled``: unbiased, from the multiplicities of random assignments; ``chao1``: Chao's lower
            bound of the number of classes, from how often random assignments gave the same candidate.
        samples: How many random assignments; 0 where exact.
    """

    value: int
    low: int
    high: int | None
    method: Literal["exact", "sampled", "chao1"]
    samples: int = 0

    @classmethod
    def exact(cls, value: int) -> Count:
        """A number without doubt."""
        return cls(value=value, low=value, high=value, method="exact")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        names = ("value", "low", "high", "method", "samples")
        return {"exact": self.method == "exact", **{name: getattr(self, name) for name in names}}


def chao1(counts: Sequence[int], *, most: int | None = None) -> Count:
    """A lower bound of the number of classes, from how often each was seen.

    The bias-corrected estimator is ``seen + (n - 1) / n * f1 * (f1 - 1) / (2 * (f2 + 1))`` with f1 classes seen once
    and f2 seen twice, and its interval is log-normal above ``seen`` (Chao, "Estimating the population size for
    capture-recapture data with unequal catchability", Biometrics 43, 1987). Where no class was seen twice, the upper
    end is open, and the lower end is the number of classes with which n draws all differ in 5 % of cases if all are
    equally likely: ``n * (n - 1) / (2 * log(20))``; with unequal ones they differ more rarely.

    Args:
        counts: Times that each class was seen, at least 1.
        most: A number that there cannot be more of.
    """
    n, seen = sum(counts), len(counts)
    once, twice = counts.count(1), counts.count(2)
    value = seen + (n - 1) / n * once * (once - 1) / (2 * (twice + 1))
    low: float = seen
    high: float | None
    if once == n:
        low, high = max(seen, n * (n - 1) / (2 * math.log(20))), None
    elif value == seen:
        high = seen
    else:
        factor = math.exp(Z * math.sqrt(math.log1p(_chao1_variance(n, once, twice, value) / (value - seen) ** 2)))
        low, high = seen + (value - seen) / factor, seen + (value - seen) * factor
    if most is not None:
        low, value, high = min(low, most), min(value, most), None if high is None else min(high, most)
    ends = (round(value), math.floor(low), None if high is None else math.ceil(high))
    return Count(value=ends[0], low=ends[1], high=ends[2], method="chao1", samples=n)


def _chao1_variance(n: int, once: int, twice: int, value: float) -> float:
    """Variance of the bias-corrected estimator (Chao, as above; EstimateS user's guide, appendix B)."""
    share = (n - 1) / n
    if twice == 0:
        first = share * once * (once - 1) / 2 + share**2 * once * (2 * once - 1) ** 2 / 4
        return max(first - share**2 * once**4 / (4 * value), 0.0)
    return (
        share * once * (once - 1) / (2 * (twice + 1))
        + share**2 * once * (2 * once - 1) ** 2 / (4 * (twice + 1) ** 2)
        + share**2 * once**2 * twice * (once - 1) ** 2 / (4 * (twice + 1) ** 4)
    )
