"""What each choice of the space scored: kernel sizes, splits, depths, width ratios, stage by stage."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from edgenext_search.arch.candidate import STAGES, Candidate
from edgenext_search.report.plot import FULL, Plot, Series
from edgenext_search.report.wording import NONE, stage_values
from edgenext_search.search.store.records import TrialRecord

FIELDS = {
    "kernel_sizes": "Kernel size",
    "sdta_splits": "SDTA splits",
    "depths": "Blocks",
    "width_ratio": "Width over the stage before",
    "sdta_blocks": "SDTA blocks",
    "heads": "Heads",
    "expand_ratio": "Expand ratio",
}
"""What there is a plot of, where it varies."""

BINS = 5  # of width ratios, with equally many candidates each
LEAST = 3  # trials of a value, for an interval
CONFIDENCE = 0.95


def estimates(trials: Sequence[TrialRecord]) -> dict[int, float]:
    """Each trial's top-1 at the last rung, or what is estimated for it, in [0, 1].

    So trials that stopped early count too; among those alone that went on, every choice would look good. It is top-1
    whatever the study ranks by, as everywhere in the report.

    Returns:
        By number of the trial, each network once.
    """
    from edgenext_search.search.study.halving import estimated_scores

    scored = [trial for trial in trials if trial.state in ("complete", "pruned") and trial.duplicate_of is None]
    rungs = sorted({epoch for trial in scored for epoch, _ in trial.curve})
    if not rungs:
        return {}
    found = estimated_scores(scored, rungs)
    return {number: score for number, score in found.items() if math.isfinite(score)}


def choice_figures(trials: Sequence[TrialRecord]) -> dict[str, list[Plot]]:
    """By field, a small figure for each stage in which it varies: the mean top-1 of each value with its interval.

    Returns:
        In the order of :data:`FIELDS`, without fields that do not vary.
    """
    scores = estimates(trials)
    known = [(trial.candidate, scores[trial.number]) for trial in trials if trial.number in scores]
    found: dict[str, list[tuple[str, list[_Group]]]] = {}
    for field, label in FIELDS.items():
        values = _values([candidate for candidate, _ in known], field)
        for stage in range(1 if field == "expand_ratio" else STAGES):
            groups = _groups(known, [its[stage] for its in values], field, stage)
            if len(groups) > 1:
                where = "" if field == "expand_ratio" else f", stage {stage + 1}"
                found.setdefault(label, []).append((f"{label}{where}", groups))
    ends = [end for plots in found.values() for _, groups in plots for group in groups for end in group.ends]
    pad = 0.06 * (max(ends) - min(ends)) if ends else 0.0
    span = (min(ends) - pad, max(ends) + pad) if pad else None
    return {label: [_figure(title, groups, span) for title, groups in plots] for label, plots in found.items()}


class _Group:
    """The scores of one value, in percent."""

    def __init__(self, name: str, scores: Sequence[float]) -> None:
        self.name = name
        self.n = len(scores)
        self.mean = 100 * statistics.fmean(scores)
        self.low: float | None = None
        self.high: float | None = None
        if self.n >= LEAST:
            half = 100 * _quantile(self.n - 1) * statistics.stdev(scores) / math.sqrt(self.n)
            self.low, self.high = self.mean - half, self.mean + half

    @property
    def ends(self) -> list[float]:
        """What has to be in sight; the wide interval of a few trials is not worth it."""
        return [self.mean] if self.low is None or self.high is None else [self.low, self.high]

    @property
    def note(self) -> str:
        """What shows on hovering."""
        interval = NONE if self.low is None else f"95 % interval {self.low:.1f} to {self.high:.1f}"
        return f"{self.name}: mean top-1 {self.mean:.1f} %\n{interval}\nn = {self.n}"


def _figure(title: str, groups: Sequence[_Group], span: tuple[float, float] | None) -> Plot:
    series = Series(
        name="mean and 95 % interval",
        style=FULL,
        x=list(range(len(groups))),
        y=[group.mean for group in groups],
        low=[group.low for group in groups],
        high=[group.high for group in groups],
        notes=[group.note for group in groups],
        legend=False,
    )
    return Plot(
        title=title,
        x_label="",
        y_label="",
        series=[series],
        x_names=[group.name for group in groups],
        y_range=span,
        small=True,
    )


def _values(candidates: Sequence[Candidate], field: str) -> list[list[str]]:
    """A field's values in words, for each candidate one a stage; empty where no block uses it."""
    if field == "width_ratio":
        return [[""] * STAGES for _ in candidates]
    if field == "expand_ratio":
        return [[str(candidate.expand_ratio)] for candidate in candidates]
    return [stage_values(candidate, field, "") for candidate in candidates]


def _groups(known: Sequence[tuple[Candidate, float]], values: Sequence[str], field: str, stage: int) -> list[_Group]:
    if field == "width_ratio":
        return _binned([(_ratio(candidate, stage), score) for candidate, score in known]) if stage else []
    groups: dict[str, list[float]] = {}
    for value, (_, score) in zip(values, known, strict=True):
        if value:
            groups.setdefault(value, []).append(score)
    return [_Group(value, groups[value]) for value in sorted(groups, key=int)]


def _ratio(candidate: Candidate, stage: int) -> float:
    return candidate.widths[stage] / candidate.widths[stage - 1]


def _binned(pairs: Sequence[tuple[float, float]]) -> list[_Group]:
    """Groups of about equally many; equal ratios stay together."""
    ordered = sorted(pairs)
    groups: list[list[tuple[float, float]]] = []
    for index, pair in enumerate(ordered):
        full = groups and len(groups) * len(ordered) <= index * BINS
        if not groups or (full and pair[0] != groups[-1][-1][0]):
            groups.append([])
        groups[-1].append(pair)
    return [_Group(_span(group[0][0], group[-1][0]), [score for _, score in group]) for group in groups]


def _span(low: float, high: float) -> str:
    return f"{low:.1f}" if f"{low:.1f}" == f"{high:.1f}" else f"{low:.1f}–{high:.1f}"  # noqa: RUF001 - a range


def _quantile(freedom: int) -> float:
    from scipy.stats import t

    return float(t.ppf((1 + CONFIDENCE) / 2, freedom))
