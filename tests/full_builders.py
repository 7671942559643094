"""Small full trainings: images as a user has them, and jobs that take seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from strategies import tiny

from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.training.evaluation.results import ExportResult, OnnxInput, OnnxOutput, PreprocessingResult
from edgenext_search.training.full.job import FullJob
from edgenext_search.training.full.listener import TrainListener
from edgenext_search.training.full.metrics import EpochMetrics
from edgenext_search.training.full.recipe import FullRecipe, ResolvedFullRecipe
from edgenext_search.training.full.summary import TrainingRecord, TrainSummary

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


def resolved(**keys: Any) -> ResolvedFullRecipe:
    """The recipe of such a training, on a CPU."""
    return FullRecipe(**(QUICK | keys)).resolve(params=10**6, steps=100, device="cpu")


EXPORTED = ExportResult(
    onnx="model.onnx",
    fingerprint="0" * 12,
    input=OnnxInput(name="image", shape=(1, 3, 32, 32), type="float32"),
    output=OnnxOutput(name="logits", shape=(1, 3)),
    opset=18,
    bytes=1,
    preprocessing=PreprocessingResult(
        resize=35, interpolation="bicubic", crop_mode="center", crop=32, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2)
    ),
    random_image_difference=0.0,
)
"""What an export gives where tests leave it out."""


def a_record(**changes: Any) -> TrainingRecord:
    """The record of such a training."""
    values = a_summary().to_dict() | {"recipe": {"lr": 1e-6, "sizes": [32, 64], "mixup": None}, "accumulate": 1}
    return TrainingRecord(**values | changes)


def a_summary(**changes: Any) -> TrainSummary:
    """The summary of such a training."""
    candidate = changes.get("candidate", tiny())
    accuracy = {"top1": 0.5, "top5": 1.0, "loss": 1.0}
    values = {
        "out": "out",
        "model_dir": "out/model",
        "name": "tiny",
        "fingerprint": candidate.fingerprint,
        "candidate": candidate,
        "deployment": {"num_classes": 3, "img_size": 32},
        **cost(candidate, Deployment(num_classes=3, img_size=32)).to_dict(),
        "data": {"name": "images", "train_images": 48, "val_images": 15, "classes": 3, "class_names": "0" * 16},
        "epochs": 3,
        "seed": 0,
        "weights": "ema",
        **accuracy,
        "raw": accuracy,
        "ema": accuracy,
        "best": {"epoch": 3, **accuracy},
        "onnx": EXPORTED,
        "seconds": 1.0,
        "conditions": {
            "batch": "8 images x 1 process",
            "lr": 2e-3,
            "device": "cpu",
            "numerics": "fp32",
            "processes": 1,
            "torch": "2.6",
        },
    }
    return TrainSummary(**values | changes)


class Recorder(TrainListener):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.rows: list[EpochMetrics] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def epoch_done(self, metrics: EpochMetrics) -> None:
        self.rows.append(metrics)
