"""What a full training leaves to look at: ``metrics.csv`` always, TensorBoard where installed, W&B where asked."""

from __future__ import annotations

import csv
import importlib.util
import io
import warnings
from typing import TYPE_CHECKING, Any

from edgenext_search.errors import UserError
from edgenext_search.files import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

METRICS_FILE = "metrics.csv"
COLUMNS = (
    "epoch",
    "step",
    "lr",
    "train_loss",
    "top1",
    "top5",
    "loss",
    "ema_top1",
    "ema_top5",
    "ema_loss",
    "seconds",
    "images_per_second",
    "input_wait",
)
"""An epoch's row: its number and the steps done, the learning rate of its last step, the mean training loss; top-1,
top-5 and cross-entropy on the validation images, of the raw and of the averaged weights; seconds of the whole training
so far, training images a second, and the share of the time that steps waited for images."""

TIMES = ("seconds", "images_per_second", "input_wait")
"""What of a row differs between a training and its repetition."""

Row = dict[str, float]


class Metrics:
    """Writes what is measured after each epoch.

    Args:
        folder: The training's folder.
        rows: The epochs that are done already.
        run: Name and settings of the training, for W&B; None without it.

    Raises:
        UserError: W&B is asked for and not installed.
    """

    def __init__(self, folder: Path, rows: Sequence[Row], *, run: dict[str, Any] | None = None) -> None:
        self._file = folder / METRICS_FILE
        self._rows = list(rows)
        self._board: Any = None
        self._wandb: Any = None
        if rows:
            self._write()
        if importlib.util.find_spec("tensorboard"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                from torch.utils.tensorboard import SummaryWriter

                step = int(rows[-1]["step"]) + 1 if rows else 0
                self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step)
        if run is not None:
            check_wandb()
            import wandb  # type: ignore[import-not-found, unused-ignore]

            name = folder.resolve().name
            self._wandb = wandb.init(
                project="edgenext-search", name=name, id=run["id"], resume="allow", dir=str(folder), config=run
            )

    def add(self, row: Row) -> None:
        """Take in an epoch."""
        self._rows.append(row)
        self._write()
        step = int(row["step"])
        shown = {name: row[name] for name in COLUMNS if name not in ("epoch", "step")}
        if self._board is not None:
            for name, value in shown.items():
                self._board.add_scalar(name, value, step)
            self._board.flush()
        if self._wandb is not None:
            self._wandb.log({**shown, "epoch": row["epoch"]}, step=step)

    def close(self) -> None:
        """Nothing more comes."""
        if self._board is not None:
            self._board.close()
        if self._wandb is not None:
            self._wandb.finish()

    def _write(self) -> None:
        """The whole table, so that it is what the checkpoint says also after an interruption."""
        text = io.StringIO()
        table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(self._rows)
        write_text(self._file, text.getvalue())


def check_wandb() -> None:
    """Refuse W&B where it is not installed.

    Raises:
        UserError: It is not.
    """
    if importlib.util.find_spec("wandb") is None:
        raise UserError("--wandb needs the package wandb, which is not installed; pip install wandb.")
