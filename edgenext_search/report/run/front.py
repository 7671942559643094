"""Accuracy against costs, and every trial of the study in its order.

Scores of different fidelities never share a mark: trials that ran to the end are filled points; trials that were
stopped early are faint outlines, named by their epochs, in a panel of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgenext_search.arch.metrics import METRICS, CostName, Metric
from edgenext_search.report import plot
from edgenext_search.report.document import Figure, Group, Paragraph, Section, Tabs, section
from edgenext_search.report.plot import Plot, Series
from edgenext_search.report.run.words import objective_costs, score_label
from edgenext_search.report.trials.pareto import (
    cost_of,
    costs_among,
    front_trials,
    full_fidelity,
    has_score,
    rows_of,
    score_of,
)
from edgenext_search.report.trials.study import Study
from edgenext_search.report.wording import (
    cost_label,
    epochs_text,
    finite,
    is_published,
    listed,
    origin_text,
    percent,
    score_text,
    size_text,
)
from edgenext_search.search.store.records import TrialRecord

_XOf = Callable[[TrialRecord], float]


def pareto_section(study: Study) -> Section | None:
    """Accuracy against each cost, two figures at a time; None if no trial has a score."""
    names = _front_costs(study) if any(map(has_score, study.trials)) else []
    if not names:
        return None
    panels = []
    for pair in (names[at : at + 2] for at in range(0, len(names), 2)):
        label = " and ".join(METRICS[name].words if place else METRICS[name].label for place, name in enumerate(pair))
        figures = (Figure(identifier=f"fig-{name}", plot=pareto_figure(study, name)) for name in pair)
        panels.append((label, Group(blocks=tuple(figures), layout="pair")))
    complete = full_fidelity(study.trials)
    networks = len({trial.candidate for trial in complete})
    sizes = {name: len({trial.candidate for trial in front_trials(study.trials, name)}) for name in names}
    fronts = listed([f"{size} for {METRICS[name].words}" for name, size in sizes.items()])
    caption = (
        f"Fully trained networks: {networks}. On the front are {fronts}: no other network is as good for as little. "
        "Outlined marks were stopped early; compare them only with marks of the same number of epochs."
        if complete
        else "No candidate was trained through the last rung, so there is no front."
    )
    how = "Hover over a mark for its candidate, click to pin it; drag to zoom, double-click to see all again."
    return section(
        "pareto",
        "Fronts",
        "Accuracy for the cost",
        Tabs(identifier="fronts", label="Cost", panels=tuple(panels)),
        Paragraph(text=caption, style="caption"),
        Paragraph(text=how, style="screen"),
    )


def pareto_figure(study: Study, name: CostName = "params") -> Plot:
    """Accuracy against one cost, with the Pareto front of the fully trained candidates."""
    metric, summary = METRICS[name], study.summary

    def x_of(trial: TrialRecord) -> float:
        return (cost_of(trial, name) or 0) / metric.scale

    shown = _scatter(study, x_of)
    if front := front_trials(study.trials, name):
        x = [x_of(trial) for trial in front] + [max(map(x_of, full_fidelity(study.trials)))]
        y = [100 * score_of(trial) for trial in front]
        shown.insert(0, Series(name="Pareto front", style=plot.FRONT, x=x, y=[*y, y[-1]]))
    shown += _fresh_seeds(study, metric)
    cap = summary.budget.get(name)
    return Plot(
        title=f"Accuracy against {'predicted latency' if name == 'latency' else metric.words}",
        x_label=cost_label(metric, summary.deployment),
        y_label=score_label(summary),
        series=shown,
        marks=() if cap is None else ((cap / metric.scale, f"budget {metric.format_exact(cap)}"),),
    )


def history_figure(study: Study) -> Plot:
    """Score by number of trial, the best fully trained score so far, and bands for the cohorts."""

    def x_of(trial: TrialRecord) -> float:
        return trial.number

    trials = study.trials
    shown = _scatter(study, x_of)
    if full_fidelity(trials):
        shown.insert(0, _best_so_far(trials))
    if failed := [trial for trial in trials if trial.state == "failed"]:
        panel = max((series.panel for series in shown), default=0)
        drawn = [y for series in shown if series.panel == panel for y in series.y if y is not None]
        foot = min(drawn, default=0.0)
        shown.append(_points(study, failed, x_of, "failed", plot.CROSS, panel=panel, y=[foot] * len(failed)))
    last = max((trial.number for trial in trials), default=0)
    pad = max(1.0, 0.015 * last)
    return Plot(
        title="The course of the study",
        x_label="Trial, in the order asked; bands are cohorts",
        y_label=score_label(study.summary),
        series=shown,
        bands=_cohorts(trials),
        x_range=(-pad, last + pad),
        whole=True,
    )


def _front_costs(study: Study) -> list[CostName]:
    """The costs with a front: first the study's objectives; memory only if it is an objective or capped."""
    asked = {*objective_costs(study.summary), *study.summary.budget}
    costs = [name for name in costs_among(study.trials) if not METRICS[name].bytes or name in asked]
    return list(dict.fromkeys([*(name for name in objective_costs(study.summary) if name in costs), *costs]))


def _scatter(study: Study, x_of: _XOf) -> list[Series]:
    """Trials, published shapes and the winner; trials that were stopped early in a panel beneath, if there are both."""
    series: list[Series] = []
    complete = full_fidelity(study.trials)
    numbers = {trial.number for trial in complete}
    stopped = [t for t in study.trials if t.number not in numbers and has_score(t) and t.state != "failed"]
    panel = 1 if complete and stopped else 0
    for rung, epochs in enumerate(sorted({trial.epochs for trial in stopped})):
        here = [trial for trial in stopped if trial.epochs == epochs and not is_published(trial.origin)]
        if here:
            name = f"stopped at {epochs_text(epochs)}"
            series.append(_points(study, here, x_of, name, plot.early(rung), panel=panel))
    if own := [trial for trial in complete if not is_published(trial.origin)]:
        series.append(_points(study, own, x_of, f"trained {epochs_text(own[0].epochs)}", plot.FULL))
    for trials, suffix, style, at in (
        (stopped, ", stopped early", plot.STAR_EARLY, panel),
        (complete, "", plot.STAR, 0),
    ):
        if stars := [trial for trial in trials if is_published(trial.origin)]:
            labels = [size_text(trial.origin) for trial in stars]
            name = f"published shape, scaled{suffix}"
            series.append(_points(study, stars, x_of, name, style, panel=at, labels=labels))
    winner = study.summary.winner
    if winner and (ringed := [trial for trial in complete if trial.number == winner.trial]):
        series.append(_points(study, ringed, x_of, "winner", plot.RING))
    return series


def _points(
    study: Study,
    some: Sequence[TrialRecord],
    x_of: _XOf,
    name: str,
    style: plot.Style,
    *,
    panel: int = 0,
    labels: Sequence[str] | None = None,
    y: Sequence[float] | None = None,
) -> Series:
    places = rows_of(study.trials)
    return Series(
        name=name,
        style=style,
        x=[x_of(trial) for trial in some],
        y=y or [None if trial.score is None else 100 * trial.score for trial in some],
        rows=[places[trial.number] for trial in some],
        labels=labels,
        panel=panel,
    )


def _fresh_seeds(study: Study, metric: Metric) -> list[Series]:
    """The finalists' means over fresh seeds; none before a finalist has been scored with any."""
    rows = [row for row in study.summary.finalists if finite(row.score.mean) is not None and row.fresh_seeds]
    if not rows:
        return []
    places = rows_of(study.trials)
    means = [100 * row.score.mean for row in rows]
    spreads = [100 * (finite(row.score.std) or 0.0) for row in rows]
    return [
        Series(
            name="finalist, fresh seeds: mean ± std",
            style=plot.FRESH,
            x=[(getattr(row, metric.key) or 0) / metric.scale for row in rows],
            y=means,
            low=[mean - spread for mean, spread in zip(means, spreads, strict=True)],
            high=[mean + spread for mean, spread in zip(means, spreads, strict=True)],
            rows=[places.get(row.trial, -1) for row in rows],
            notes=[
                f"{row.fingerprint}, {origin_text(row.origin)}\nfresh seeds: top-1 {score_text(row.score)} %\n"
                f"in the search: {percent(row.search_score)} %"
                for row in rows
            ],
        )
    ]


def _best_so_far(trials: Sequence[TrialRecord]) -> Series:
    steps = best_steps(trials)
    last = max(trial.number for trial in trials)
    return Series(
        name="best so far",
        style=plot.FRONT,
        x=[*(trial.number for trial in steps), last],
        y=[*(100 * score_of(trial) for trial in steps), 100 * score_of(steps[-1])],
    )


def best_steps(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The fully trained trials that were better than all before them."""
    steps: list[TrialRecord] = []
    for trial in sorted(full_fidelity(trials), key=lambda trial: trial.number):
        if not steps or score_of(trial) > score_of(steps[-1]):
            steps.append(trial)
    return steps


def _cohorts(trials: Sequence[TrialRecord]) -> list[tuple[float, float, str]]:
    ends: dict[int, tuple[int, int]] = {}
    for trial in trials:
        low, high = ends.get(trial.cohort, (trial.number, trial.number))
        ends[trial.cohort] = min(low, trial.number), max(high, trial.number)
    if len(ends) < 2:
        return []
    return [(low - 0.5, high + 0.5, str(cohort)) for cohort, (low, high) in sorted(ends.items())]
