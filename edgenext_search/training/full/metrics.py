"""The metrics of each epoch: in ``metrics.csv`` always, in TensorBoard if installed, in W&B if asked for."""

from __future__ import annotations

import csv
import importlib.util
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgenext_search.errors import UserError
from edgenext_search.files import write_text
from edgenext_search.results import Result

METRICS_FILE = "metrics.csv"
TIMES = ("seconds", "images_per_second", "input_wait")
"""Columns that differ between a training and its repetition."""


class Accuracy(Result):
    """Accuracy and loss on the validation images."""

    top1: float
    """Top-1 accuracy, in [0, 1]."""
    top5: float
    """Top-5 accuracy, in [0, 1]."""
    loss: float
    """Mean cross-entropy without label smoothing, in nats."""


class EpochMetrics(Result):
    """The metrics after one epoch; a row of ``metrics.csv``."""

    epoch: int
    """Number of the epoch, from 1."""
    step: int
    """Steps done."""
    lr: float
    """Learning rate of the epoch's last step."""
    train_loss: float
    """Mean loss of the epoch's steps."""
    top1: float
    """Top-1 accuracy of the raw weights on the validation images, in [0, 1]."""
    top5: float
    """Top-5 accuracy of the raw weights, in [0, 1]."""
    loss: float
    """Cross-entropy of the raw weights, in nats."""
    ema_top1: float
    """Top-1 accuracy of the averaged weights, in [0, 1]."""
    ema_top5: float
    """Top-5 accuracy of the averaged weights, in [0, 1]."""
    ema_loss: float
    """Cross-entropy of the averaged weights, in nats."""
    seconds: float
    """Duration of the training so far, interruptions left out."""
    images_per_second: float
    """Training images per second."""
    input_wait: float
    """Share of the epoch's time in which steps waited for images."""

    def accuracy(self, weights: str) -> Accuracy:
        """Accuracy of the averaged (``ema``) or the raw (``last``) weights."""
        if weights == "ema":
            return Accuracy(top1=self.ema_top1, top5=self.ema_top5, loss=self.ema_loss)
        return Accuracy(top1=self.top1, top5=self.top5, loss=self.loss)


COLUMNS = tuple(EpochMetrics.model_fields)


class Metrics:
    """Writes the metrics of each epoch.

    Args:
        folder: The training's folder.
        rows: Metrics of the epochs that are done already.
        run: Id and settings of the training, for W&B; None without it.

    Raises:
        UserError: W&B is asked for and not installed.
    """

    def __init__(self, folder: Path, rows: Sequence[EpochMetrics], *, run: dict[str, Any] | None = None) -> None:
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

                step = rows[-1].step + 1 if rows else 0
                self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step)
        if run is not None:
            check_wandb()
            import wandb  # type: ignore[import-not-found, unused-ignore]

            name = folder.resolve().name
            self._wandb = wandb.init(
                project="edgenext-search", name=name, id=run["id"], resume="allow", dir=str(folder), config=run
            )

    def add(self, row: EpochMetrics) -> None:
        """Add an epoch."""
        self._rows.append(row)
        self._write()
        shown = row.model_dump(exclude={"epoch", "step"})
        if self._board is not None:
            for name, value in shown.items():
                self._board.add_scalar(name, value, row.step)
            self._board.flush()
        if self._wandb is not None:
            self._wandb.log({**shown, "epoch": row.epoch}, step=row.step)

    def close(self) -> None:
        """Close TensorBoard and W&B."""
        if self._board is not None:
            self._board.close()
        if self._wandb is not None:
            self._wandb.finish()

    def _write(self) -> None:
        """Write the whole table, so that it agrees with the checkpoint after an interruption too."""
        text = io.StringIO()
        table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(row.model_dump() for row in self._rows)
        write_text(self._file, text.getvalue())


def check_wandb() -> None:
    """Check that W&B is installed.

    Raises:
        UserError: It is not.
    """
    if importlib.util.find_spec("wandb") is None:
        raise UserError("--wandb needs the package wandb, which is not installed; pip install wandb.")
