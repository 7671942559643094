"""Evaluation of a model folder on validation images; the result equals that of a plain evaluation with timm."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import nn

from edgenext_search.arch.blocks import IN_CHANNELS
from edgenext_search.arch.cost import Deployment
from edgenext_search.data.augment.transforms import Preprocessing
from edgenext_search.data.class_names import difference, read_classes
from edgenext_search.data.loading.datasets import ValSet, open_val_set
from edgenext_search.data.loading.loaders import ValLoader
from edgenext_search.errors import UserError
from edgenext_search.files import read_yaml
from edgenext_search.models.export import Normalisation
from edgenext_search.models.folder import (
    CANDIDATE_FILE,
    RAW_WEIGHTS_FILE,
    class_names,
    load_model_folder,
    read_candidate,
)
from edgenext_search.training.engine.scoring import TOP_K, score_networks
from edgenext_search.training.evaluation.onnx_network import OnnxNetwork
from edgenext_search.training.evaluation.results import EvaluationResult
from edgenext_search.versions import versions

Weights: TypeAlias = Literal["ema", "raw"]


def evaluate_folder(
    folder: Path,
    data: str,
    *,
    data_dir: Path | None = None,
    classes_file: Path | None = None,
    weights: Weights | None = None,
    onnx: Path | None = None,
    img_size: int | None = None,
    batch_size: int = 256,
    workers: int = 0,
    device: torch.device | None = None,
    note: Callable[[str], None] | None = None,
) -> EvaluationResult:
    """Evaluate a model folder on validation images, prepared as its ``config.json`` says.

    Args:
        folder: The model folder.
        data: A folder with ``val/``, or a dataset name of timm.
        data_dir: Folder of a named dataset.
        classes_file: The data's class of each output, one per line; for data with other class names.
        weights: Averaged or those of the last step, where the folder has both; None for ``model.safetensors``.
        onnx: An ONNX file to run in place of the folder's network, as it was exported or quantized since; on the CPU.
        img_size: Height and width of the images, in pixels; None for the size trained on, or that of the ONNX file.
        batch_size: Images that go through the network at once.
        workers: Processes that load images.
        device: Device; None for the CPU.
        note: Tells people what was left out of the images.

    Raises:
        UserError: The folder is no model folder or lacks these weights, the data are not there, their classes are not
            the model's, or the ONNX file cannot be run on such images.
    """
    if img_size is not None:
        Deployment(img_size=img_size)
    if onnx is not None and weights is not None:
        raise UserError("An ONNX file has its own weights; leave out --weights.")
    fingerprint = read_candidate(folder).fingerprint
    which = _which(folder, weights)
    images = matching_val_set(folder, data, data_dir=data_dir, classes_file=classes_file)
    if note is not None:
        for text in images.source.notes:
            note(text)
    model = load(folder, weights)
    if (outputs := int(model.num_classes)) != len(images.classes):  # type: ignore[arg-type]  # timm's attribute
        raise UserError(
            f"{folder} has {outputs} outputs, but {images.source.name} has {len(images.classes)} classes. "
            "Give the data that it was trained on, or with --classes the class of each output."
        )
    device = torch.device("cpu") if device is None or onnx is not None else device
    network = model if onnx is None else _onnx_network(onnx, model, img_size)
    size = network.img_size if isinstance(network, OnnxNetwork) and img_size is None else img_size
    preprocessing = preprocessing_of(model, img_size=size)
    loader = ValLoader(images, preprocessing, batch_size=batch_size, workers=workers, device=device)
    start = time.perf_counter()
    with contextlib.closing(loader):
        (score,) = score_networks([network.to(device)], loader, device=device)
    seconds = time.perf_counter() - start
    n = len(images) - len(loader.unreadable)
    return EvaluationResult(
        folder=str(folder),
        top1=score.top1,
        top5=score.top5 if len(images.classes) > TOP_K else None,
        loss=score.loss,
        n=n,
        unreadable=len(loader.unreadable),
        images_per_second=n / seconds,
        img_size=preprocessing.img_size,
        crop_pct=preprocessing.crop_pct,
        weights=which if onnx is None else None,
        data=images.source.name,
        classes=len(images.classes),
        fingerprint=fingerprint,
        device=str(device),
        onnx=None if onnx is None else str(onnx),
        versions=versions(),
    )


def _onnx_network(path: Path, model: nn.Module, img_size: int | None) -> OnnxNetwork:
    """Open the ONNX file of a network.

    Raises:
        UserError: It cannot be run, or not at this size, or has other outputs.
    """
    preprocessing = preprocessing_of(model)
    network = OnnxNetwork(path, Normalisation(mean=preprocessing.mean, std=preprocessing.std))
    if img_size is not None and network.img_size not in (None, img_size):
        raise UserError(f"{path} takes images of {network.img_size} px, not of {img_size}; leave out --img-size.")
    size = network.img_size or img_size or preprocessing.img_size
    outputs = network(torch.zeros(1, IN_CHANNELS, size, size)).shape[1:]
    if tuple(outputs) != (model.num_classes,):
        raise UserError(f"{path} must have an output for each of {model.num_classes} classes, but has {[*outputs]}.")
    return network


def preprocessing_of(model: nn.Module, *, img_size: int | None = None) -> Preprocessing:
    """Preparation of images for a network, as timm does it by the network's ``pretrained_cfg``.

    Args:
        model: A network of timm's.
        img_size: Height and width of the images, in pixels; None for the size trained on.
    """
    from timm.data import resolve_model_data_config

    config = resolve_model_data_config(model)  # type: ignore[no-untyped-call]
    keys = ("crop_pct", "interpolation", "crop_mode", "mean", "std")
    return Preprocessing(img_size=img_size or config["input_size"][-1], **{key: config[key] for key in keys})


def load(folder: Path, weights: Weights | None) -> nn.Module:
    """Load the network of a model folder with one of its weights, in evaluation mode.

    Raises:
        UserError: It is no model folder, or lacks these weights.
    """
    from safetensors.torch import load_file

    _which(folder, weights)
    model = load_model_folder(folder)
    if weights == "raw" and (folder / RAW_WEIGHTS_FILE).is_file():
        model.load_state_dict(load_file(folder / RAW_WEIGHTS_FILE))
    return model


def matching_val_set(
    folder: Path, data: str, *, data_dir: Path | None = None, classes_file: Path | None = None
) -> ValSet:
    """Validation images labelled by a model's outputs: classes are matched by name, whatever the data's order.

    Raises:
        UserError: The data are not there, or their classes are not the model's.
    """
    names = class_names(folder)
    if classes_file is not None:
        chosen = read_classes(classes_file)
        _check_file(classes_file, chosen, folder, names)
        return open_val_set(data, data_dir=data_dir, classes=chosen)
    images = open_val_set(data, data_dir=data_dir)
    if names is None or names == images.classes:
        return images
    if said := difference(names, images.classes, str(folder), f"the validation images of {images.source.name}"):
        raise UserError(
            f"The classes of model and data must be the same, but {said}. Give the data that it was trained on, or "
            "with --classes the data's class of each output."
        )
    return open_val_set(data, data_dir=data_dir, classes=names)


def some_of(images: ValSet, n: int) -> ValSet:
    """At most ``n`` of the images, evenly spread."""
    chosen = np.unique(np.linspace(0, len(images) - 1, n).round().astype(np.int64))
    return images.keep(chosen)


def _check_file(path: Path, chosen: Sequence[str], folder: Path, names: Sequence[str] | None) -> None:
    """Check that a file renames all classes of the model or none, and keeps their order."""
    if names is None or tuple(chosen) == tuple(names):
        return
    if len(chosen) != len(names):
        raise UserError(
            f"{path} must name a class for each of the {len(names)} outputs of {folder}, not {len(chosen)}."
        )
    for output, (ours, theirs) in enumerate(zip(chosen, names, strict=True)):
        if ours != theirs and (ours in names or theirs in chosen):
            raise UserError(
                f"{path} must name the class of each output in the outputs' order, but its line {output + 1} is "
                f"{ours!r}, while output {output} of {folder} is {theirs!r}. Leave --classes out to match by name."
            )


def _which(folder: Path, weights: Weights | None) -> str | None:
    """The kind of weights that would be loaded; None if the folder does not say.

    Raises:
        UserError: The folder lacks the weights.
    """
    facts = read_yaml(folder / CANDIDATE_FILE).get("weights", {}) if (folder / CANDIDATE_FILE).is_file() else {}
    both = (folder / RAW_WEIGHTS_FILE).is_file()
    kept = "ema" if both else {"ema": "ema", "last": "raw"}.get(facts.get("which", ""))
    if weights is None or weights == kept or (weights == "raw" and both):
        return weights or kept
    has = f"those of {'the last step' if kept == 'raw' else 'the average'}" if kept else "weights of no stated kind"
    raise UserError(f"{folder} has no {weights} weights, but {has} alone. Leave --weights out.")
