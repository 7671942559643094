"""Small full trainings: images as a user has them, and jobs that take seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from strategies import tiny

from edgenext_search.training.full.job import FullJob, SilentListener
from edgenext_search.training.full.recipe import FullRecipe

CLASSES = ("bright", "dark", "left")
QUICK: dict[str, Any] = {
    "epochs": 3,
    "img_size": 32,
    "multi_scale": (32, 64, 2),
    "batch_size": 8,
    "lr": 2e-3,
    "lr_batch_size": 8,
    "drop_path": 0.2,
    "channels_last": False,
}


def write_images(root: Path, *, train: int = 16, val: int = 5) -> Path:
    """A folder of ImageNet's layout with three classes that differ in brightness, ``train`` and ``val`` images each."""
    rng = np.random.default_rng(0)
    for part, count in (("train", train), ("val", val)):
        for name in CLASSES:
            folder = root / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 90, (40, 36, 3))
                pixels[:, : 18 if name == "left" else 36] += 0 if name == "dark" else 150
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.jpg")
    return root


def a_job(data: Path, out: Path, *, recipe: dict[str, Any] | None = None, **keys: Any) -> FullJob:
    """A training of a tiny candidate, some dozens of steps long."""
    return FullJob(
        candidate=tiny(),
        name="tiny",
        recipe=FullRecipe(**(QUICK | (recipe or {}))),
        data=str(data),
        out=out,
        **({"workers": 0, "threads": 1} | keys),
    )


class Recorder(SilentListener):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.rows: list[dict[str, float]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def epoch_done(self, row: dict[str, float]) -> None:
        self.rows.append(row)
