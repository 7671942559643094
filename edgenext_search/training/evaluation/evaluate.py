"""Evaluation of a model folder on validation images; the result equals that of a plain evaluation with timm."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from edgenext_search.arch.blocks import IN_CHANNELS
from edgenext_search.arch.cost import LARGEST_SIZE, STRIDE, Deployment
from edgenext_search.data.augment.transforms import Preprocessing
from edgenext_search.data.class_names import difference, read_classes
from edgenext_search.data.loading.datasets import ValSet, open_val_set
from edgenext_search.data.loading.loaders import ValLoader
from edgenext_search.errors import DataError, UserError
from edgenext_search.models.export import Normalisation
from edgenext_search.models.trained import TrainedNetwork, Weights, open_trained
from edgenext_search.training.engine.scoring import TOP_K, score_networks
from edgenext_search.training.evaluation.onnx_network import OnnxNetwork
from edgenext_search.training.evaluation.results import EvaluationResult
from edgenext_search.versions import versions


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
    """Evaluate a model folder or a checkpoint on validation images, prepared as ``config.json`` says.

    Args:
        folder: The model folder, or a checkpoint, whose network is found from the shapes of its weights.
        data: A folder with ``val/``, or a dataset name of timm.
        data_dir: Folder of a named dataset.
        classes_file: The data's class of each output, one per line; for data with other class names.
        weights: Averaged or those of the last step, where there are both; None for ``model.safetensors``, and for
            the averaged ones of a checkpoint if it has any.
        onnx: An ONNX file to run in place of the folder's network, as it was exported or quantized since; on the CPU.
        img_size: Height and width of the images, in pixels; None for the size trained on, or that of the ONNX file.
        batch_size: Images that go through the network at once.
        workers: Processes that load images.
        device: Device; None for the CPU.
        note: Tells people what was left out of the images.

    Raises:
        UserError: There is no model folder or checkpoint, or it lacks these weights, the data are not there, their
            classes are not the model's, the ONNX file cannot be run on such images, or logits are not finite.
    """
    if img_size is not None:
        Deployment(img_size=img_size)
    if onnx is not None and weights is not None:
        raise UserError("An ONNX file has its own weights; leave out --weights.")
    trained = open_trained(folder, weights)
    images = matching_val_set(trained, data, data_dir=data_dir, classes_file=classes_file)
    if note is not None:
        for text in images.source.notes:
            note(text)
    model = trained.network
    if (outputs := trained.num_classes) != len(images.classes):
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
    if not math.isfinite(score.loss):
        raise DataError(f"{onnx or folder} must answer with finite logits, but some are not; give other weights.")
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
        weights=trained.weights if onnx is None else None,
        data=images.source.name,
        classes=len(images.classes),
        evaluated_classes=len(np.unique(images.labels)),
        fingerprint=trained.candidate.fingerprint,
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
    size = img_size or preprocessing.img_size
    if network.img_size is not None:
        size = network.img_size
        if not STRIDE <= size <= LARGEST_SIZE:
            raise UserError(f"{path} must take images of {STRIDE} to {LARGEST_SIZE:,} px, but takes {size} px.")
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


def matching_val_set(
    trained: TrainedNetwork, data: str, *, data_dir: Path | None = None, classes_file: Path | None = None
) -> ValSet:
    """Validation images labelled by a network's outputs: classes are matched by name, whatever the data's order.

    The data may have images of a part of the classes alone.

    Raises:
        UserError: The data are not there, or have classes that are not the network's.
    """
    names = trained.classes
    if classes_file is not None:
        names = read_classes(classes_file)
        _check_file(classes_file, names, trained)
    images = open_val_set(data, data_dir=data_dir, classes=None if classes_file is None else names)
    if names is None or names == images.classes:
        return images
    if not set(images.classes) <= set(names):
        said = difference(names, images.classes, str(trained.path), f"the validation images of {images.source.name}")
        raise UserError(
            f"The classes of model and data must be the same, but {said}. Give the data that it was trained on, or "
            "with --classes the data's class of each output."
        )
    return open_val_set(data, data_dir=data_dir, classes=names)


def some_of(images: ValSet, n: int) -> ValSet:
    """At most ``n`` of the images, evenly spread."""
    chosen = np.unique(np.linspace(0, len(images) - 1, n).round().astype(np.int64))
    return images.keep(chosen)


def _check_file(path: Path, chosen: Sequence[str], trained: TrainedNetwork) -> None:
    """Check that a file renames all classes of the network or none, and keeps their order."""
    names, folder = trained.classes, trained.path
    if len(chosen) != trained.num_classes:
        raise UserError(
            f"{path} must name a class for each of the {trained.num_classes} outputs of {folder}, not {len(chosen)}."
        )
    if names is None or tuple(chosen) == tuple(names):
        return
    for output, (ours, theirs) in enumerate(zip(chosen, names, strict=True)):
        if ours != theirs and (ours in names or theirs in chosen):
            raise UserError(
                f"{path} must name the class of each output in the outputs' order, but its line {output + 1} is "
                f"{ours!r}, while output {output} of {folder} is {theirs!r}. Leave --classes out to match by name."
            )
