"""Errors of latency predictions: relative errors, rank correlation, and an interval for new measurements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

from pydantic import ConfigDict, Field

from edgenext_search.results import Result

NORMAL_WEIGHT = 20  # the fitted normal distribution counts as much as this number of observed errors

_Factor = Annotated[float, Field(gt=0)]


class PredictionErrors(Result):
    """Errors of predictions, for measurements that were not used to fit them."""

    model_config = ConfigDict(allow_inf_nan=False)

    n: int
    """Number of models."""
    mean_error: float
    """Mean of ``|predicted / measured - 1|``."""
    within_5: float
    """Share of models with a prediction within 5 %."""
    within_10: float
    """Share of models with a prediction within 10 %."""
    spearman: float
    """Spearman's rank correlation of predicted and measured times; 0 where one of them is constant."""
    bias: float
    """Mean of ``predicted / measured - 1``."""
    margin: Annotated[float, Field(ge=1)]
    """Factor of at least 1: of new measurements, 95 % are below the prediction times ``margin``."""
    low: _Factor
    """Factor: of new measurements, 95 % lie between the prediction times ``low`` and the prediction times ``high``."""
    high: _Factor
    """See ``low``."""


def prediction_errors(predicted: Sequence[float], measured: Sequence[float]) -> PredictionErrors:
    """Compare predictions with measurements of the same models, at least three.

    The factors are quantiles of ``log(measured / predicted)``: a weighted mean of the observed quantile and of the
    bound for a new value of a normal distribution with unknown mean and deviation (Student's t). The weight of the
    observed quantile grows with the number of models.
    """
    errors = [p / m - 1 for p, m in zip(predicted, measured, strict=True)]
    logs = sorted(math.log(m / p) for p, m in zip(predicted, measured, strict=True))
    n = len(errors)
    return PredictionErrors(
        n=n,
        mean_error=sum(map(abs, errors)) / n,
        within_5=sum(abs(error) <= 0.05 for error in errors) / n,
        within_10=sum(abs(error) <= 0.10 for error in errors) / n,
        spearman=_spearman(predicted, measured),
        bias=sum(errors) / n,
        margin=max(1.0, math.exp(_quantile(logs, 0.95))),
        low=math.exp(_quantile(logs, 0.025)),
        high=math.exp(_quantile(logs, 0.975)),
    )


def _spearman(predicted: Sequence[float], measured: Sequence[float]) -> float:
    from scipy.stats import spearmanr

    if len(set(predicted)) == 1 or len(set(measured)) == 1:
        return 0.0
    return float(spearmanr(predicted, measured).statistic)


def _quantile(ordered: Sequence[float], share: float) -> float:
    from scipy.stats import t

    n = len(ordered)
    mean = sum(ordered) / n
    deviation = math.sqrt(sum((value - mean) ** 2 for value in ordered) / (n - 1))
    normal = mean + float(t.ppf(share, n - 1)) * deviation * math.sqrt(1 + 1 / n)
    position = min(max(share * n - 0.5, 0.0), n - 1.0)  # Hazen's plotting position
    below = min(int(position), n - 2)
    observed = ordered[below] + (position - below) * (ordered[below + 1] - ordered[below])
    return (n * observed + NORMAL_WEIGHT * normal) / (n + NORMAL_WEIGHT)
