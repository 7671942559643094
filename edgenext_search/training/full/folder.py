"""The folder of a full training: its record, checkpoints, model folder and summary."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgenext_search.errors import UserError
from edgenext_search.files import dump_yaml, read_yaml, write_text
from edgenext_search.locks import exclusive
from edgenext_search.training.full.checkpoint import FOLDER, Checkpoints
from edgenext_search.training.full.summary import TrainingRecord, TrainSummary

TRAINING_FILE = "training.yaml"
SUMMARY_FILE = "summary.json"
MODEL_FOLDER = "model"
PATIENCE = 12.0  # seconds; torch's workers look every five whether their parent is alive


class TrainingFolder:
    """The files of one full training, of whose checkpoints the last ``keep`` stay."""

    def __init__(self, path: Path, *, keep: int = 3) -> None:
        self.path = path
        self.checkpoints = Checkpoints(path / FOLDER, keep)
        self.model = path / MODEL_FOLDER

    @property
    def training_file(self) -> Path:
        """The training's record."""
        return self.path / TRAINING_FILE

    @property
    def summary_file(self) -> Path:
        """The summary, as ``--json`` prints it; missing before the end."""
        return self.path / SUMMARY_FILE

    def exists(self) -> bool:
        """Whether a training was begun here."""
        return self.training_file.is_file()

    def record(self) -> TrainingRecord:
        """The record of the training that was begun here.

        Raises:
            UserError: The file cannot be read.
        """
        return TrainingRecord.read(read_yaml(self.training_file), where=str(self.training_file))

    def unreadable(self) -> tuple[str, ...] | None:
        """Names of the images that the training here leaves out; None where none was begun."""
        return self.record().unreadable if self.exists() else None

    def begin(self, training: TrainingRecord) -> None:
        """Begin a training here, or check that the one here is the same.

        Args:
            training: The training. Its name may differ from the one here, and the name of its images: the
                fingerprints decide.

        Raises:
            UserError: The folder holds another training or something else, or cannot be written.
        """
        if self.exists():
            there = {"unreadable": [], **read_yaml(self.training_file)}
            here = {**training.to_dict(), "name": there.get("name")}
            if there.get("images") is None:  # of a version that told images by name and number
                here["images"] = None
            elif there["images"] == here["images"]:  # wherever they lie now
                here["data"]["name"] = there["data"]["name"]
            differing = _differences(there, here)
            if [difference.partition(":")[0] for difference in differing] == ["images"]:
                raise UserError(
                    f"{self.path} holds a training on other images than those of {training.data.name}, though they are "
                    "called alike and as many. Restore the images that it began with, or give another --out."
                )
            if differing:
                raise UserError(
                    f"{self.path} holds another training (there / here): {'; '.join(differing)}. "
                    "Give the same settings to resume it, or another --out."
                )
            return
        if self.path.exists() and (not self.path.is_dir() or any(self._foreign())):
            raise UserError(f"{self.path} exists and is not a training; give another folder with --out.")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_text(self.training_file, dump_yaml(training.to_dict()))
        except OSError as error:
            raise UserError(f"{self.path} cannot be written: {error.strerror}; give another with --out.") from error

    def _foreign(self) -> Iterator[Path]:
        drafts = f".{TRAINING_FILE}."  # of a beginning that was killed
        return (path for path in self.path.iterdir() if path.name != ".lock" and not path.name.startswith(drafts))

    def summary(self) -> TrainSummary | None:
        """The summary; None before the end of the training, or where the file cannot be read."""
        try:
            return TrainSummary.model_validate_json(self.summary_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def write_summary(self, summary: TrainSummary) -> None:
        """Write the summary."""
        write_text(self.summary_file, json.dumps(summary.to_dict(), indent=2) + "\n")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from training in this folder.

        Raises:
            UserError: Another process does, or the folder cannot be written.
        """
        lock_file = self.path / ".lock"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock_file.touch()
        except OSError as error:
            raise UserError(f"{self.path} cannot be written: {error.strerror}; give another with --out.") from error
        with exclusive(lock_file, patience=PATIENCE) as free:  # workers of a killed training hold it for some seconds
            if not free:
                raise UserError(f"Another process trains in {self.path}; wait for it, or stop it first.")
            yield


def _differences(there: Mapping[str, Any], here: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Dotted keys, with both values, in which two trainings differ."""
    differences: list[str] = []
    for key in sorted({*there, *here}):
        ours, theirs = here.get(key), there.get(key)
        if isinstance(ours, dict) and isinstance(theirs, dict):
            differences += _differences(theirs, ours, f"{prefix}{key}.")
        elif ours != theirs:
            differences.append(f"{prefix}{key}: {_short(theirs)} / {_short(ours)}")
    return differences


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
