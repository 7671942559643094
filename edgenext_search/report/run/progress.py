"""How far a study had come after so many trials, and after so many images trained."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgenext_search.arch.metrics import CostName
from edgenext_search.report.document import Figure, Group, Paragraph, Section, Tabs, section
from edgenext_search.report.plot import FRONT, Plot, Series
from edgenext_search.report.run.front import best_steps, history_figure
from edgenext_search.report.run.words import choice_text, objective_costs, objectives_text, score_label
from edgenext_search.report.trials.pareto import cost_of, full_fidelity, has_score, rows_of, score_of
from edgenext_search.report.trials.study import Study
from edgenext_search.search.results import RunSummary
from edgenext_search.search.store.records import TrialRecord

MARGIN = 0.1  # of each objective's range, between the worst point and the reference point
_Step = tuple[int, float]  # number of the trial, value from then on


def history_section(study: Study) -> Section | None:
    """Best score and hypervolume against trials and images, and every trial in its order; None without scores."""
    if not any(map(has_score, study.trials)):
        return None
    names = hypervolume_costs(study.summary)
    best = [(trial.number, 100 * score_of(trial)) for trial in best_steps(study.trials)]
    label = f"Hypervolume of {objectives_text(names)}, share of the box that all trials span"
    values = (
        ("best", "Best score so far", score_label(study.summary), best),
        ("hypervolume", "Hypervolume so far", label, hypervolumes(study.trials, names)),
    )
    ways = [("Trials", "", "Trials", [trial.number + 1 for trial in study.trials])]
    if (images := images_trained(study)) is not None:
        ways.append(("Images trained", "-images", "Images trained on in the search, all trials together", images))
    panels = []
    for way, suffix, across, at in ways if best else ():
        figures = (
            Figure(identifier=f"fig-{key}{suffix}", plot=_staircase(study, steps, at, title=title, y=label, x=across))
            for key, title, label, steps in values
            if steps
        )
        panels.append((way, Group(blocks=tuple(figures), layout="pair")))
    explained = (
        f"Hypervolume: what the front of {objectives_text(names)} dominates, as a share of the box from the best of "
        "every objective to a tenth of the range beyond the worst; costs count by their logarithm. "
        if panels
        else ""
    )
    return section(
        "history",
        "Course",
        "How the study went",
        Tabs(identifier="course", label="Against", panels=tuple(panels)) if panels else None,
        Figure(identifier="fig-history", plot=history_figure(study)),
        Paragraph(
            text=f"{explained}The lines count fully trained candidates alone. {choice_text(study.summary)} Fresh seeds "
            "decide between them.",
            style="caption",
        ),
    )


def images_trained(study: Study) -> list[int] | None:
    """Images that had been trained on after each trial, all trials before it included.

    Images are counted as often as they were seen: epochs times training images. A trial that shares an earlier one's
    scores costs nothing.

    Returns:
        One count for each trial in their order; None if the number of training images is not known.
    """
    images = study.summary.fidelity.train_images
    if images is None:
        return None
    total, totals = 0, []
    for trial in study.trials:
        total += 0 if trial.duplicate_of is not None else trial.epochs * images
        totals.append(total)
    return totals


def hypervolume_costs(summary: RunSummary) -> list[CostName]:
    """The costs that the hypervolume counts: the study's objectives, or multiply-adds without any."""
    return objective_costs(summary) or ["madds"]


def hypervolumes(trials: Sequence[TrialRecord], names: Sequence[CostName]) -> list[_Step]:
    """The hypervolume each time that it grew, by number of the trial, in [0, 1].

    Costs count by their logarithm. Each objective runs from the best of all fully trained candidates to the reference
    point, a tenth of its range beyond the worst; 1 would be a candidate that is best in everything.
    """
    import numpy as np

    from edgenext_search.search.sampler.front import extended, hypervolume

    numbers, losses = [], []
    for trial in full_fidelity(trials):
        costs = [cost for name in names if (cost := cost_of(trial, name)) is not None]
        if len(costs) == len(names):
            numbers.append(trial.number)
            losses.append([-score_of(trial), *(math.log(max(cost, 1)) for cost in costs)])
    if not losses:
        return []
    table = np.array(losses)
    best = table.min(axis=0)
    span = (1 + MARGIN) * (table.max(axis=0) - best)
    points = (table - best) / np.where(span > 0, span, 1.0)
    front = points[:0]
    steps: list[_Step] = []
    for trial_number, point in zip(numbers, points, strict=True):
        if (grown := extended(front, point)) is None:
            continue
        front = grown
        steps.append((trial_number, hypervolume(front, np.ones(len(point)))))
    return steps


def _staircase(study: Study, steps: Sequence[_Step], at: Sequence[int], *, title: str, x: str, y: str) -> Plot:
    """A value that only grows, against trials or images.

    Args:
        study: The study.
        steps: Where it grows.
        at: For each trial, where it is on the horizontal axis.
        title: Title of the figure.
        x: Label of the horizontal axis.
        y: Label of the values.
    """
    places = rows_of(study.trials)
    rows = [places[number] for number, _ in steps]
    series = Series(
        name=title.removesuffix(" so far").lower(),
        style=FRONT,
        x=[*(at[row] for row in rows), at[-1]],
        y=[*(value for _, value in steps), steps[-1][1]],
        rows=[*rows, rows[-1]],
    )
    return Plot(title=title, x_label=x, y_label=y, series=[series], whole=True, x_range=(0, at[-1]))
