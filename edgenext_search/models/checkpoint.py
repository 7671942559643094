"""Checkpoints: the weights of one EdgeNeXt in a file that ``torch.save`` or safetensors wrote, whoever trained it.

Parameters have timm's names or those of the EdgeNeXt repository (github.com/mmaaz60/EdgeNeXt). They are a bare state
dict or an entry of a mapping, such as ``state_dict``, ``model`` or ``model_ema``, beside an optimizer's state and
more. What wraps a network adds to their names: DistributedDataParallel ``module.``, ``torch.compile`` ``_orig_mod.``,
Lightning the attribute of its module, such as ``model.``; these nest in any order.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from edgenext_search.arch.candidate import STAGES, UNUSED_HEADS, UNUSED_KERNEL_SIZE, UNUSED_SPLITS, Candidate
from edgenext_search.arch.cost import STRIDE
from edgenext_search.errors import DataError, UserError
from edgenext_search.models.build import build

if TYPE_CHECKING:
    from torch import Tensor, nn

Weights = Literal["ema", "model"]
WEIGHTS: tuple[Weights, ...] = get_args(Weights)

# Where a mapping has which weights. The averaged ones come first: those who keep them evaluate them.
_KEYS: dict[Weights, tuple[str, ...]] = {
    "ema": ("model_ema", "state_dict_ema", "ema_state_dict", "model_ema_state_dict", "ema"),
    "model": ("state_dict", "model", "model_state_dict", "module", "net", "network"),
}
_BARE = "state dict"
_MOST_NESTED = 4
_KIND = {"ema": "averaged", "model": "raw"}

_STEMS = ("stem.0.weight", "downsample_layers.0.0.weight")  # a network's first weight, by timm and by the repository
_INNER_WRAPPER = re.compile(r"(?:(?<=\.)|^)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
_AVERAGED = re.compile(r"(?:^|[._])(?:ema|averaged|swa)(?:[._]|$)")
_STUDENT = re.compile(r"((module|model|net|network|student|ema|model_ema|ema_model|averaged_model)\.)*")

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
_BLOCK = re.compile(r"stages\.(\d+)\.(?:blocks\.)?(\d+)\.(.+)")  # of both


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Weights of a file, under the names that the file has for them, less what wraps the network.

    Attributes:
        path: The file.
        sha256: Digest of the file.
        entry: Which entry of the file the weights are, such as ``model_ema`` or ``state_dict``.
        averaged: Whether the file says that they are an average over steps; None for a file of one kind of weights.
        weights: Tensors by name.
        classes: Names of the outputs; None where the file has none.
        img_size: Height and width of the images that they were trained on, in pixels; None where the file does not say.
    """

    path: Path
    sha256: str
    entry: str
    averaged: bool | None
    weights: Mapping[str, Tensor]
    classes: tuple[str, ...] | None = None
    img_size: int | None = None

    @property
    def num_classes(self) -> int | None:
        """Outputs of the classifier; None where the file has none."""
        head = next((self.weights[name] for name in ("head.fc.weight", "head.weight") if name in self.weights), None)
        return head.shape[0] if head is not None and head.ndim == 2 and len(head) else None

    def name(self, name: str) -> str:
        """What the file calls a parameter or buffer that timm calls ``name``."""
        return name if _STEMS[0] in self.weights else repository_name(name)

    def differences(self, model: nn.Module) -> list[str]:
        """What keeps the weights from being a network's, in the order of its layers."""
        expected = {self.name(name): _shape(tensor) for name, tensor in model.state_dict().items()}
        shapes = {name: _shape(tensor) for name, tensor in self.weights.items()}
        differences = [
            f"{name} is {shapes[name]}, must be {shape}" if name in shapes else f"{name} ({shape}) is missing"
            for name, shape in expected.items()
            if shapes.get(name) != shape
        ]
        return differences + [f"{name} ({shape}) is too many" for name, shape in shapes.items() if name not in expected]

    def fill(self, model: nn.Module) -> None:
        """Copy the weights into a network that they have no differences from."""
        model.load_state_dict({name: self.weights[self.name(name)] for name in model.state_dict()})

    def check_names(self) -> None:
        """Check that the weights have the names of an EdgeNeXt's.

        Raises:
            DataError: They have not.
        """
        if not any(stem in self.weights for stem in _STEMS):
            raise DataError(
                f"{self.path} must name its weights as timm or the EdgeNeXt repository does, with {_STEMS[0]} or "
                f"{_STEMS[1]}, but its {self.entry} has {next(iter(self.weights), 'none')}."
            )

    def network(self) -> tuple[Candidate, nn.Module]:
        """The network that the weights are of, found from their shapes, with them, in evaluation mode.

        Raises:
            DataError: They are not those of an EdgeNeXt.
        """
        self.check_names()
        try:
            candidate = _candidate_of({name: tuple(tensor.shape) for name, tensor in self.weights.items()})
        except (UserError, LookupError, ValueError, ArithmeticError, StopIteration) as error:
            raise DataError(f"{self.path} does not hold the weights of an EdgeNeXt of the paper's blocks.") from error
        model = build(candidate, num_classes=self.num_classes or 1)
        if differences := self.differences(model):
            raise DataError(f"{self.path} does not hold the weights of an EdgeNeXt: {listed(differences)}.")
        self.fill(model)
        return candidate, model.eval()


def repository_name(name: str) -> str:
    """What the EdgeNeXt repository calls a parameter or buffer of timm's network, LayerNorm or BatchNorm."""
    for pattern, replacement in _RENAMINGS:
        name = pattern.sub(replacement, name)
    return name


def listed(differences: list[str], most: int = 4) -> str:
    """The first of some differences, and how many there are beside."""
    more = len(differences) - most
    return "; ".join(differences[:most]) + (f"; and {more} more" if more > 0 else "")


def read_checkpoint(path: Path, weights: Weights | None = None) -> Checkpoint:
    """The weights in a file, read without running anything that it may hold.

    Args:
        path: A file of ``torch.save`` or, by its ending, ``.safetensors``.
        weights: Which of them; by default the averaged ones where there are any.

    Raises:
        UserError: The file cannot be read, is another than the digest beside it is of, holds no weights or not those,
            several networks, or weights that are not finite.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    _check_digest(path, digest)
    loaded = _read_file(path)
    if not isinstance(loaded, Mapping):
        raise DataError(f"{path} must hold a mapping of names to weights, but holds {type(loaded).__name__}.")
    chosen, averaged = _choose(path, loaded, weights)
    tensors = _tensors(path, chosen.entry, chosen.weights)
    img_size = _trained_size(loaded)
    found = Checkpoint(
        path=path, sha256=digest, entry=chosen.entry, averaged=averaged, weights=tensors, img_size=img_size
    )
    names = loaded.get("classes")
    if isinstance(names, list) and len(names) == found.num_classes and all(isinstance(name, str) for name in names):
        return replace(found, classes=tuple(names))
    return found


def _check_digest(path: Path, digest: str) -> None:
    """Compare with the file of ``sha256sum`` beside a checkpoint, if there is one."""
    beside = path.with_name(f"{path.name}.sha256")
    try:
        wanted = beside.read_text("ascii").partition(" ")[0].strip().lower()
    except (OSError, ValueError):
        return
    if re.fullmatch("[0-9a-f]{64}", wanted) and wanted != digest:
        raise DataError(
            f"{path} is damaged: its digest is not the one in {beside.name}; copy both again, or give another one."
        )


def _read_file(path: Path) -> object:
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
            raise DataError(
                f"{path} must hold nothing but weights and plain values, but needs {unsafe[1]}, and loading that could "
                "run code hidden in the file; if you trust its source, torch.load(..., weights_only=False) it, and "
                "torch.save its state dict alone."
            ) from error
        raise _no_checkpoint(path) from error
    except SafetensorError as error:
        raise DataError(f"{path} is not a safetensors file, or is cut short: {error}.") from error
    except Exception as error:  # a damaged file can break the reader anywhere
        raise _no_checkpoint(path) from error


def _no_checkpoint(path: Path) -> DataError:
    return DataError(f"{path} is not a checkpoint that torch.save wrote, or is cut short; download or copy it again.")


@dataclass(frozen=True, slots=True)
class _Network:
    """A network in a file.

    Attributes:
        kind: Of its weights; None where the file has one kind and does not say which.
        entry: Where it is, for people.
        prefix: What its names begin with there.
        weights: What is there, under its names without the prefix.
    """

    kind: Weights | None
    entry: str
    prefix: str
    weights: Mapping[str, object]


def _choose(path: Path, loaded: Mapping[Any, object], weights: Weights | None) -> tuple[_Network, bool | None]:
    """The network that is wanted, and whether its weights are averaged; None if the file does not say."""
    found = [
        network for kind, entry, content in _entries(path, loaded) for network in _networks(path, kind, entry, content)
    ]
    kinds = {network.kind for network in found}
    wanted = weights or ("ema" if "ema" in kinds else None)
    chosen = [network for network in found if wanted is None or network.kind == wanted]
    if not chosen:
        entries = list(dict.fromkeys(network.entry for network in found))
        has = "is a bare state dict" if entries == [_BARE] else f"has {' and '.join(entries)}"
        raise DataError(f"{path} has no {_KIND[wanted or 'model']} weights: it {has}.")
    if len(same := [network for network in chosen if network.entry == chosen[0].entry]) > 1:
        students = [network for network in same if _STUDENT.fullmatch(network.prefix)]
        if len(students) != 1:
            names = ", ".join(f"{network.prefix}{_STEMS[0]}" for network in same)
            raise DataError(f"{path} must hold one network, but its {same[0].entry} has {names}; save one alone.")
        chosen = students
    averaged = True if wanted == "ema" else False if wanted == "model" or len(kinds) > 1 else None
    return chosen[0], averaged


def _networks(path: Path, kind: Weights | None, entry: str, content: Mapping[Any, object]) -> Iterator[_Network]:
    """The networks in a state dict, each known by its first weight; the whole if there is none.

    What stands beside a network, such as the weights of a loss, is not a part of it.
    """
    names = {_INNER_WRAPPER.sub("", str(name)): value for name, value in content.items()}
    if len(names) < len(content):
        raise DataError(f"{path}: names of its {entry} must differ by more than torch.compile's _orig_mod.")
    prefixes = [name.removesuffix(stem) for name in names for stem in _STEMS if f".{name}".endswith(f".{stem}")]
    averaged = {prefix for prefix in prefixes if _AVERAGED.search(prefix)}
    for prefix in prefixes or [""]:
        others = tuple(other for other in prefixes if other != prefix and other.startswith(prefix))
        own = {
            name.removeprefix(prefix): value
            for name, value in names.items()
            if name.startswith(prefix) and not name.startswith(others)
        }
        inner: Weights | None = None
        if averaged and kind != "ema":
            inner = "ema" if prefix in averaged else "model"
        yield _Network(inner or kind, entry, prefix, own)


def _entries(
    path: Path, loaded: Mapping[Any, object], *, within: str = "", depth: int = 0
) -> list[tuple[Weights | None, str, Mapping[Any, object]]]:
    """Kind, name and content of each entry that holds weights, the averaged ones first; the file itself if none does.

    Raises:
        DataError: Entries have the names of weights, but none is a state dict.
    """
    present = [(kind, key) for kind in WEIGHTS for key in _KEYS[kind] if loaded.get(key) is not None]
    if depth == _MOST_NESTED or not present:
        return [(None, within or _BARE, loaded)]
    found: list[tuple[Weights | None, str, Mapping[Any, object]]] = []
    for kind, key in present:
        content = loaded[key]
        if isinstance(content, Mapping):
            inner = _entries(path, content, within=f"{within}.{key}".lstrip("."), depth=depth + 1)
            found += [(kind if kind == "ema" else below or kind, name, part) for below, name, part in inner]
    if not found:
        key = present[0][1]
        raise DataError(f"{path}: {key} must be a state dict, but is {type(loaded[key]).__name__}.")
    return found


def _tensors(path: Path, entry: str, state_dict: Mapping[str, object]) -> dict[str, Tensor]:
    import torch

    for name, value in state_dict.items():
        if not isinstance(value, torch.Tensor):
            keys = ", ".join(key for keys in _KEYS.values() for key in keys)
            raise DataError(
                f"{path} must hold a state dict, at its top or under one of {keys}, but {name} of its {entry} is "
                f"{type(value).__name__}."
            )
        if not value.isfinite().all():
            raise DataError(f"{path}: all weights must be finite, but {name} of its {entry} has NaN or infinity.")
    return {name: value for name, value in state_dict.items() if isinstance(value, torch.Tensor)}


def _trained_size(loaded: Mapping[Any, object]) -> int | None:
    """The image size that a checkpoint of this package or of the repository says, in pixels."""
    size = loaded.get("img_size", getattr(loaded.get("args"), "input_size", None))
    return size if isinstance(size, int) and size >= STRIDE else None


def _candidate_of(shapes: Mapping[str, tuple[int, ...]]) -> Candidate:
    """The only candidate that may have weights of these shapes.

    Raises:
        LookupError, ValueError, ArithmeticError, StopIteration, UserError: There is none.
    """
    stages: list[dict[int, dict[str, tuple[int, ...]]]] = [{} for _ in range(STAGES)]
    for name, shape in shapes.items():
        if block := _BLOCK.fullmatch(name):
            stages[int(block[1])].setdefault(int(block[2]), {})[block[3]] = shape
    rows = [[blocks[index] for index in sorted(blocks)] for blocks in stages]
    convs = [[block for block in row if "gamma_xca" not in block] for row in rows]
    sdtas = [[block for block in row if "gamma_xca" in block] for row in rows]
    first = rows[0][0]
    hidden, width = next(first[name] for name in ("mlp.fc1.weight", "pwconv1.weight") if name in first)
    return Candidate.from_dict(
        {
            "widths": tuple(row[0]["gamma"][0] for row in rows),
            "depths": tuple(map(len, rows)),
            "kernel_sizes": tuple(_kernel_size(row[0]) if row else UNUSED_KERNEL_SIZE for row in convs),
            "sdta_splits": tuple(_splits(row[0]) if row else UNUSED_SPLITS for row in sdtas),
            "sdta_blocks": tuple(map(len, sdtas)),
            "heads": tuple(row[0]["xca.temperature"][0] if row else UNUSED_HEADS for row in sdtas),
            "expand_ratio": hidden // width,
            "pos_emb": tuple(any("pos_embd.token_projection.weight" in block for block in row) for row in sdtas),
            "norm_act": "bn_hs" if "norm.running_mean" in first else "ln_gelu",
        }
    )


def _kernel_size(block: Mapping[str, tuple[int, ...]]) -> int:
    return next(block[name] for name in ("conv_dw.weight", "dwconv.weight") if name in block)[-1]


def _splits(block: Mapping[str, tuple[int, ...]]) -> int:
    return 1 + sum(re.fullmatch(r"convs\.\d+\.weight", name) is not None for name in block)


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"
