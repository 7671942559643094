"""Checkpoints of published variants as model folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.published import published_variant, published_variants
from edgenext_search.arch.spaces.space_results import CostResult
from edgenext_search.errors import DataError, UserError
from edgenext_search.models.build import build
from edgenext_search.models.checkpoint import Checkpoint, Weights, listed, read_checkpoint
from edgenext_search.models.folder import save_model_folder
from edgenext_search.results import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn


class ImportedWeights(Result):
    """Where imported weights come from."""

    file: str
    """Name of the checkpoint's file."""
    sha256: str
    """Digest of the file."""
    entry: str
    """Entry of the file that was read: ``model_ema``, ``state_dict``, ``model``, or ``state dict`` for a file that is
    one itself."""


class ImportResult(CostResult):
    """A checkpoint as a model folder."""

    model_dir: Path
    """Path of the model folder."""
    variant: str
    """Name of the published variant."""
    weights: ImportedWeights
    """Where the weights come from."""


def import_checkpoint(
    path: Path,
    folder: Path,
    *,
    variant: str,
    img_size: int | None = None,
    class_names: Sequence[str] | None = None,
    weights: Weights | None = None,
) -> ImportResult:
    """Write a checkpoint of a published variant as a model folder.

    Args:
        path: The checkpoint; see :func:`read_checkpoint`.
        folder: Where to write; it must not exist, or be empty.
        variant: Name of the published variant that the weights are of.
        img_size: Height and width of the images that the weights were trained on, in pixels; costs are counted for it.
            None for what the checkpoint says, or else 256.
        class_names: Name of each output; None for those in the checkpoint, or else their numbers, from 0.
        weights: Which of the checkpoint's weights.

    Raises:
        UserError: The file does not hold such a network, the names are not as many as its outputs, or the folder
            cannot be written. Nothing is left behind.
    """
    candidate = published_variant(variant).candidate
    if img_size is not None:
        Deployment(img_size=img_size)
    _check_writable(folder)
    checkpoint = read_checkpoint(path, weights)
    model = _fill(checkpoint, variant)
    size = img_size or checkpoint.img_size or Deployment().img_size
    deployment = Deployment(num_classes=model.num_classes, img_size=size)
    names = list(class_names or checkpoint.classes or map(str, range(deployment.num_classes)))
    if len(names) != deployment.num_classes:
        raise UserError(f"{path} has {deployment.num_classes} classes, but --classes names {len(names)}.")
    weights_from = ImportedWeights(file=path.name, sha256=checkpoint.sha256, entry=checkpoint.entry)
    try:
        save_model_folder(
            model,
            candidate,
            folder,
            deployment=deployment,
            trained_size=size,
            class_names=names,
            about=weights_from.to_dict(),
        )
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}; give another with --out.") from error
    return ImportResult(
        model_dir=folder,
        variant=variant,
        weights=weights_from,
        fingerprint=candidate.fingerprint,
        candidate=candidate,
        num_classes=deployment.num_classes,
        img_size=size,
        **cost(candidate, deployment).to_dict(),
    )


def read_class_names(path: Path) -> list[str]:
    """The names in a text file, one a line.

    Raises:
        UserError: The file cannot be read, or a line is empty.
    """
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8-sig").rstrip().splitlines()]
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} must be UTF-8 text, one class name a line: {error}.") from error
    if "" in names or not names:
        raise UserError(f"{path} must have one class name a line, but line {[*names, ''].index('') + 1} is empty.")
    return names


def _check_writable(folder: Path) -> None:
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise UserError(f"{folder} cannot be written: {nearest} is no folder to write in; give another with --out.")
    if nearest == folder and any(folder.iterdir()):
        raise UserError(f"{folder} exists and is not empty; give another folder with --out.")


def _fill(checkpoint: Checkpoint, variant: str) -> Any:  # noqa: ANN401 - timm's class, which mypy does not know
    """The variant's network with the checkpoint's weights, in evaluation mode."""
    checkpoint.check_names()
    model = _network(checkpoint, variant)
    if differences := checkpoint.differences(model):
        others = [name for name in published_variants() if name != variant]
        fits = next((name for name in others if not checkpoint.differences(_network(checkpoint, name))), None)
        raise DataError(
            f"{checkpoint.path} does not fit {variant}: {listed(differences)}. "
            + (f"The file fits {fits}; give --variant {fits}." if fits else "It fits no published variant.")
        )
    checkpoint.fill(model)
    return model.eval()


def _network(checkpoint: Checkpoint, variant: str) -> nn.Module:
    return build(published_variant(variant).candidate, num_classes=checkpoint.num_classes or Deployment().num_classes)
