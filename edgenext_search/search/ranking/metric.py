"""What ranks candidates: their top-1, a steadier reading of the same training, or the mean of all, on top-1's scale."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

from edgenext_search.search.recipe import RankingMetric
from edgenext_search.search.store.records import Losses, TrialRecord

Curves = dict[int, dict[int, float]]  # by number of the trial and epoch
FEW = 3  # scores below which there is no line to fit: the spread of fewer says nothing


def ranking_scores(trials: Iterable[TrialRecord], metric: RankingMetric) -> Curves:
    """What each trial is ranked by at each rung that it finished, by number and epoch; higher is better.

    A loss takes every image into account by how sure the network is of it, where top-1 counts the few that cross the
    line. It is brought to the scale of top-1 by the standardised major axis (Warton, Wright, Falster, Westoby 2006,
    "Bivariate line-fitting methods for allometry"): over the trials that a rung has scored, the line through both means
    whose slope is minus the ratio of the standard deviations. So the order is the loss's, and the numbers read as
    top-1. Where fewer than three trials, or trials of one loss or one top-1, give no line, the slope is -1.

    Args:
        trials: All that are to be ranked among one another.
        metric: ``top1``; ``loss``, the held-out cross-entropy; ``recent_loss``, the mean loss of the training steps
            since the previous rung (Ru et al., arXiv 2006.04492: of sums of training losses, that over the last epochs
            ranks best); ``train_loss``, that of all training steps, which counts a slow start at every rung; or
            ``combined``, the mean of ``top1``, ``loss`` and ``train_loss`` on the scale of top-1. A trial without a
            recorded loss counts with its top-1.
    """
    records = list(trials)
    if metric == "combined":
        return _mean([ranking_scores(records, single) for single in ("top1", "loss", "train_loss")])
    curves = {trial.number: dict(trial.curve) for trial in records}
    if metric == "top1":
        return curves
    for epoch in sorted({epoch for curve in curves.values() for epoch in curve}):
        losses = {
            trial.number: loss
            for trial in records
            if epoch in curves[trial.number] and (loss := _loss(dict(trial.losses).get(epoch), metric)) is not None
        }
        scores = [curves[number][epoch] for number in losses]
        if losses:
            slope = _slope(scores, list(losses.values()))
            score, middle = statistics.fmean(scores), statistics.fmean(losses.values())
            for number, loss in losses.items():
                curves[number][epoch] = score + slope * (loss - middle)
    return curves


def _mean(parts: Sequence[Curves]) -> Curves:
    first, *_ = parts
    return {
        number: {epoch: statistics.fmean(part[number][epoch] for part in parts) for epoch in curve}
        for number, curve in first.items()
    }


def _loss(losses: Losses | None, metric: RankingMetric) -> float | None:
    if losses is None:
        return None
    value = {"loss": losses.held_out, "train_loss": losses.train, "recent_loss": losses.recent}[metric]
    return value if value is not None and math.isfinite(value) else None


def _slope(scores: list[float], losses: list[float]) -> float:
    if len(scores) < FEW:
        return -1.0
    up, across = statistics.stdev(scores), statistics.stdev(losses)
    return -up / across if up > 0 and across > 0 else -1.0
