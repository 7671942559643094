"""The report's figures, as plotly figures: accuracy against a cost, and the study's history.

Scores of different fidelities never share a mark: trials that ran to the end are solid points, trials that were
stopped early are hollow, faded and named by the epochs behind their score. Colours are middle tones, legible on
light and on dark ground; the figures have no ground of their own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgenext_search.report import style
from edgenext_search.report.pareto import CostName, cost_of, front_trials, full_fidelity, has_score
from edgenext_search.report.wording import (
    cap_text,
    epochs_text,
    fidelity_text,
    is_published,
    is_same,
    number_or_none,
    size_text,
)
from edgenext_search.search.records import TrialRecord

if TYPE_CHECKING:
    import plotly.graph_objects as go

_TITLES: dict[CostName, str] = {
    "params": "Accuracy against parameters",
    "madds": "Accuracy against multiply-adds",
    "acts": "Accuracy against activations",
}
_MILLION = 1e6
_XOf = Callable[[TrialRecord], float]
_LABELLED_COHORTS = 12  # more bands than this carry a label on every second, third ... one


def pareto_figure(
    trials: Sequence[TrialRecord], summary: Mapping[str, Any], cost_name: CostName = "params"
) -> go.Figure:
    """Accuracy against one cost, with the Pareto front of the fully trained candidates.

    Args:
        trials: All trials of the study; those without a score are left out.
        summary: The run's summary: budget, deployment, fidelity, finalists and winner.
        cost_name: The cost on the horizontal axis.

    Returns:
        A figure with named traces; its title says fidelity, its axis the deployment.
    """

    def x_of(trial: TrialRecord) -> float:
        return cost_of(trial, cost_name) / _MILLION

    figure, complete = _scatter(trials, summary, x_of)
    if front := front_trials(trials, cost_name):
        figure.add_trace(_front(front, complete, x_of))
    figure.add_traces(_fresh_seeds(summary, cost_name))
    if cost_name in (summary.get("budget") or {}):
        _draw_cap(figure, summary["budget"][cost_name])
    style.lay_out(figure, _TITLES[cost_name], style.score_label(fidelity_text(summary)))
    figure.update_xaxes(title_text=style.cost_label(cost_name, summary))
    return figure


def history_figure(trials: Sequence[TrialRecord], summary: Mapping[str, Any]) -> go.Figure:
    """Score by number of trial, the best fully trained score so far, and bands for the cohorts.

    Args:
        trials: All trials of the study; failed ones are marked at the foot of the figure.
        summary: The run's summary: fidelity and winner.

    Returns:
        A figure with named traces.
    """

    def x_of(trial: TrialRecord) -> float:
        return float(trial.number)

    figure, complete = _scatter(trials, summary, x_of)
    if complete:
        figure.add_trace(_best_so_far(complete, trials))
    if failed := [trial for trial in trials if trial.state == "failed"]:
        panel = "y2" if any(trace.yaxis == "y2" for trace in figure.data) else "y"
        drawn = [y for trace in figure.data if (trace.yaxis or "y") == panel for y in trace.y]
        trace = _points(failed, x_of, "failed", style.cross(), 7)
        figure.add_trace(trace.update(y=[min(drawn, default=0.0)] * len(failed), yaxis=panel))
    # The published shapes come first, side by side: their labels take turns above and below.
    figure.update_traces(textposition=["bottom center", "top center"] * len(trials), selector={"mode": "markers+text"})
    _draw_cohorts(figure, trials)
    style.lay_out(figure, "The course of the study", style.score_label(fidelity_text(summary)))
    figure.update_xaxes(title_text="Trial, in the order asked; bands are cohorts", tickformat="d")
    if trials:
        last = max(trial.number for trial in trials)
        figure.update_xaxes(range=[-max(1.0, 0.015 * last), last + max(1.0, 0.015 * last)])
    if not any(has_score(trial) for trial in trials):
        figure.update_yaxes(visible=False)
    return figure


def _scatter(
    trials: Sequence[TrialRecord], summary: Mapping[str, Any], x_of: _XOf
) -> tuple[go.Figure, list[TrialRecord]]:
    """What both figures show: trials, published shapes and the winner; with it the fully trained trials.

    Trials that were stopped early have a panel with a scale of its own (``y2``) beneath the fully trained ones,
    where there are both.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    complete = full_fidelity(trials)
    shown = {trial.number for trial in complete}
    stopped = [trial for trial in trials if trial.number not in shown and has_score(trial) and trial.state != "failed"]
    panel = "y2" if complete and stopped else "y"
    for rung, epochs in enumerate(sorted({trial.epochs for trial in stopped})):
        here = [trial for trial in stopped if trial.epochs == epochs and not is_published(trial.origin)]
        if here:
            trace = _points(here, x_of, f"stopped at {epochs_text(epochs)}", style.hollow(rung, len(here)), 6)
            figure.add_trace(trace.update(yaxis=panel))
    if plain := [trial for trial in complete if not is_published(trial.origin)]:
        figure.add_trace(_points(plain, x_of, f"trained {epochs_text(plain[0].epochs)}", style.solid(len(plain)), 1))
    stars = [trial for trial in stopped if is_published(trial.origin)]
    if stars:
        figure.add_trace(_stars(stars, x_of, full=False).update(yaxis=panel))
    if stars := [trial for trial in complete if is_published(trial.origin)]:
        figure.add_trace(_stars(stars, x_of, full=True))
    winner = summary.get("winner")
    if winner and (ringed := [trial for trial in complete if trial.number == winner["trial"]]):
        figure.add_trace(_points(ringed, x_of, "winner", style.ring(), 3))
    return figure, complete


def _points(trials: Sequence[TrialRecord], x_of: _XOf, name: str, marker: dict[str, Any], rank: int) -> go.Scatter:
    import plotly.graph_objects as go

    return go.Scatter(
        x=[x_of(trial) for trial in trials],
        y=[None if trial.score is None else 100 * trial.score for trial in trials],
        mode="markers",
        name=name,
        marker=marker,
        hovertext=[style.hover(trial) for trial in trials],
        hoverinfo="text",
        legendrank=rank,
    )


def _front(front: Sequence[TrialRecord], complete: Sequence[TrialRecord], x_of: _XOf) -> go.Scatter:
    """At each cost the best score for at most that cost, drawn on to the most expensive candidate."""
    import plotly.graph_objects as go

    x = [x_of(trial) for trial in front] + [max(x_of(trial) for trial in complete)]
    y = [100 * (trial.score or 0.0) for trial in front]
    return go.Scatter(
        x=x,
        y=[*y, y[-1]],
        mode="lines",
        name="Pareto front",
        line={"shape": "hv", "color": style.SEARCH, "width": 1.6},
        hoverinfo="skip",
        legendrank=2,
        zorder=-1,
    )


def _stars(trials: Sequence[TrialRecord], x_of: _XOf, *, full: bool) -> go.Scatter:
    name = "published shape, scaled" + ("" if full else ", stopped early")
    edge = "bottom" if full else "top"
    sides = itertools.cycle((f"{edge} right", f"{edge} left"))  # so that the labels of two near points both show
    trace = _points(trials, x_of, name, style.star(full=full), 4 if full else 6)
    return trace.update(
        mode="markers+text",
        text=[style.plain(size_text(trial.origin)) for trial in trials],
        textposition=[side for _, side in zip(trials, sides, strict=False)],
        cliponaxis=False,
        textfont={"color": style.PUBLISHED, "size": 12},
    )


def _fresh_seeds(summary: Mapping[str, Any], cost_name: CostName) -> list[Any]:
    """The finalists' means over fresh seeds; none where a finalist has the search's own score alone."""
    import plotly.graph_objects as go

    rows = [
        row
        for row in summary.get("finalists") or []
        if number_or_none(row["score"]["mean"]) is not None
        and (row["score"]["n"] > 1 or row["score"]["mean"] != row["search_score"])
    ]
    if not rows:
        return []
    winner = summary.get("winner")
    return [
        go.Scatter(
            x=[row[cost_name] / _MILLION for row in rows],
            y=[100 * row["score"]["mean"] for row in rows],
            error_y={
                "type": "data",
                "array": [100 * (number_or_none(row["score"]["std"]) or 0.0) for row in rows],
                "thickness": 1.3,
                "width": 4,
                "color": style.FRESH,
            },
            mode="markers",
            name="finalist, fresh seeds: mean ± std",
            marker={"symbol": "diamond", "size": 8, "color": style.FRESH},
            hovertext=[style.finalist_hover(row, is_same(row, winner)) for row in rows],
            hoverinfo="text",
            legendrank=5,
        )
    ]


def _best_so_far(complete: Sequence[TrialRecord], trials: Sequence[TrialRecord]) -> go.Scatter:
    import plotly.graph_objects as go

    x, y, best = [], [], -1.0
    for trial in sorted(complete, key=lambda trial: trial.number):
        if (trial.score or 0.0) > best:
            best = trial.score or 0.0
            x.append(trial.number)
            y.append(100 * best)
    return go.Scatter(
        x=[*x, max(trial.number for trial in trials)],
        y=[*y, y[-1]],
        mode="lines",
        name="best so far",
        line={"shape": "hv", "color": style.SEARCH, "width": 1.6},
        hoverinfo="skip",
        legendrank=2,
        zorder=-1,
    )


def _draw_cap(figure: go.Figure, cap: float) -> None:
    x = cap / _MILLION
    line = {"dash": "dash", "width": 1.2, "color": style.QUIET}
    figure.add_shape(type="line", x0=x, x1=x, y0=0, y1=1, yref="paper", line=line)
    figure.add_annotation(
        text=f"budget {cap_text(cap)}",
        x=x,
        y=1.0,
        yref="paper",
        xanchor="right",
        yanchor="bottom",
        showarrow=False,
        font={"size": 12, "color": style.QUIET},
    )


def _draw_cohorts(figure: go.Figure, trials: Sequence[TrialRecord]) -> None:
    cohorts = sorted({trial.cohort for trial in trials})
    step = -(-len(cohorts) // _LABELLED_COHORTS)
    for index, cohort in enumerate(cohorts):
        numbers = [trial.number for trial in trials if trial.cohort == cohort]
        left, right = min(numbers) - 0.5, max(numbers) + 0.5
        if index % 2:
            band = {"fillcolor": style.QUIET, "opacity": 0.11, "line_width": 0, "layer": "below"}
            figure.add_shape(type="rect", x0=left, x1=right, y0=0, y1=1, yref="paper", **band)
        if index % step == 0 and len(cohorts) > 1:
            figure.add_annotation(
                text=str(cohort) if index else f"cohort {cohort}",
                x=left,
                y=1.0,
                yref="paper",
                xanchor="left",
                yanchor="bottom",
                showarrow=False,
                font={"size": 11, "color": style.QUIET},
            )
