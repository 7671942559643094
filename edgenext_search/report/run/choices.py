"""Which parameters of the space matter, and what each choice scored, stage by stage."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Sequence

from edgenext_search.arch.candidate import STAGES, Candidate
from edgenext_search.report.document import Figure, Group, Paragraph, Section, section
from edgenext_search.report.plot import BAR, FULL, Plot, Series
from edgenext_search.report.trials.study import Study
from edgenext_search.report.wording import NONE, RANKING_METRICS, stage_values
from edgenext_search.search.results import RunSummary
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
"""What has a plot, if it varies."""

BINS = 5  # of width ratios, with equally many candidates each
LEAST = 3  # trials of a value that has an interval
CONFIDENCE = 0.95
SHOWN = 14  # parameters in the figure of importance
_CAPTION = (
    "Mean top-1 of the networks that have a value, with its 95 % interval (from three networks on), all on one scale. "
    "A network that stopped early counts with its score plus what others gained from there to the last rung. The "
    "sampler tries more of what it likes, and values come together with others, so a difference is a hint, not an "
    "effect. "
)


def choices_section(study: Study) -> Section | None:
    """Importance of the parameters, and the mean score of each value; None if nothing varied or scored."""
    plots, drawn = choice_figures(study.trials), importance_figure(study.summary)
    if not plots and drawn is None:
        return None
    groups = [
        Group(
            title=f"{label}: mean top-1, %",
            layout="small-plots",
            blocks=tuple(
                Figure(identifier=_identifier(plot), plot=plot, title=_stage(plot.title)) for plot in plots[label]
            ),
        )
        for label in plots
    ]
    importance = study.summary.importance
    method = (
        f"Importance: {importance.method} (Watanabe et al. 2023) on {importance.n} networks; with few networks, small "
        "shares are chance."
        if importance
        else ""
    )
    return section(
        "choices",
        "Choices",
        "Which choices paid",
        None if drawn is None else Figure(identifier="fig-importance", plot=drawn, source="summary.json"),
        *groups,
        Paragraph(text=f"{_CAPTION if plots else ''}{method}", style="caption"),
    )


def importance_figure(summary: RunSummary) -> Plot | None:
    """Each parameter's share of what separates the best trials from all; None if the summary has no importances."""
    importance = summary.importance
    if importance is None:
        return None
    values = list(importance.values.items())[:SHOWN]
    rest = len(importance.values) - len(values)
    more = f"; {rest} more below {100 * values[-1][1]:.1f} %" if rest else ""
    metric = RANKING_METRICS[summary.fidelity.rank_by]
    best = f"best {100 * importance.quantile:g} % of {importance.n} networks by {metric}"
    return Plot(
        title="What the best trials have in common",
        x_label=f"Importance by {importance.method}, %{more}",
        y_label=f"What separates the {best} from all of them",
        series=[
            Series(
                name="importance",
                style=BAR,
                x=[100 * value for _, value in values],
                y=list(range(len(values))),
                notes=[f"{parameter_text(name)}\n{100 * value:.1f} %" for name, value in values],
                legend=False,
            )
        ],
        y_names=[parameter_text(name) for name, _ in values],
    )


def parameter_text(name: str) -> str:
    """A parameter of a space in words: ``stage3.kernel_size`` is ``kernel size, stage 3``."""
    stage, _, field = name.rpartition(".")
    words = field.replace("_", " ").replace("sdta", "SDTA").replace("pos emb", "positional encoding")
    return f"{words}, stage {stage.removeprefix('stage')}" if stage.startswith("stage") else words


def estimates(trials: Sequence[TrialRecord]) -> dict[int, float]:
    """Each network's top-1 at the last rung, or what is estimated for it, by number of the trial.

    Trials that stopped early count too: among those alone that went on, every choice would look good. It is top-1
    whatever the study ranks by.
    """
    from edgenext_search.search.study.cohort.halving import estimated_scores

    scored = [trial for trial in trials if trial.state in ("complete", "pruned") and trial.duplicate_of is None]
    rungs = sorted({epoch for trial in scored for epoch, _ in trial.curve})
    if not rungs:
        return {}
    return {number: score for number, score in estimated_scores(scored, rungs).items() if math.isfinite(score)}


def choice_figures(trials: Sequence[TrialRecord]) -> dict[str, list[Plot]]:
    """By label of the field, a small figure for each stage in which it varies: the mean top-1 of each value."""
    scores = estimates(trials)
    scored = [(trial.candidate, scores[trial.number]) for trial in trials if trial.number in scores]
    plots_by_label: dict[str, list[tuple[str, list[_Group]]]] = {}
    for field, label in FIELDS.items():
        for stage in range(1 if field == "expand_ratio" else STAGES):
            groups = _binned(scored, stage) if field == "width_ratio" else _by_value(scored, field, stage)
            if len(groups) > 1:
                where = "" if field == "expand_ratio" else f", stage {stage + 1}"
                plots_by_label.setdefault(label, []).append((f"{label}{where}", groups))
    ends = [end for plots in plots_by_label.values() for _, groups in plots for group in groups for end in group.ends]
    pad = 0.06 * (max(ends) - min(ends)) if ends else 0.0
    span = (min(ends) - pad, max(ends) + pad) if pad else None
    return {label: [_figure(title, groups, span) for title, groups in plots] for label, plots in plots_by_label.items()}


class _Group:
    """The scores of one value, in percent."""

    def __init__(self, name: str, scores: Sequence[float]) -> None:
        self.name = name
        self.n = len(scores)
        self.mean = 100 * statistics.fmean(scores)
        self.low: float | None = None
        self.high: float | None = None
        if self.n >= LEAST:
            from scipy.stats import t

            quantile = float(t.ppf((1 + CONFIDENCE) / 2, self.n - 1))
            half = 100 * quantile * statistics.stdev(scores) / math.sqrt(self.n)
            self.low, self.high = self.mean - half, self.mean + half

    @property
    def ends(self) -> list[float]:
        """What the common scale has room for."""
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
    names = [group.name for group in groups]
    return Plot(title=title, x_label="", y_label="", series=[series], x_names=names, y_range=span, small=True)


def _by_value(scored: Sequence[tuple[Candidate, float]], field: str, stage: int) -> list[_Group]:
    """The scores of each value of a field; candidates without a block that uses it are left out."""
    groups: dict[int, list[float]] = {}
    for candidate, score in scored:
        values = [str(candidate.expand_ratio)] if field == "expand_ratio" else stage_values(candidate, field, "")
        if values[stage]:
            groups.setdefault(int(values[stage]), []).append(score)
    return [_Group(str(value), groups[value]) for value in sorted(groups)]


def _binned(scored: Sequence[tuple[Candidate, float]], stage: int) -> list[_Group]:
    """The scores of ranges of width ratios with about equally many candidates; equal ratios stay together."""
    if not stage:
        return []
    ordered = sorted((candidate.widths[stage] / candidate.widths[stage - 1], score) for candidate, score in scored)
    groups: list[list[tuple[float, float]]] = []
    for index, pair in enumerate(ordered):
        full = groups and len(groups) * len(ordered) <= index * BINS
        if not groups or (full and pair[0] != groups[-1][-1][0]):
            groups.append([])
        groups[-1].append(pair)
    return [_Group(_span(group[0][0], group[-1][0]), [score for _, score in group]) for group in groups]


def _span(low: float, high: float) -> str:
    return f"{low:.1f}" if f"{low:.1f}" == f"{high:.1f}" else f"{low:.1f}–{high:.1f}"


def _identifier(plot: Plot) -> str:
    """The identifier of the figure of a choice: ``fig-choice-kernel-size-stage-1``."""
    return f"fig-choice-{re.sub('[^a-z0-9]+', '-', plot.title.lower())}"


def _stage(title: str) -> str:
    """``Stage 2`` of ``Kernel size, stage 2``; ``All stages`` for what varies in all stages alike."""
    return title.rpartition(", ")[2].capitalize() if ", stage" in title else "All stages"
