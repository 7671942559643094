"""How far a study had come after so many trials, and after so many images trained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from edgenext_search.report.figures import score_label
from edgenext_search.report.pareto import CostName, cost_of, full_fidelity, non_dominated
from edgenext_search.report.plot import FRONT, Plot, Series
from edgenext_search.report.wording import COST_LABELS, costs_of_front, listed
from edgenext_search.search.store.records import TrialRecord

MARGIN = 0.1  # of each objective's range, between the worst point and the reference point
BY_TRIALS, BY_IMAGES = "Trials", "Images trained"


def images_trained(trials: Sequence[TrialRecord], summary: Mapping[str, Any]) -> list[int] | None:
    """Images that had been trained on once each trial was told, all trials before it included.

    Images are counted as often as they were seen: epochs times training images. A trial that shares an earlier one's
    scores cost nothing.

    Returns:
        One count a trial in their order; None where the number of training images is not known.
    """
    images = (summary.get("fidelity") or {}).get("train_images")
    if not isinstance(images, int):
        return None
    total, found = 0, []
    for trial in trials:
        total += 0 if trial.duplicate_of is not None else trial.epochs * images
        found.append(total)
    return found


def best_figures(trials: Sequence[TrialRecord], summary: Mapping[str, Any]) -> dict[str, Plot]:
    """The best score of a fully trained candidate so far, against trials and against images trained."""
    best = 0.0
    steps: list[tuple[int, float]] = []
    for trial in full_fidelity(trials):
        if (trial.score or 0.0) > best:
            best = trial.score or 0.0
            steps.append((trial.number, 100 * best))
    return _both(
        title="Best score so far",
        label=score_label(summary),
        name="best so far",
        steps=steps,
        trials=trials,
        summary=summary,
    )


def hypervolume_figures(trials: Sequence[TrialRecord], summary: Mapping[str, Any]) -> dict[str, Plot]:
    """The hypervolume of the front so far, against trials and against images trained."""
    names = hypervolume_costs(summary)
    against = listed(["top-1", *(COST_LABELS[name] for name in names)])
    label = f"Hypervolume of {against}, share of the box that all trials span"
    return _both(
        title="Hypervolume so far",
        label=label,
        name="hypervolume",
        steps=hypervolumes(trials, names),
        trials=trials,
        summary=summary,
    )


def hypervolume_costs(summary: Mapping[str, Any]) -> list[CostName]:
    """The costs that the hypervolume counts: the study's objectives, or multiply-adds where there are none."""
    return costs_of_front(summary) or ["madds"]  # type: ignore[return-value]


def hypervolumes(trials: Sequence[TrialRecord], names: Sequence[CostName]) -> list[tuple[int, float]]:
    """The hypervolume each time that it grew, by number of the trial, in [0, 1].

    Costs count by their logarithm. Each objective runs from the best of all fully trained candidates to the reference
    point, a tenth of its range beyond the worst; 1 would be a candidate that is best in everything.
    """
    import numpy as np

    from edgenext_search.search.sampler.front import hypervolume

    known = [trial for trial in full_fidelity(trials) if all(name in trial.cost.to_dict() for name in names)]
    if not known:
        return []
    losses = [[-(trial.score or 0.0), *(math.log(max(cost_of(trial, name), 1)) for name in names)] for trial in known]
    columns = list(zip(*losses, strict=True))
    best = [min(column) for column in columns]
    span = [(1 + MARGIN) * (max(column) - min(column)) or 1.0 for column in columns]
    front: list[list[float]] = []
    found: list[tuple[int, float]] = []
    for trial, point in zip(known, losses, strict=True):
        unit = [(value - low) / wide for value, low, wide in zip(point, best, span, strict=True)]
        if any(all(theirs <= mine for theirs, mine in zip(other, unit, strict=True)) for other in front):
            continue
        front.append(unit)
        front = [front[index] for index in non_dominated(front, [False] * len(unit))]
        found.append((trial.number, hypervolume(np.array(front), np.ones(len(unit)))))
    return found


def _both(
    *,
    title: str,
    label: str,
    name: str,
    steps: Sequence[tuple[int, float]],
    trials: Sequence[TrialRecord],
    summary: Mapping[str, Any],
) -> dict[str, Plot]:
    """A staircase against both; none where it has no step, the second only where the images are known."""
    if not steps:
        return {}
    rows = {trial.number: row for row, trial in enumerate(trials)}
    images = images_trained(trials, summary)
    ways: list[tuple[str, str, Sequence[int]]] = [(BY_TRIALS, "Trials", [trial.number + 1 for trial in trials])]
    if images is not None:
        ways.append((BY_IMAGES, "Images trained on in the search, all trials together", images))
    return {
        way: Plot(
            title=title,
            x_label=across,
            y_label=label,
            series=[
                Series(
                    name=name,
                    style=FRONT,
                    x=[*(at[rows[number]] for number, _ in steps), at[-1]],
                    y=[*(value for _, value in steps), steps[-1][1]],
                    rows=[*(rows[number] for number, _ in steps), rows[steps[-1][0]]],
                )
            ],
            whole=True,
            x_range=(0, at[-1]),
        )
        for way, across, at in ways
    }
