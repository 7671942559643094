"""The results of a full training: ``training.yaml`` at its beginning, ``summary.json`` at its end."""

from __future__ import annotations

from typing import Any, Literal

from edgenext_search.arch.results import CandidateField, DeploymentResult
from edgenext_search.results import Result
from edgenext_search.training.evaluation.results import ExportResult
from edgenext_search.training.full.metrics import Accuracy


class TrainData(Result):
    """The images of a full training."""

    name: str
    """Name of the image set."""
    train_images: int
    """Number of training images."""
    val_images: int
    """Number of validation images."""
    classes: int
    """Number of classes."""
    class_names: str
    """Digest of the classes' names."""


class TrainingRecord(Result):
    """All that decides the trained weights; written before the first step, so that only the same training resumes."""

    name: str
    """Name of the network for people; it may differ when a training resumes."""
    fingerprint: str
    """Short stable name of the network."""
    candidate: CandidateField
    """The network."""
    recipe: dict[str, Any]
    """Keys of the recipe, ``auto`` where the device or the number of steps decides."""
    accumulate: int
    """Parts of a batch that each process adds up."""
    data: TrainData
    """The images."""
    teacher: str | None = None
    """Teacher of a distillation; null without one."""
    init: str | None = None
    """Source of the initial weights; null for random ones."""
    unreadable: tuple[str, ...] = ()
    """Images that could not be decoded when the training began, and are left out whatever becomes of them."""
    images: str | None = None
    """Digest of the images' content, without those that are left out; null in trainings of versions up to 0.1."""


class BestEpoch(Accuracy):
    """The epoch with the best top-1 accuracy."""

    epoch: int
    """Number of the epoch, from 1."""


class TrainConditions(Result):
    """Conditions of a full training."""

    batch: str
    """How a batch was shared out, in words."""
    lr: float
    """Peak learning rate, scaled to the batch."""
    device: str
    """``cpu`` or ``cuda``."""
    numerics: str
    """Precision, memory layout and compilation."""
    processes: int
    """Number of processes."""
    torch: str
    """Version of torch."""


class TrainSummary(Result):
    """The result of a full training."""

    out: str
    """Path of the training's folder."""
    model_dir: str
    """Path of the model folder."""
    name: str
    """Name of the network for people."""
    fingerprint: str
    """Short stable name of the network."""
    candidate: CandidateField
    """The network."""
    deployment: DeploymentResult
    """Classes of the data and image size of the recipe, for which costs are counted."""
    params: int
    """Parameters."""
    madds: int
    """Multiply-adds of one image."""
    acts: int
    """Activations: output elements of all convolutions and linear layers for one image."""
    memory: int
    """Peak bytes of the activations of one image, in float32."""
    footprint: int
    """Bytes of the weights and of the activations at their peak, in float32."""
    data: TrainData
    """The images."""
    epochs: int
    """Epochs of the training."""
    seed: int
    """Seed of the training."""
    weights: Literal["ema", "last"]
    """Weights of the model folder: averaged, or those of the last step."""
    top1: float
    """Top-1 accuracy of the model folder, as ``evaluate`` finds it, in [0, 1]."""
    top5: float | None
    """Top-5 accuracy of the model folder, in [0, 1]; null with five classes or fewer."""
    loss: float
    """Cross-entropy of the model folder, in nats."""
    raw: Accuracy
    """Accuracy of the weights of the last step, in the training's own precision."""
    ema: Accuracy
    """Accuracy of the averaged weights, in the training's own precision."""
    best: BestEpoch
    """Accuracy of the epoch with the best top-1."""
    onnx: ExportResult
    """The export of ``model.onnx``."""
    seconds: float
    """Duration of the training, interruptions left out."""
    conditions: TrainConditions
    """Conditions of the training."""
