"""Images listed in a table of paths and labels: CSV, TSV or Parquet."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgenext_search.data.sources.files import FileSource, natural_key
from edgenext_search.data.sources.layout import TRAIN, VAL_NAMES, split_by_name, split_note, val_note
from edgenext_search.data.sources.source import Part
from edgenext_search.errors import UserError
from edgenext_search.texts import printable

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = {".csv": ",", ".tsv": "\t"}
ENDINGS = (*SEPARATORS, ".parquet")
"""Endings of the names of tables."""

_PATHS = ("path", "file", "filename", "file_name", "filepath", "image", "image_path")
_LABELS = ("label", "class", "category", "target", "label_name", "class_name")
_SPLITS = ("split", "set", "subset", "part", "partition")
_TRAIN = (TRAIN, "training")


class TableSource(FileSource):
    """The training or the validation images of a table with a column of paths and one of labels.

    Paths are relative to the table's folder. A column ``split`` says which images are for validation; without one they
    are chosen as :func:`~edgenext_search.data.sources.layout.split_by_name` says.

    Args:
        table: The table's file.
        part: Which images.

    Raises:
        UserError: The table cannot be read, lacks a column or an image, or has an image twice.
    """

    def __init__(self, table: Path, part: Part = "train") -> None:
        table = table.resolve()
        name = f"table {printable(table.name)}"
        frame = _read(table)
        paths = frame[_column(table, frame, _PATHS, "path")]
        labels = frame[_column(table, frame, _LABELS, "label")]
        files = _files(table, paths.tolist())
        classes = tuple(sorted(set(labels), key=natural_key))
        if len(classes) < 2:
            raise UserError(f"A classifier needs at least 2 classes, but the labels of {table} are {classes}.")
        numbers = {label: number for number, label in enumerate(classes)}
        rows = np.array([numbers[label] for label in labels], dtype=np.int64)
        splits = [column for column in frame.columns if column.lower() in _SPLITS]
        if splits:
            in_train, in_val, note = _parts(table, frame[splits[0]].str.lower().tolist())
        else:
            in_val = split_by_name(files, rows)
            in_train, note = ~in_val, split_note("without a column split", in_val)
        chosen = np.flatnonzero(in_train if part == TRAIN else in_val)
        if not len(chosen):
            raise UserError(f"{table} has no image for {part}. Add some, or leave out its column split.")
        if part == TRAIN and (unseen := sorted(set(rows) - set(rows[chosen]))):
            raise UserError(
                f"Each class needs training images, but {table} has none of {classes[unseen[0]]!r}. Add some, or "
                "remove the class."
            )
        super().__init__(
            table.parent,
            name=name,
            files=[files[index] for index in chosen],
            labels=rows[chosen],
            classes=classes,
            notes=(f"{name}: {note}.",) if note else (),
        )


def _read(table: Path) -> pd.DataFrame:
    """All columns as texts."""
    import pandas as pd

    separator = SEPARATORS.get(table.suffix.lower())
    try:
        if separator is None:
            return pd.read_parquet(table).astype(str)
        return pd.read_csv(table, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except ImportError as error:
        raise UserError(f"{table} needs pyarrow, which is missing; `pip install pyarrow`, or give a CSV.") from error
    except (OSError, ValueError) as error:  # pandas' and pyarrow's errors of parsing are ValueErrors
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"The table {table} cannot be read ({reason}). Write it again.") from error


def _column(table: Path, frame: pd.DataFrame, names: Sequence[str], what: str) -> str:
    columns = [column for column in frame.columns if column.lower() in names]
    if len(columns) == 1:
        return str(columns[0])
    there = ", ".join(printable(str(column)) for column in frame.columns)
    raise UserError(
        f"{table} needs one column of each image's {what}, called {what} (or {', '.join(names[1:])}), but has "
        f"{'none' if not columns else 'several'}: its columns are {there}."
    )


def _files(table: Path, paths: Sequence[str]) -> list[bytes]:
    """The paths below the table's folder.

    Raises:
        UserError: A file is not there, or stands twice.
    """
    seen: dict[str, int] = {}
    for row, text in enumerate(paths, start=2):  # as a text editor counts, below the header
        path = os.path.normpath(text)
        if not text or not (table.parent / path).is_file():
            raise UserError(
                f"Row {row} of {table} names the image {printable(text)!r}, which is not in {table.parent}. Paths are "
                "relative to the table; correct the path, or remove the row."
            )
        if (before := seen.setdefault(path, row)) != row:
            raise UserError(
                f"Each image counts once, but rows {before} and {row} of {table} both name {printable(text)!r}. "
                "Remove one."
            )
    return [os.fsencode(path) for path in seen]


def _parts(table: Path, values: Sequence[str]) -> tuple[np.ndarray, np.ndarray, str]:
    """Which images are for training, which for validation, and what people should know of it."""
    known = (*_TRAIN, *VAL_NAMES)
    if unknown := sorted(set(values) - set(known)):
        raise UserError(
            f"The column split of {table} must be {', '.join(known)}, but it has {printable(unknown[0])!r}. Correct it."
        )
    vals = [name for name in VAL_NAMES if name in values]
    column = np.array(values)
    return np.isin(column, _TRAIN), column == (vals or [""])[0], val_note(vals)
