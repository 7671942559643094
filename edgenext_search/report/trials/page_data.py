"""Data of the trials for the page's script, column by column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from edgenext_search.arch.metrics import METRICS, CostName
from edgenext_search.report.trials.pareto import costs_among, front_trials, rows_of
from edgenext_search.report.trials.study import Study
from edgenext_search.report.trials.table import COLUMNS, Cell, trial_rows
from edgenext_search.report.wording import origin_text
from edgenext_search.search.store.records import TrialRecord

_FRONTS: tuple[CostName, ...] = ("params", "madds", "latency")


def trials_data(runs: Sequence[Study] = ()) -> dict[str, object]:
    """All trials of one or several runs as columns, which take less space in JSON than rows.

    Returns:
        ``columns``: by name of :data:`~edgenext_search.report.trials.table.COLUMNS`, and by ``run`` for several runs,
        one value for each trial, null where there is none. ``text``: names of the columns of texts, which are quoted in
        CSV. ``curves``: (epoch, score) pairs. ``origins``: in words. ``fronts``: the costs on whose front a trial is.
        ``roles``: ``winner``, ``baseline``, ``finalist`` by row. ``costs``: the costs that the trials have, with
        ``key``, ``label`` and ``short``.
    """
    all_trials = [trial for run in runs for trial in run.trials]
    rows = [row for run in runs for row in trial_rows(run.trials)]
    columns: dict[str, list[Cell]] = {name: [_plain(row[name]) for row in rows] for name in COLUMNS}
    text = [name for name, dtype in COLUMNS.items() if dtype == "string"]
    if len(runs) > 1:
        columns = {"run": [run.name for run in runs for _ in run.trials], **columns}
        text = ["run", *text]
    roles: dict[str, str] = {}
    offset = 0
    for run in runs:
        roles |= {str(offset + row): role for row, role in _roles(run).items()}
        offset += len(run.trials)
    costs = [METRICS[name] for name in costs_among(all_trials)]
    return {
        "columns": columns,
        "text": text,
        "curves": [[[epoch, _plain(score)] for epoch, score in trial.curve] for trial in all_trials],
        "origins": [origin_text(trial.origin) for trial in all_trials],
        "fronts": [front for run in runs for front in _fronts(run.trials)],
        "roles": roles,
        "costs": [{"key": metric.key, "label": metric.label, "short": metric.short} for metric in costs],
    }


def _fronts(trials: Sequence[TrialRecord]) -> list[str]:
    """For each trial the costs on whose front it is."""
    members = {METRICS[name].short: {trial.number for trial in front_trials(trials, name)} for name in _FRONTS}
    return [", ".join(label for label, numbers in members.items() if trial.number in numbers) for trial in trials]


def _roles(run: Study) -> Mapping[int, str]:
    rows, summary = rows_of(run.trials), run.summary
    roles = {finalist.trial: "finalist" for finalist in summary.finalists}
    roles |= {summary.baseline.trial: "baseline"} if summary.baseline else {}
    roles |= {summary.winner.trial: "winner"} if summary.winner else {}
    return {rows[number]: role for number, role in roles.items() if number in rows}


def _plain(value: Cell) -> Cell:
    return None if isinstance(value, float) and not math.isfinite(value) else value
