"""What the page's script works with: all trials, column by column, and the figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from edgenext_search.report.pareto import COST_NAMES, front_trials
from edgenext_search.report.table import COLUMNS, trial_rows
from edgenext_search.report.wording import origin_text
from edgenext_search.search.store.records import TrialRecord

_FRONT_LABELS = {"params": "params", "madds": "MAdds", "latency": "latency"}


def trials_data(trials: Sequence[TrialRecord], summary: Mapping[str, Any]) -> dict[str, Any]:
    """All trials as columns, which JSON holds in least space.

    Returns:
        ``columns``: by name of :data:`~edgenext_search.report.table.COLUMNS` one value a trial, null where there is
        none. ``text``: columns that are text: they are quoted in CSV. ``curves``: (epoch, score) pairs. ``origins``:
        in words. ``fronts``: the costs on whose front a trial is. ``roles``: ``winner``, ``baseline``, ``finalist``
        by row. ``costs``: those that the trials have.
    """
    rows = trial_rows(trials)
    fronts: dict[int, list[str]] = {}
    for name, label in _FRONT_LABELS.items():
        for trial in front_trials(trials, name):  # type: ignore[arg-type]
            fronts.setdefault(trial.number, []).append(label)
    return {
        "columns": {name: [_plain(row[name]) for row in rows] for name in COLUMNS},
        "text": [name for name, dtype in COLUMNS.items() if dtype == "string"],
        "curves": [[[epoch, _plain(score)] for epoch, score in trial.curve] for trial in trials],
        "origins": [origin_text(trial.origin) for trial in trials],
        "fronts": [", ".join(fronts.get(trial.number, [])) for trial in trials],
        "roles": _roles(trials, summary),
        "costs": [name for name in COST_NAMES if any(name in trial.cost.to_dict() for trial in trials)],
    }


def joined(parts: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """The trials of several runs one after another, with the run's name as first column."""
    first = parts[0]
    offsets = [sum(len(part["origins"]) for part in parts[:place]) for place in range(len(parts))]
    runs = [name for name, part in zip(names, parts, strict=True) for _ in part["origins"]]
    return {
        "columns": {
            "run": runs,
            **{name: [value for part in parts for value in part["columns"][name]] for name in first["columns"]},
        },
        "text": ["run", *first["text"]],
        "curves": [curve for part in parts for curve in part["curves"]],
        "origins": [origin for part in parts for origin in part["origins"]],
        "fronts": [front for part in parts for front in part["fronts"]],
        "roles": {
            str(int(row) + offset): role
            for part, offset in zip(parts, offsets, strict=True)
            for row, role in part["roles"].items()
        },
        "costs": [name for name in COST_NAMES if any(name in part["costs"] for part in parts)],
    }


def _roles(trials: Sequence[TrialRecord], summary: Mapping[str, Any]) -> dict[str, str]:
    rows = {trial.number: str(row) for row, trial in enumerate(trials)}
    roles = {row["trial"]: "finalist" for row in summary.get("finalists") or []}
    for role in ("baseline", "winner"):
        if found := summary.get(role):
            roles[found["trial"]] = role
    return {rows[number]: role for number, role in roles.items() if number in rows}


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a table holds
    return None if isinstance(value, float) and not math.isfinite(value) else value
