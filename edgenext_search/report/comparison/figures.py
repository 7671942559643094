"""The fronts, courses and errors of several runs in common figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgenext_search.arch.metrics import METRICS, CostName, Metric
from edgenext_search.report import plot
from edgenext_search.report.plot import Plot, Series, Style
from edgenext_search.report.run.errors import drawn_trials, errors_line
from edgenext_search.report.run.front import best_steps
from edgenext_search.report.run.progress import images_trained
from edgenext_search.report.run.words import score_label
from edgenext_search.report.trials.pareto import cost_of, costs_among, front_trials, full_fidelity, rows_of, score_of
from edgenext_search.report.trials.study import Study
from edgenext_search.report.wording import cost_label, fidelity_text
from edgenext_search.search.store.records import TrialRecord

COSTS: tuple[CostName, ...] = ("params", "madds", "latency")


def comparison_figures(runs: Sequence[Study]) -> dict[str, Plot]:
    """Fronts for each cost, the best score so far against images trained, and the distributions of errors."""
    costs = costs_among([trial for run in runs for trial in run.trials])
    plots = {f"fig-{name}": _fronts(runs, METRICS[name]) for name in COSTS if name in costs}
    plots |= {"fig-best-images": _best(runs), "fig-edf": _errors(runs)}
    return {name: made for name, made in plots.items() if any(series.x for series in made.series)}


def _fronts(runs: Sequence[Study], metric: Metric) -> Plot:
    points, lines, rings, offset = [], [], [], 0
    deployments = {run.summary.deployment for run in runs}
    for index, run in enumerate(runs):
        color = plot.run_color(index)
        places = {number: offset + row for number, row in rows_of(run.trials).items()}
        offset += len(run.trials)
        complete = [trial for trial in full_fidelity(run.trials) if cost_of(trial, metric.key) is not None]
        if not complete:
            continue
        points.append(_points(run.name, Style(kind="points", color=color, size=6), complete, metric, places))
        front = front_trials(run.trials, metric.key)
        ends = [*(_cost(trial, metric) for trial in front), max(_cost(trial, metric) for trial in complete)]
        y = [100 * score_of(trial) for trial in (*front, front[-1])]
        style = Style(kind="step", color=color)
        lines.append(Series(name=f"{run.name}, front", style=style, x=ends, y=y, legend=False))
        winner = run.summary.winner
        if ringed := [trial for trial in complete if winner and trial.number == winner.trial]:
            ring = Style(kind="points", color=color, size=18, filled=False)
            rings.append(_points(f"{run.name}, winner", ring, ringed, metric, places, legend=False))
    return Plot(
        title=f"Accuracy against {'predicted latency' if metric.key == 'latency' else metric.words}",
        x_label=cost_label(metric, deployments.pop() if len(deployments) == 1 else None),
        y_label=f"{_label(runs)}; rings are the winners",
        series=[*points, *lines, *rings],
    )


def _best(runs: Sequence[Study]) -> Plot:
    lines = []
    for index, run in enumerate(runs):
        images, steps, places = images_trained(run), best_steps(run.trials), rows_of(run.trials)
        if not images or not steps:
            continue
        x = [images[places[trial.number]] for trial in steps] + [images[-1]]
        y = [100 * score_of(trial) for trial in (*steps, steps[-1])]
        lines.append(Series(name=run.name, style=Style(kind="step", color=plot.run_color(index)), x=x, y=y))
    return Plot(
        title="Best score so far",
        x_label="Images trained on in the search",
        y_label=_label(runs),
        series=lines,
        whole=True,
    )


def _errors(runs: Sequence[Study]) -> Plot:
    lines = [
        errors_line(run.name, drawn, Style(kind="step", color=plot.run_color(index)))
        for index, run in enumerate(runs)
        if (drawn := drawn_trials(run.trials))
    ]
    return Plot(
        title="Errors of the candidates",
        x_label="Error at most, %",
        y_label="Share of the fully trained candidates of the sampler, %",
        series=lines,
        y_range=(0, 100),
    )


def _points(
    name: str,
    style: Style,
    trials: Sequence[TrialRecord],
    metric: Metric,
    places: Mapping[int, int],
    *,
    legend: bool = True,
) -> Series:
    return Series(
        name=name,
        style=style,
        x=[_cost(trial, metric) for trial in trials],
        y=[100 * score_of(trial) for trial in trials],
        rows=[places[trial.number] for trial in trials],
        legend=legend,
    )


def _cost(trial: TrialRecord, metric: Metric) -> float:
    return (cost_of(trial, metric.key) or 0) / metric.scale


def _label(runs: Sequence[Study]) -> str:
    alike = len({fidelity_text(run.summary.fidelity) for run in runs}) == 1
    return score_label(runs[0].summary) if alike else "Top-1 on held-out training images, % (fidelities differ)"
