"""Accuracy against a cost, and the study's history.

Scores of different fidelities never share a mark: trials that ran to the end are solid points, trials that were
stopped early are hollow, faint, named by the epochs behind their score, and in a panel of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from edgenext_search.report import plot
from edgenext_search.report.pareto import CostName, cost_of, front_trials, full_fidelity, has_score
from edgenext_search.report.plot import Plot, Series
from edgenext_search.report.wording import (
    cap_text,
    epochs_text,
    fidelity_text,
    fresh_seeds,
    is_published,
    number_or_none,
    origin_text,
    percent,
    score_text,
    size_text,
)
from edgenext_search.search.store.records import TrialRecord

TITLES: dict[CostName, str] = {
    "params": "Accuracy against parameters",
    "madds": "Accuracy against multiply-adds",
    "acts": "Accuracy against activations",
    "memory": "Accuracy against peak memory",
    "footprint": "Accuracy against weights and peak memory",
    "latency": "Accuracy against predicted latency",
}
_NAMES: dict[CostName, tuple[str, str]] = {
    "params": ("Parameters", "M"),
    "madds": ("Multiply-adds", "M"),
    "acts": ("Activations", "M"),
    "memory": ("Peak memory of the activations", "MB"),
    "footprint": ("Weights and peak memory", "MB"),
    "latency": ("Predicted latency", "ms"),
}
_XOf = Callable[[TrialRecord], float]


def scaled(cost_name: CostName, value: float) -> float:
    """A cost in the unit of its axis: millions, megabytes or milliseconds."""
    return value / (1e3 if cost_name == "latency" else 1e6)


def score_label(summary: Mapping[str, Any]) -> str:
    """What is up where scores are."""
    return f"Top-1 on held-out training images, % ({fidelity_text(summary)})"


def cost_label(cost_name: CostName, summary: Mapping[str, Any]) -> str:
    """What is across, with the deployment that the cost depends on."""
    deployment = summary.get("deployment") or {}
    classes, size = deployment.get("num_classes", "?"), deployment.get("img_size", "?")
    where = f"at {classes} classes" if cost_name == "params" else f"at {classes} classes, {size} px"
    name, unit = _NAMES[cost_name]
    return f"{name} {where}, {unit}"


def pareto_figure(trials: Sequence[TrialRecord], summary: Mapping[str, Any], cost_name: CostName = "params") -> Plot:
    """Accuracy against one cost, with the Pareto front of the fully trained candidates.

    Args:
        trials: All trials of the study, which have that cost; those without a score are left out.
        summary: The run's summary: budget, deployment, fidelity, finalists and winner.
        cost_name: The cost across.
    """

    def x_of(trial: TrialRecord) -> float:
        return scaled(cost_name, cost_of(trial, cost_name))

    shown = _scatter(trials, summary, x_of)
    if front := front_trials(trials, cost_name):
        shown.insert(0, _front(front, full_fidelity(trials), x_of))
    shown += _fresh_seeds(trials, summary, cost_name)
    cap = (summary.get("budget") or {}).get(cost_name)
    return Plot(
        title=TITLES[cost_name],
        x_label=cost_label(cost_name, summary),
        y_label=score_label(summary),
        series=shown,
        marks=() if cap is None else ((scaled(cost_name, cap), f"budget {_cap(cost_name, cap)}"),),
    )


def history_figure(trials: Sequence[TrialRecord], summary: Mapping[str, Any]) -> Plot:
    """Score by number of trial, the best fully trained score so far, and bands for the cohorts.

    Args:
        trials: All trials of the study; failed ones are marked at the foot of the figure.
        summary: The run's summary: fidelity and winner.
    """

    def x_of(trial: TrialRecord) -> float:
        return trial.number

    shown = _scatter(trials, summary, x_of)
    if full_fidelity(trials):
        shown.insert(0, _best_so_far(trials))
    if failed := [trial for trial in trials if trial.state == "failed"]:
        panel = max((series.panel for series in shown), default=0)
        drawn = [y for series in shown if series.panel == panel for y in series.y if y is not None]
        foot = min(drawn, default=0.0)
        shown.append(_points(trials, failed, x_of, "failed", plot.CROSS, panel=panel, y=[foot] * len(failed)))
    last = max((trial.number for trial in trials), default=0)
    return Plot(
        title="The course of the study",
        x_label="Trial, in the order asked; bands are cohorts",
        y_label=score_label(summary),
        series=shown,
        bands=_cohorts(trials),
        x_range=(-max(1.0, 0.015 * last), last + max(1.0, 0.015 * last)),
        whole=True,
    )


def rows_of(trials: Sequence[TrialRecord], some: Sequence[TrialRecord]) -> list[int]:
    """The rows of some trials in the table of all."""
    places = {trial.number: row for row, trial in enumerate(trials)}
    return [places[trial.number] for trial in some]


def _scatter(trials: Sequence[TrialRecord], summary: Mapping[str, Any], x_of: _XOf) -> list[Series]:
    """What both figures show: trials, published shapes and the winner.

    Trials that were stopped early have a panel with a scale of its own beneath the fully trained ones, where there are
    both.
    """
    found: list[Series] = []
    complete = full_fidelity(trials)
    known = {trial.number for trial in complete}
    stopped = [trial for trial in trials if trial.number not in known and has_score(trial) and trial.state != "failed"]
    panel = 1 if complete and stopped else 0
    for rung, epochs in enumerate(sorted({trial.epochs for trial in stopped})):
        here = [trial for trial in stopped if trial.epochs == epochs and not is_published(trial.origin)]
        if here:
            name = f"stopped at {epochs_text(epochs)}"
            found.append(_points(trials, here, x_of, name, plot.early(rung), panel=panel))
    if plain := [trial for trial in complete if not is_published(trial.origin)]:
        found.append(_points(trials, plain, x_of, f"trained {epochs_text(plain[0].epochs)}", plot.FULL))
    for stars, suffix, style, at in (
        ([t for t in stopped if is_published(t.origin)], ", stopped early", plot.STAR_EARLY, panel),
        ([t for t in complete if is_published(t.origin)], "", plot.STAR, 0),
    ):
        if stars:
            labels = [size_text(trial.origin) for trial in stars]
            found.append(
                _points(trials, stars, x_of, f"published shape, scaled{suffix}", style, panel=at, labels=labels)
            )
    winner = summary.get("winner")
    if winner and (ringed := [trial for trial in complete if trial.number == winner["trial"]]):
        found.append(_points(trials, ringed, x_of, "winner", plot.RING))
    return found


def _points(
    trials: Sequence[TrialRecord],
    some: Sequence[TrialRecord],
    x_of: _XOf,
    name: str,
    style: plot.Style,
    *,
    panel: int = 0,
    labels: Sequence[str] | None = None,
    y: Sequence[float] | None = None,
) -> Series:
    return Series(
        name=name,
        style=style,
        x=[x_of(trial) for trial in some],
        y=y or [None if trial.score is None else 100 * trial.score for trial in some],
        rows=rows_of(trials, some),
        labels=labels,
        panel=panel,
    )


def _front(front: Sequence[TrialRecord], complete: Sequence[TrialRecord], x_of: _XOf) -> Series:
    """At each cost the best score for at most that cost, drawn on to the most expensive candidate."""
    x = [x_of(trial) for trial in front] + [max(x_of(trial) for trial in complete)]
    y = [100 * (trial.score or 0.0) for trial in front]
    return Series(name="Pareto front", style=plot.FRONT, x=x, y=[*y, y[-1]])


def _fresh_seeds(trials: Sequence[TrialRecord], summary: Mapping[str, Any], cost_name: CostName) -> list[Series]:
    """The finalists' means over fresh seeds; none where a finalist has the search's own score alone."""
    rows = [
        row
        for row in summary.get("finalists") or []
        if number_or_none(row["score"]["mean"]) is not None and fresh_seeds(row)
    ]
    if not rows:
        return []
    places = {trial.number: place for place, trial in enumerate(trials)}
    means = [100 * row["score"]["mean"] for row in rows]
    spreads = [100 * (number_or_none(row["score"]["std"]) or 0.0) for row in rows]
    return [
        Series(
            name="finalist, fresh seeds: mean ± std",
            style=plot.FRESH,
            x=[scaled(cost_name, row[cost_name]) for row in rows],
            y=means,
            low=[mean - spread for mean, spread in zip(means, spreads, strict=True)],
            high=[mean + spread for mean, spread in zip(means, spreads, strict=True)],
            rows=[places.get(row["trial"], -1) for row in rows],
            notes=[
                f"{row['fingerprint']}, {origin_text(row['origin'])}\nfresh seeds: top-1 {score_text(row['score'])} %\n"
                f"in the search: {percent(row['search_score'])} %"
                for row in rows
            ],
        )
    ]


def _best_so_far(trials: Sequence[TrialRecord]) -> Series:
    x: list[float] = []
    y: list[float] = []
    for trial in sorted(full_fidelity(trials), key=lambda trial: trial.number):
        if not y or 100 * (trial.score or 0.0) > y[-1]:
            x.append(trial.number)
            y.append(100 * (trial.score or 0.0))
    return Series(name="best so far", style=plot.FRONT, x=[*x, max(trial.number for trial in trials)], y=[*y, y[-1]])


def _cohorts(trials: Sequence[TrialRecord]) -> list[tuple[float, float, str]]:
    ends: dict[int, tuple[int, int]] = {}
    for trial in trials:
        low, high = ends.get(trial.cohort, (trial.number, trial.number))
        ends[trial.cohort] = min(low, trial.number), max(high, trial.number)
    if len(ends) < 2:
        return []
    return [(low - 0.5, high + 0.5, str(cohort)) for cohort, (low, high) in sorted(ends.items())]


def _cap(cost_name: CostName, cap: float) -> str:
    return f"{cap / 1000:g} ms" if cost_name == "latency" else cap_text(cap)
