"""The table's files: three of CSV, which pandas alone can read, made of one small file for each training."""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from edgenext_search.files import write_bytes

FOLDER = Path(__file__).parent
SHAPES, TRAININGS, CURVES = "shapes.csv", "trainings.csv.gz", "curves.csv.gz"
ROWS = "trainings"  # folder of the small files in a folder of results
TRAINING_COLUMNS = (
    "training", "part", "budget", "shape", "fingerprint", "seed", "top1", "loss", "diverged", "cpu_seconds",
    "wall_seconds", "resumed", "torch", "timm", "images", "correct",
)  # fmt: skip
CURVE_COLUMNS = ("training", "epoch", "steps", "lr_end", "top1", "loss", "train_loss", "cpu_seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The table in memory; README.md describes the columns.

    Attributes:
        shapes: A row for each shape in each budget: settings and costs.
        trainings: A row for each finished training: the end.
        curves: A row for each epoch of each training.
    """

    shapes: pd.DataFrame
    trainings: pd.DataFrame
    curves: pd.DataFrame

    def correct(self, trainings: pd.DataFrame | None = None) -> npt.NDArray[np.bool_]:
        """Which held-out images each training got right at its end; shape (trainings, images).

        Args:
            trainings: Rows of :attr:`trainings`; None for all. Those that diverged have no images and are refused.
        """
        rows = self.trainings if trainings is None else trainings
        return np.stack([unpacked(text, n) for text, n in zip(rows["correct"], rows["images"], strict=True)])


def load(folder: Path = FOLDER) -> Table:
    """Read the table.

    Args:
        folder: Where its three files lie.
    """
    return Table(
        shapes=pd.read_csv(folder / SHAPES),
        trainings=pd.read_csv(folder / TRAININGS),
        curves=pd.read_csv(folder / CURVES),
    )


def packed(correct: npt.NDArray[np.bool_]) -> str:
    """Bits, the first image in the highest bit of the first byte, in base64."""
    return base64.b64encode(np.packbits(correct).tobytes()).decode("ascii")


def unpacked(text: str, images: int) -> npt.NDArray[np.bool_]:
    """What :func:`packed` packed."""
    return np.unpackbits(np.frombuffer(base64.b64decode(text), dtype=np.uint8), count=images).astype(np.bool_)


def small_file(results: Path, name: str) -> Path:
    """Where a training's result lies until it is merged."""
    folder = results / ROWS
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.json"


def finished(folder: Path = FOLDER) -> frozenset[str]:
    """Names of the trainings that a table has."""
    file = folder / TRAININGS
    return frozenset(pd.read_csv(file, usecols=["training"])["training"]) if file.is_file() else frozenset()


def merge(results: Path, folder: Path, order: Iterable[str]) -> int:
    """Add the small files of a folder of results to a table.

    The table's files come out alike whatever the order in which trainings ended.

    Args:
        results: Folder of results of ``train``.
        folder: Folder of the table's files; those that are missing are begun.
        order: Names of all trainings in the order of the plan.

    Returns:
        Number of trainings that the table has now.
    """
    ends, epochs = _known(folder, TRAININGS), _known(folder, CURVES)
    for file in sorted((results / ROWS).glob("*.json")):
        row: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        curve = row.pop("curve")
        ends[row["training"]] = [row]
        epochs[row["training"]] = [{"training": row["training"], **reading} for reading in curve]
    names = [name for name in order if name in ends]
    for file, columns, rows in ((TRAININGS, TRAINING_COLUMNS, ends), (CURVES, CURVE_COLUMNS, epochs)):
        frame = pd.DataFrame([row for name in names for row in rows[name]], columns=list(columns))
        write_bytes(folder / file, _zipped(frame))
    return len(names)


def _known(folder: Path, name: str) -> dict[str, list[dict[str, Any]]]:
    """Rows of a file by training, values as text so that they are written as they were."""
    if not (folder / name).is_file():
        return {}
    frame = pd.read_csv(folder / name, dtype=str, keep_default_na=False)
    return {str(training): rows.to_dict("records") for training, rows in frame.groupby("training", sort=False)}


def _zipped(frame: pd.DataFrame) -> bytes:
    content = io.BytesIO()
    with gzip.GzipFile(fileobj=content, mode="wb", mtime=0) as file:  # no date: alike content, alike file
        file.write(frame.to_csv(index=False, lineterminator="\n").encode())
    return content.getvalue()
