"""The table of all trials on the page: sortable, with the reason where a trial failed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgenext_search.report.markup import Markup, element, join
from edgenext_search.report.pareto import CostName, front_trials
from edgenext_search.report.sections import scroller, section
from edgenext_search.report.wording import NONE, count_text, origin_text, percent, stages_text
from edgenext_search.search.records import TrialRecord

_SHOWN_REASONS = 5
_SHOWN_NUMBERS = 12
_SHAPE = {
    "widths": "Widths",
    "depths": "Depths",
    "kernel_sizes": "Kernels",
    "sdta_blocks": "SDTA",
    "sdta_splits": "Splits",
    "heads": "Heads",
}


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str | Markup
    sort: float | None = None  # what it sorts by; its text where None


def trials_section(trials: Sequence[TrialRecord]) -> Markup:
    """All trials in the order asked; a click on a heading sorts by it."""
    if not trials:
        return section("trials", "All trials", element("p", "No trial was asked yet."))
    fronts: dict[int, list[str]] = {}
    labels: dict[CostName, str] = {"params": "params", "madds": "MAdds"}
    for name, label in labels.items():
        for trial in front_trials(trials, name):
            fronts.setdefault(trial.number, []).append(label)
    rows = [_row(trial, fronts.get(trial.number, [])) for trial in trials]
    head = [_head(name, numeric=cell.sort is not None, first=not i) for i, (name, cell) in enumerate(rows[0].items())]
    body = [
        element("tr", *(_cell(cell) for cell in row.values()), class_=f"state-{trial.state}")
        for trial, row in zip(trials, rows, strict=True)
    ]
    table = element("table", element("thead", element("tr", *head)), element("tbody", *body), class_="sortable")
    caption = "Compare scores only at equal epochs. Shape columns have one number a stage, x where no block uses it."
    return section(
        "trials",
        f"All {len(trials)} trials" if len(trials) > 1 else "The only trial",
        element("p", caption, class_="caption"),
        _failures(trials),
        scroller(table, "All trials", "scroll tall"),
    )


def _failures(trials: Sequence[TrialRecord]) -> Markup | None:
    """Why trials failed, the commonest reason first."""
    numbers: dict[str, list[str]] = {}
    for trial in trials:
        if trial.state == "failed":
            numbers.setdefault(trial.reason or "no reason is recorded", []).append(str(trial.number))
    if not numbers:
        return None
    reasons = sorted(numbers, key=lambda reason: -len(numbers[reason]))
    items = []
    for reason in reasons[:_SHOWN_REASONS]:
        which = numbers[reason]
        some = ", ".join(which[:_SHOWN_NUMBERS]) + (", ..." if len(which) > _SHOWN_NUMBERS else "")
        items.append(element("li", element("b", f"Trial{'s' * (len(which) > 1)} {some} failed: "), reason))
    if len(reasons) > _SHOWN_REASONS:
        items.append(element("li", "The table has the other reasons, in its last column."))
    return element("ul", *items, class_="failures")


def _row(trial: TrialRecord, fronts: Sequence[str]) -> dict[str, _Cell]:
    notes = []
    if trial.duplicate_of is not None:
        notes.append(f"same network as trial {trial.duplicate_of}")
    if trial.reason:
        notes.append(trial.reason)
    cost = trial.cost
    score = -1.0 if trial.score is None or math.isnan(trial.score) else trial.score
    return {
        "Trial": _Cell(str(trial.number), trial.number),
        "State": _Cell(element("span", trial.state, class_="state")),
        "Top-1, %": _Cell(percent(trial.score), score),
        "Epochs": _Cell(str(trial.epochs or NONE), trial.epochs),
        "Params": _Cell(count_text(cost.params), cost.params),
        "MAdds": _Cell(count_text(cost.madds), cost.madds),
        "Acts": _Cell(count_text(cost.acts), cost.acts),
        "Front": _Cell(", ".join(fronts)),
        "Candidate": _Cell(element("code", trial.candidate.fingerprint)),
        "Origin": _Cell(origin_text(trial.origin)),
        **{label: _Cell(stages_text(trial.candidate, name)) for name, label in _SHAPE.items()},
        "Cohort": _Cell(str(trial.cohort), trial.cohort),
        "Seconds": _Cell(f"{trial.seconds:.1f}", trial.seconds),
        "Seed": _Cell(str(trial.seed), trial.seed),
        "Note": _Cell(
            element("span", join(*notes[:1], *(f"; {note}" for note in notes[1:])), class_="note" if notes else None)
        ),
    }


def _head(name: str, *, numeric: bool, first: bool) -> Markup:
    order = "ascending" if first else "none"
    button = element("button", name, type="button")
    return element("th", button, scope="col", aria_sort=order, class_="n" if numeric else None)


def _cell(cell: _Cell) -> Markup:
    if cell.sort is None:
        return element("td", cell.text)
    return element("td", cell.text, data_v=f"{cell.sort:.12g}", class_="n")
