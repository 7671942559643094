"""Several runs beside each other: their winners, whether those may be ranked, and their fronts in one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgenext_search.report import plot
from edgenext_search.report.figures import TITLES, cost_label, scaled, score_label
from edgenext_search.report.pareto import CostName, cost_of, front_trials, full_fidelity
from edgenext_search.report.plot import Plot, Series, Style
from edgenext_search.report.progress import images_trained
from edgenext_search.report.spread import edf
from edgenext_search.report.wording import (
    budget_text,
    fidelity_text,
    fresh_seeds,
    listed,
    number_or_none,
    score_text,
    shown_score,
)
from edgenext_search.search.store.records import TrialRecord

_TOPICS = {
    "data": "the images that they were trained and scored on",
    "fidelity": "the proxy training",
    "seeds": "the seeds that scored their finalists",
    "deployment": "the deployment that costs are counted for",
}
COSTS: tuple[CostName, ...] = ("params", "madds", "latency")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """One of several runs.

    Attributes:
        name: What it is called among them.
        summary: Its summary.
        trials: Its trials.
        conditions: Of :func:`~edgenext_search.search.comparability.conditions_of`.
    """

    name: str
    summary: Mapping[str, Any]
    trials: Sequence[TrialRecord]
    conditions: Mapping[str, Mapping[str, Any]]


def comparison(runs: Sequence[RunReport]) -> dict[str, Any]:
    """What several runs say together, as one JSON object.

    Returns:
        ``comparable``; ``differences`` (``topic``, ``key``, ``values`` in the order of the runs) that forbid a ranking;
        ``ranking``: names of the runs with a winner that fresh seeds have scored, by its score over the seeds that
        chose nothing where it had a re-match, best first, null where they may not be ranked; ``runs``: ``name``,
        ``run``, ``status``, ``study``, ``budget``, ``winner``, ``baseline``, ``gain``.
    """
    from edgenext_search.search.comparability import differences

    differing = differences([run.conditions for run in runs])
    ranked = sorted(filter(_is_scored, runs), key=lambda run: -(_mean(run) or 0.0))
    fields = ("run", "status", "study", "budget", "winner", "baseline", "gain")
    return {
        "comparable": not differing,
        "differences": differing,
        "ranking": None if differing else [run.name for run in ranked],
        "runs": [{"name": run.name, **{field: run.summary.get(field) for field in fields}} for run in runs],
    }


def comparison_sentences(runs: Sequence[RunReport], found: Mapping[str, Any]) -> tuple[str, ...]:
    """The answer, and what qualifies it."""
    if found["differences"]:
        topics = listed([_TOPICS[topic] for topic in dict.fromkeys(one["topic"] for one in found["differences"])])
        return (
            f"These {len(runs)} runs cannot be ranked: they differ in {topics}.",
            "Each run's own comparison of its winner with its baseline holds all the same.",
        )
    if not found["ranking"]:
        return ("None of these runs has a winner yet that fresh seeds have scored.",)
    by_name = {run.name: run for run in runs}
    best = by_name[found["ranking"][0]]
    level = [name for name in found["ranking"] if _mean(by_name[name]) == _mean(best)]
    verb = "has the best winner" if len(level) == 1 else "come out level"
    if len(found["ranking"]) == 1:
        verb = "alone has a winner that fresh seeds have scored"
    score, budget = score_text(shown_score(best.summary["winner"])), budget_text(best.summary.get("budget") or {})
    said = [f"{listed(level)} {verb}: {score} % top-1{f', budget {budget}' if len(level) == 1 else ''}."]
    if len({budget_text(run.summary.get("budget") or {}) for run in runs}) > 1:
        said.append("The runs have different budgets: look at the fronts before you call one better.")
    if unfinished := [run.name for run in runs if run.summary.get("status") != "complete"]:
        said.append(f"Not complete yet: {listed(unfinished)}.")
    said.append("Scores of few seeds differ by chance; the standard deviations say how far.")
    return tuple(said)


def several_figures(runs: Sequence[RunReport]) -> dict[str, Plot]:
    """Fronts for each cost, the best score so far against images trained, and the distributions of errors."""
    found: dict[str, Plot] = {}
    for name in COSTS:
        if any(name in trial.cost.to_dict() for run in runs for trial in run.trials):
            found[f"fig-{name}"] = _fronts(runs, name)
    found["fig-best-images"] = _best(runs)
    found["fig-edf"] = _errors(runs)
    return {name: made for name, made in found.items() if any(series.x for series in made.series)}


def _fronts(runs: Sequence[RunReport], name: CostName) -> Plot:
    points, lines, rings = [], [], []
    for index, (run, offset) in enumerate(_offsets(runs)):
        color = plot.run_color(index)
        complete = [trial for trial in full_fidelity(run.trials) if name in trial.cost.to_dict()]
        if not complete:
            continue
        places = {trial.number: offset + row for row, trial in enumerate(run.trials)}

        def at(trial: TrialRecord) -> float:
            return scaled(name, cost_of(trial, name))

        points.append(_scores(run.name, Style(kind="points", color=color, size=6), complete, at, places))
        front = front_trials(run.trials, name)
        ends = [*(at(trial) for trial in front), max(at(trial) for trial in complete)]
        y = [100 * (trial.score or 0.0) for trial in front]
        lines.append(
            Series(
                name=f"{run.name}, front", style=Style(kind="step", color=color), x=ends, y=[*y, y[-1]], legend=False
            )
        )
        winner = run.summary.get("winner") or {}
        if ringed := [trial for trial in complete if trial.number == winner.get("trial")]:
            ring = Style(kind="points", color=color, size=18, filled=False)
            rings.append(_scores(f"{run.name}, winner", ring, ringed, at, places, legend=False))
    summary = runs[0].summary
    return Plot(
        title=TITLES[name],
        x_label=cost_label(name, summary),
        y_label=f"{_label(runs)}; rings are the winners",
        series=[*points, *lines, *rings],
    )


def _best(runs: Sequence[RunReport]) -> Plot:
    lines = []
    for index, run in enumerate(runs):
        images = images_trained(run.trials, run.summary)
        best, x, y = -1.0, [], []
        complete = {trial.number for trial in full_fidelity(run.trials)}
        for trial, at in zip(run.trials, images or [], strict=False):
            if trial.number in complete and 100 * (trial.score or 0.0) > best:
                best = 100 * (trial.score or 0.0)
                x.append(at)
                y.append(best)
        if x and images:
            style = Style(kind="step", color=plot.run_color(index))
            lines.append(Series(name=run.name, style=style, x=[*x, images[-1]], y=[*y, y[-1]]))
    return Plot(
        title="Best score so far",
        x_label="Images trained on in the search",
        y_label=_label(runs),
        series=lines,
        whole=True,
    )


def _errors(runs: Sequence[RunReport]) -> Plot:
    lines = []
    for index, run in enumerate(runs):
        drawn = [t for t in full_fidelity(run.trials) if t.origin == "sampler" and t.duplicate_of is None]
        if drawn:
            x, y = edf([100 * (1 - (trial.score or 0.0)) for trial in drawn])
            style = Style(kind="step", color=plot.run_color(index))
            lines.append(Series(name=f"{run.name}, n = {len(drawn)}", style=style, x=[x[0], *x], y=[0.0, *y]))
    return Plot(
        title="Errors of the candidates",
        x_label="Error at most, %",
        y_label="Share of the fully trained candidates of the sampler, %",
        series=lines,
        y_range=(0, 100),
    )


def _scores(
    name: str,
    style: Style,
    trials: Sequence[TrialRecord],
    at: Any,  # noqa: ANN401 - a trial's place across
    places: Mapping[int, int],
    *,
    legend: bool = True,
) -> Series:
    return Series(
        name=name,
        style=style,
        x=[at(trial) for trial in trials],
        y=[100 * (trial.score or 0.0) for trial in trials],
        rows=[places[trial.number] for trial in trials],
        legend=legend,
    )


def _offsets(runs: Sequence[RunReport]) -> list[tuple[RunReport, int]]:
    return [(run, sum(len(other.trials) for other in runs[:place])) for place, run in enumerate(runs)]


def _label(runs: Sequence[RunReport]) -> str:
    alike = len({fidelity_text(run.summary) for run in runs}) == 1
    return score_label(runs[0].summary) if alike else "Top-1 on held-out training images, % (fidelities differ)"


def _is_scored(run: RunReport) -> bool:
    """Whether its winner's score is no longer that of the search, which chose it and flatters it."""
    winner = run.summary.get("winner")
    return winner is not None and _mean(run) is not None and fresh_seeds(winner) > 0


def _mean(run: RunReport) -> float | None:
    return number_or_none(shown_score(run.summary["winner"])["mean"])
