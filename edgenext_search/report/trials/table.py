"""The table of trials: one row for each trial, as a data frame and as CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgenext_search.files import write_text
from edgenext_search.report.trials.pareto import front_trials
from edgenext_search.search.store.records import Losses, TrialRecord

if TYPE_CHECKING:
    import pandas as pd

Cell = str | int | float | bool | None

COLUMNS: dict[str, str] = {
    "number": "int64",
    "state": "string",
    "cohort": "int64",
    "origin": "string",
    "fingerprint": "string",
    "score": "float64",
    "epochs": "int64",
    "params": "int64",
    "madds": "int64",
    "acts": "int64",
    "memory": "int64",
    "footprint": "int64",
    "seconds": "float64",
    "seed": "int64",
    "widths": "string",
    "depths": "string",
    "kernel_sizes": "string",
    "sdta_splits": "string",
    "sdta_blocks": "string",
    "heads": "string",
    "expand_ratio": "int64",
    "pos_emb": "string",
    "norm_act": "string",
    "reason": "string",
    "duplicate_of": "Int64",
    "on_params_front": "bool",
    "on_madds_front": "bool",
    "loss": "float64",
    "train_loss": "float64",
    "latency": "Int64",
    "recent_loss": "float64",
}
"""The columns in order, with their dtypes. They are stable: a release may add columns at the end.

``score`` is top-1 on held-out training images in [0, 1] after ``epochs`` epochs, NaN where a trial finished no
rung: compare scores only where ``epochs`` are equal. Costs are those of the study's deployment. Fields of the
candidate with one item a stage are joined as in ``24-48-88-168`` (``pos_emb`` as 0 and 1). ``reason`` and
``duplicate_of`` are missing where they do not apply. ``on_params_front`` and ``on_madds_front`` tell the Pareto
fronts among the complete trials at the highest fidelity. ``loss`` (held-out cross-entropy, in nats), ``train_loss``
(mean of all training steps) and ``recent_loss`` (mean of those since the previous rung) are of the same rung as
``score``, NaN where they were not recorded. ``latency`` is predicted, in microseconds, missing where the study did not
ask for it.
"""


def trials_frame(trials: Sequence[TrialRecord]) -> pd.DataFrame:
    """One row for each trial, in the order given, with the columns and dtypes of :data:`COLUMNS`."""
    import pandas as pd

    rows = trial_rows(trials)
    series = {name: pd.Series([row[name] for row in rows], dtype=dtype) for name, dtype in COLUMNS.items()}
    return pd.DataFrame(series)


def trial_rows(trials: Sequence[TrialRecord]) -> list[dict[str, Cell]]:
    """For each trial the values of :data:`COLUMNS`, None where there is none; a NaN score stays NaN."""
    on_params = {trial.number for trial in front_trials(trials, "params")}
    on_madds = {trial.number for trial in front_trials(trials, "madds")}
    return [_row(trial, trial.number in on_params, trial.number in on_madds) for trial in trials]


def write_csv(trials: Sequence[TrialRecord], path: Path) -> None:
    """Write :func:`trials_frame` as CSV (UTF-8, text quoted), atomically; :func:`read_csv` reads it back."""
    text = trials_frame(trials).to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def read_csv(path: Path) -> pd.DataFrame:
    """The frame that :func:`write_csv` wrote, equal to the last bit.

    Plain ``pandas.read_csv`` would take a fingerprint such as ``12345e678901`` for a number.
    """
    import pandas as pd

    floats = {name: dtype for name, dtype in COLUMNS.items() if dtype == "float64"}
    # pandas' own reader of floats has been off by a last bit; Python's is not.
    dtypes = {**COLUMNS, **dict.fromkeys(floats, "string")}
    frame = pd.read_csv(path, dtype=dtypes, keep_default_na=False, na_values=[""])
    return frame.astype(floats)


def _row(trial: TrialRecord, on_params_front: bool, on_madds_front: bool) -> dict[str, Cell]:
    losses = dict(trial.losses).get(trial.epochs) or Losses()
    fields = {
        name: "-".join(str(int(item)) for item in value) if isinstance(value, list) else value
        for name, value in trial.candidate.to_dict().items()
    }
    return {
        "number": trial.number,
        "state": trial.state,
        "cohort": trial.cohort,
        "origin": trial.origin,
        "fingerprint": trial.candidate.fingerprint,
        "score": trial.score,
        "epochs": trial.epochs,
        "latency": None,
        **trial.cost.to_dict(),
        "seconds": trial.seconds,
        "seed": trial.seed,
        **fields,
        "reason": trial.reason,
        "duplicate_of": trial.duplicate_of,
        "on_params_front": on_params_front,
        "on_madds_front": on_madds_front,
        "loss": losses.held_out,
        "train_loss": losses.train,
        "recent_loss": losses.recent,
    }
