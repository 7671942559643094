"""How good predictions are: errors, rank correlation, and how far a measurement may lie from its prediction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

CONFIDENT = 20  # models from which the observed errors count as much as the normal distribution through them


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Predictions against measurements that they have not seen.

    Attributes:
        n: Compared models.
        mean_error: Mean of ``|predicted / measured - 1|``.
        within_5: Share of models predicted to 5 %.
        within_10: Share of models predicted to 10 %.
        spearman: Rank correlation.
        bias: Mean of ``predicted / measured - 1``.
        margin: At least 1; nineteen of twenty measured times stay below the prediction times this.
        low: A measured time lies between the prediction times ``low`` and times ``high`` with 95 %.
        high: See ``low``.
    """

    n: int
    mean_error: float
    within_5: float
    within_10: float
    spearman: float
    bias: float
    margin: float
    low: float
    high: float

    def to_dict(self) -> dict[str, Any]:
        """All values by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Accuracy:
        """Read what :meth:`to_dict` wrote."""
        return cls(**{field.name: values[field.name] for field in fields(cls)})


def accuracy(predicted: Sequence[float], measured: Sequence[float]) -> Accuracy:
    """Compare predictions with measurements of the same models, three at least.

    The factors are quantiles of ``log(measured / predicted)``: the observed ones, shrunk toward those that a new value
    of a normal distribution with the observed mean and deviation keeps (Student's t), the more the fewer models.
    """
    errors = [p / m - 1 for p, m in zip(predicted, measured, strict=True)]
    logs = sorted(math.log(m / p) for p, m in zip(predicted, measured, strict=True))
    n = len(errors)
    return Accuracy(
        n=n,
        mean_error=sum(map(abs, errors)) / n,
        within_5=sum(abs(error) <= 0.05 for error in errors) / n,
        within_10=sum(abs(error) <= 0.10 for error in errors) / n,
        spearman=spearman(predicted, measured),
        bias=sum(errors) / n,
        margin=max(1.0, math.exp(_quantile(logs, 0.95))),
        low=math.exp(_quantile(logs, 0.025)),
        high=math.exp(_quantile(logs, 0.975)),
    )


def spearman(first: Sequence[float], second: Sequence[float]) -> float:
    """Rank correlation, equal values sharing the mean of their ranks; 0 where one of the rows is constant."""
    a, b = _ranks(first), _ranks(second)
    mean = (len(a) - 1) / 2
    product = sum((x - mean) * (y - mean) for x, y in zip(a, b, strict=True))
    power = sum((x - mean) ** 2 for x in a) * sum((y - mean) ** 2 for y in b)
    return product / math.sqrt(power) if power else 0.0


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for index in order[start:end]:
            ranks[index] = (start + end - 1) / 2
        start = end
    return ranks


def _quantile(ordered: Sequence[float], share: float) -> float:
    from scipy.stats import t

    n = len(ordered)
    mean = sum(ordered) / n
    deviation = math.sqrt(sum((value - mean) ** 2 for value in ordered) / (n - 1))
    normal = mean + float(t.ppf(share, n - 1)) * deviation * math.sqrt(1 + 1 / n)
    position = min(max(share * n - 0.5, 0.0), n - 1.0)  # Hazen's plotting position
    below = min(int(position), n - 2)
    observed = ordered[below] + (position - below) * (ordered[below + 1] - ordered[below])
    return (n * observed + CONFIDENT * normal) / (n + CONFIDENT)
