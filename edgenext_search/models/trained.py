"""A trained network as people name it: a model folder or a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment
from edgenext_search.errors import UserError
from edgenext_search.files import read_yaml
from edgenext_search.models.checkpoint import read_checkpoint
from edgenext_search.models.folder import (
    CANDIDATE_FILE,
    RAW_WEIGHTS_FILE,
    class_names,
    load_model_folder,
    pretrained_cfg,
    read_candidate,
)

if TYPE_CHECKING:
    from torch import nn

Weights: TypeAlias = Literal["ema", "raw"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedNetwork:
    """A trained network.

    Attributes:
        path: The model folder or checkpoint.
        candidate: The network's architecture.
        network: The network in evaluation mode; its ``pretrained_cfg`` says how images are prepared.
        num_classes: Outputs of the classifier.
        classes: Names of the outputs; None where they are not known.
        weights: Averaged weights or those of the last step; None where the source does not say.
    """

    path: Path
    candidate: Candidate
    network: nn.Module
    num_classes: int
    classes: tuple[str, ...] | None
    weights: Weights | None


def open_trained(path: Path, weights: Weights | None = None) -> TrainedNetwork:
    """Open a model folder or a checkpoint.

    Args:
        path: Its path.
        weights: Averaged or those of the last step, where there are both; None for ``model.safetensors`` of a folder,
            and for the averaged ones of a checkpoint if it has any.

    Raises:
        UserError: It holds no trained network, or not with these weights.
    """
    return _open_folder(path, weights) if path.is_dir() else _open_checkpoint(path, weights)


def _open_folder(folder: Path, weights: Weights | None) -> TrainedNetwork:
    from safetensors.torch import load_file

    candidate = read_candidate(folder)
    which = _which(folder, weights)
    network = load_model_folder(folder)
    if weights == "raw" and (folder / RAW_WEIGHTS_FILE).is_file():
        network.load_state_dict(load_file(folder / RAW_WEIGHTS_FILE))
    return TrainedNetwork(
        path=folder,
        candidate=candidate,
        network=network,
        num_classes=int(network.num_classes),  # type: ignore[arg-type]  # timm's attribute
        classes=class_names(folder),
        weights=which,
    )


def _open_checkpoint(path: Path, weights: Weights | None) -> TrainedNetwork:
    if path.suffix == ".onnx":
        raise UserError(f"{path} is an ONNX file; give the model folder or checkpoint that it was exported from.")
    checkpoint = read_checkpoint(path, "model" if weights == "raw" else weights)
    candidate, network = checkpoint.network()
    num_classes = int(network.num_classes)  # type: ignore[arg-type]  # timm's attribute
    img_size = checkpoint.img_size or Deployment().img_size
    network.pretrained_cfg = pretrained_cfg(candidate, num_classes=num_classes, trained_size=img_size)  # type: ignore[assignment]
    which: dict[bool | None, Weights | None] = {True: "ema", False: "raw", None: None}
    return TrainedNetwork(
        path=path,
        candidate=candidate,
        network=network,
        num_classes=num_classes,
        classes=checkpoint.classes,
        weights=which[checkpoint.averaged],
    )


def _which(folder: Path, weights: Weights | None) -> Weights | None:
    """The kind of weights that would be loaded; None if the folder does not say.

    Raises:
        UserError: The folder lacks the weights.
    """
    facts = read_yaml(folder / CANDIDATE_FILE).get("weights", {}) if (folder / CANDIDATE_FILE).is_file() else {}
    both = (folder / RAW_WEIGHTS_FILE).is_file()
    stated: dict[str, Weights] = {"ema": "ema", "last": "raw"}
    kept = "ema" if both else stated.get(facts.get("which", ""))
    if weights is None or weights == kept or (weights == "raw" and both):
        return weights or kept
    has = f"those of {'the last step' if kept == 'raw' else 'the average'}" if kept else "weights of no stated kind"
    raise UserError(f"{folder} has no {weights} weights, but {has} alone. Leave --weights out.")
