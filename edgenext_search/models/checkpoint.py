"""Checkpoints of the EdgeNeXt repository (github.com/mmaaz60/EdgeNeXt) as model folders.

Its files are what ``torch.save`` wrote at the end of an epoch: a mapping with the weights under ``model_ema`` and
``model`` or, for those trained with USI, ``state_dict``, beside the optimizer's state and the arguments of the
training. A bare state dict, also as safetensors, is read too.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.published import published_variant, published_variants
from edgenext_search.arch.spaces.space_results import CostResult
from edgenext_search.errors import UserError
from edgenext_search.models.build import build
from edgenext_search.models.folder import save_model_folder
from edgenext_search.results import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

Weights = Literal["ema", "model"]
WEIGHTS: tuple[Weights, ...] = get_args(Weights)

# Where a checkpoint has which weights. The averaged ones come first: the repository evaluates them where they exist.
_KEYS: dict[Weights, tuple[str, ...]] = {"ema": ("model_ema",), "model": ("state_dict", "model")}
_BARE = "state dict"
_MOST_DIFFERENCES = 4

# From timm's names to the repository's.
_RENAMINGS = (
    (re.compile(r"^stem\."), "downsample_layers.0."),
    (re.compile(r"^stages\.(\d+)\.downsample\."), r"downsample_layers.\1."),
    (re.compile(r"^stages\.(\d+)\.blocks\."), r"stages.\1."),
    (re.compile(r"\.conv_dw\."), ".dwconv."),
    (re.compile(r"\.mlp\.fc"), ".pwconv"),
    (re.compile(r"^head\.fc\."), "head."),
    (re.compile(r"^(head\.norm|norm_pre)\."), "norm."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Weights of a file, under the names that the file has for them.

    Attributes:
        path: The file.
        sha256: Digest of the file.
        entry: Which entry of the file the weights are, such as ``model_ema``.
        weights: Tensors by name.
    """

    path: Path
    sha256: str
    entry: str
    weights: Mapping[str, Tensor]

    @property
    def num_classes(self) -> int | None:
        """Outputs of the classifier; None where the file has none."""
        head = self.weights.get("head.weight")
        return head.shape[0] if head is not None and head.ndim == 2 and len(head) else None


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


def repository_name(name: str) -> str:
    """What the EdgeNeXt repository calls a parameter or buffer of timm's network, LayerNorm or BatchNorm."""
    for pattern, replacement in _RENAMINGS:
        name = pattern.sub(replacement, name)
    return name


def read_checkpoint(path: Path, weights: Weights | None = None) -> Checkpoint:
    """The weights in a file, read without running anything that it may hold.

    Args:
        path: A file of ``torch.save`` or, by its ending, ``.safetensors``.
        weights: Which of them; by default the averaged ones where there are any.

    Raises:
        UserError: The file cannot be read, holds no weights or not those, or weights that are not finite.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    entry, state_dict = _choose(path, read_file(path), weights)
    return Checkpoint(path=path, sha256=digest, entry=entry, weights=_tensors(path, entry, state_dict))


def import_checkpoint(
    path: Path,
    folder: Path,
    *,
    variant: str,
    img_size: int = 256,
    class_names: Sequence[str] | None = None,
    weights: Weights | None = None,
) -> ImportResult:
    """Write a checkpoint of a published variant as a model folder.

    Args:
        path: The checkpoint; see :func:`read_checkpoint`.
        folder: Where to write; it must not exist, or be empty.
        variant: Name of the published variant that the weights are of.
        img_size: Height and width of the images that the weights were trained on, in pixels; costs are counted for it.
        class_names: Name of each output; by default their numbers, from 0.
        weights: Which of the checkpoint's weights.

    Raises:
        UserError: The file does not hold such a network, the names are not as many as its outputs, or the folder
            cannot be written. Nothing is left behind.
    """
    candidate = published_variant(variant).candidate
    Deployment(img_size=img_size)
    _check_writable(folder)
    checkpoint = read_checkpoint(path, weights)
    model = _fill(checkpoint, variant)
    deployment = Deployment(num_classes=model.num_classes, img_size=img_size)
    names = [str(index) for index in range(deployment.num_classes)] if class_names is None else list(class_names)
    if len(names) != deployment.num_classes:
        raise UserError(f"{path} has {deployment.num_classes} classes, but --classes names {len(names)}.")
    weights_from = ImportedWeights(file=path.name, sha256=checkpoint.sha256, entry=checkpoint.entry)
    try:
        save_model_folder(
            model,
            candidate,
            folder,
            deployment=deployment,
            trained_size=img_size,
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
        img_size=img_size,
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


def read_file(path: Path) -> object:
    """All that a file of ``torch.save`` or, by its ending, ``.safetensors`` holds, without running anything of it.

    Raises:
        UserError: It cannot be read.
    """
    import argparse

    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings(), torch.serialization.safe_globals([argparse.Namespace]):  # the training's `args`
            warnings.simplefilter("ignore")  # of pickles that are no checkpoints
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if unsafe := re.search(r"GLOBAL (\S+)", str(error)):
            raise UserError(
                f"{path} must hold nothing but weights and plain values, but needs {unsafe[1]}, and loading that could "
                "run code hidden in the file; if you trust its source, torch.load(..., weights_only=False) it, and "
                "torch.save its state dict alone."
            ) from error
        raise _no_checkpoint(path) from error
    except SafetensorError as error:
        raise UserError(f"{path} is not a safetensors file, or is cut short: {error}.") from error
    except Exception as error:  # a damaged file can break the reader anywhere
        raise _no_checkpoint(path) from error


def _no_checkpoint(path: Path) -> UserError:
    return UserError(f"{path} is not a checkpoint that torch.save wrote, or is cut short; download or copy it again.")


def _choose(path: Path, loaded: object, weights: Weights | None) -> tuple[str, Mapping[str, object]]:
    """The entry of a loaded file that holds the weights, and its content."""
    if not isinstance(loaded, Mapping):
        raise UserError(f"{path} must hold a mapping of names to weights, but holds {type(loaded).__name__}.")
    present = [key for keys in _KEYS.values() for key in keys if key in loaded]
    wanted = present if weights is None else [key for key in _KEYS[weights] if key in loaded]
    if weights is not None and not wanted:
        has = f"has {' and '.join(present)}" if present else "is a bare state dict"
        raise UserError(f"{path} has no {weights} weights ({' or '.join(_KEYS[weights])}): it {has}.")
    if not present:
        return _BARE, loaded
    state_dict = loaded[wanted[0]]
    if not isinstance(state_dict, Mapping):
        raise UserError(f"{path}: {wanted[0]} must be a state dict, but is {type(state_dict).__name__}.")
    return wanted[0], state_dict


def _tensors(path: Path, entry: str, state_dict: Mapping[str, object]) -> dict[str, Tensor]:
    import torch

    for name, value in state_dict.items():
        if not isinstance(value, torch.Tensor):
            raise UserError(
                f"{path} must hold a state dict, at its top or under {', '.join(sum(_KEYS.values(), ()))}, but "
                f"{name} of its {entry} is {type(value).__name__}."
            )
        if not value.isfinite().all():
            raise UserError(f"{path}: all weights must be finite, but {name} of its {entry} has NaN or infinity.")
    return {str(name): value for name, value in state_dict.items() if isinstance(value, torch.Tensor)}


def _fill(checkpoint: Checkpoint, variant: str) -> Any:  # noqa: ANN401 - timm's class, which mypy does not know
    """The variant's network with the checkpoint's weights, in evaluation mode."""
    model = _network(checkpoint, variant)
    names = [repository_name(name) for name in model.state_dict()]
    if not any(name in checkpoint.weights for name in names):
        raise UserError(
            f"{checkpoint.path} must name its weights as the EdgeNeXt repository does, such as {names[0]}, but its "
            f"{checkpoint.entry} has {next(iter(checkpoint.weights), 'none')}."
        )
    differences = _differences(checkpoint, model)
    if differences:
        others = [name for name in published_variants() if name != variant]
        fits = next((name for name in others if not _differences(checkpoint, _network(checkpoint, name))), None)
        more = len(differences) - _MOST_DIFFERENCES
        raise UserError(
            f"{checkpoint.path} does not fit {variant}: {'; '.join(differences[:_MOST_DIFFERENCES])}"
            f"{f'; and {more} more' if more > 0 else ''}. "
            + (f"The file fits {fits}; give --variant {fits}." if fits else "It fits no published variant.")
        )
    model.load_state_dict({name: checkpoint.weights[repository_name(name)] for name in model.state_dict()})
    return model.eval()


def _network(checkpoint: Checkpoint, variant: str) -> nn.Module:
    return build(published_variant(variant).candidate, num_classes=checkpoint.num_classes or Deployment().num_classes)


def _differences(checkpoint: Checkpoint, model: nn.Module) -> list[str]:
    """What keeps the weights from being the network's, in the order of its layers."""
    expected = {repository_name(name): _shape(tensor) for name, tensor in model.state_dict().items()}
    shapes = {name: _shape(tensor) for name, tensor in checkpoint.weights.items()}
    differences = [
        f"{name} is {shapes[name]}, must be {shape}" if name in shapes else f"{name} ({shape}) is missing"
        for name, shape in expected.items()
        if shapes.get(name) != shape
    ]
    return differences + [f"{name} ({shape}) is too many" for name, shape in shapes.items() if name not in expected]


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"
