"""What an architecture is: four stages, each a row of convolutional blocks that ends in SDTA blocks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self, get_args

from edgenext_search.errors import UserError

NormAct = Literal["ln_gelu", "bn_hs"]
NORM_ACTS: tuple[NormAct, ...] = get_args(NormAct)

STAGES = 4
WIDTH_MULTIPLE = 8  # of all widths, unless a space says otherwise: what kernels of most devices are made for

# What an unused field of a stage is set to, so that settings that build the same network compare equal.
UNUSED_KERNEL_SIZE = 3
UNUSED_SPLITS = 2
UNUSED_HEADS = 4

_PER_STAGE = ("widths", "depths", "kernel_sizes", "sdta_splits", "sdta_blocks", "heads", "pos_emb")


def splits_fit(width: int, splits: int) -> bool:
    """Whether ``splits`` channel groups of an SDTA block all get channels.

    The block cuts ``width`` channels into groups of ``ceil(width / splits)`` (EdgeNeXt, section 3.2); the last
    group takes the rest, which has to be at least one channel. Otherwise both the paper's code and timm crash.
    """
    return splits >= 2 and -(-width // splits) * (splits - 1) < width


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One EdgeNeXt network, without its number of classes and input size (those are the deployment's).

    Frozen, hashable, legal and canonical: fields that no block of a stage uses are set to fixed values, so two
    candidates compare equal exactly when they build the same network. Every per-stage field has four items.

    Attributes:
        widths: Channels of each stage.
        depths: Blocks of each stage, at least 1.
        kernel_sizes: Odd kernel size of each stage's depthwise convolutions.
        sdta_splits: Channel groups of each stage's SDTA blocks, at least 2.
        sdta_blocks: How many of a stage's blocks, counted from its end, are SDTA blocks.
        heads: Attention heads of each stage's SDTA blocks; they divide the stage's width.
        expand_ratio: Hidden width of every inverted bottleneck, as a multiple of its block's width.
        pos_emb: Whether the SDTA blocks of a stage add a Fourier positional encoding.
        norm_act: ``ln_gelu``: LayerNorm and GELU, the paper's main networks; ``bn_hs``: BatchNorm and HardSwish, faster
            on many devices.

    Raises:
        UserError: A field has the wrong type, length or range, or a stage is not legal.
    """

    widths: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    kernel_sizes: tuple[int, int, int, int]
    sdta_splits: tuple[int, int, int, int]
    sdta_blocks: tuple[int, int, int, int]
    heads: tuple[int, int, int, int]
    expand_ratio: int = 4
    pos_emb: tuple[bool, bool, bool, bool] = (False, True, False, False)
    norm_act: NormAct = "ln_gelu"

    def __post_init__(self) -> None:
        for name in _PER_STAGE:
            object.__setattr__(self, name, _four(name, getattr(self, name)))
        _check_int("expand_ratio", self.expand_ratio, minimum=1)
        if self.norm_act not in NORM_ACTS:
            raise UserError(f"norm_act must be one of {', '.join(NORM_ACTS)}, but got {self.norm_act!r}.")
        for stage in range(STAGES):
            self._check_stage(stage)
        self._make_canonical()

    def _check_stage(self, stage: int) -> None:
        width, depth = self.widths[stage], self.depths[stage]
        sdta, heads, splits = self.sdta_blocks[stage], self.heads[stage], self.sdta_splits[stage]
        where = f"stage {stage + 1}"
        _check_int(f"widths ({where})", width, minimum=1)
        _check_int(f"depths ({where})", depth, minimum=1)
        _check_int(f"sdta_blocks ({where})", sdta, minimum=0)
        if sdta > depth:
            raise UserError(f"sdta_blocks must be <= depths, but {where} has {sdta} of {depth} blocks.")
        if sdta < depth:
            kernel = self.kernel_sizes[stage]
            _check_int(f"kernel_sizes ({where})", kernel, minimum=1)
            if kernel % 2 == 0:
                raise UserError(f"kernel_sizes must be odd, but {where} has {kernel}.")
        if sdta:
            _check_int(f"heads ({where})", heads, minimum=1)
            _check_int(f"sdta_splits ({where})", splits, minimum=2)
            if width % heads:
                raise UserError(f"heads must divide the width, but {where} has width {width}, heads {heads}.")
            if not splits_fit(width, splits):
                raise UserError(
                    "ceil(width / splits) * (splits - 1) must be < width, so that the last channel group is not "
                    f"empty, but {where} has width {width} and {splits} splits; take fewer splits or more width."
                )

    def _make_canonical(self) -> None:
        uses_conv = [sdta < depth for sdta, depth in zip(self.sdta_blocks, self.depths, strict=True)]
        uses_sdta = [sdta > 0 for sdta in self.sdta_blocks]
        for name, used, unused in (
            ("kernel_sizes", uses_conv, UNUSED_KERNEL_SIZE),
            ("sdta_splits", uses_sdta, UNUSED_SPLITS),
            ("heads", uses_sdta, UNUSED_HEADS),
            ("pos_emb", uses_sdta, False),
        ):
            values = getattr(self, name)
            object.__setattr__(self, name, tuple(v if u else unused for v, u in zip(values, used, strict=True)))

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that name this network, the same on every machine and in every release."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, numbers and strings, for JSON and YAML; :meth:`from_dict` reads it back."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` wrote.

        Raises:
            UserError: A key is unknown or missing, or the values do not make a legal candidate.
        """
        names = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - names)
        if unknown:
            raise UserError(f"A candidate has no key {unknown[0]!r}; its keys are {', '.join(sorted(names))}.")
        required = names - {"expand_ratio", "pos_emb", "norm_act"}
        missing = sorted(required - set(values))
        if missing:
            raise UserError(f"A candidate needs the key {missing[0]!r}, but got {', '.join(sorted(values)) or 'none'}.")
        return cls(**values)


def _four(name: str, values: object) -> tuple[Any, ...]:
    if not isinstance(values, (tuple, list)) or len(values) != STAGES:
        raise UserError(f"{name} must have one item for each of the {STAGES} stages, but got {values!r}.")
    wanted = bool if name == "pos_emb" else int
    if any(type(value) is not wanted for value in values):
        kind = "true or false" if wanted is bool else "whole numbers"
        raise UserError(f"{name} must be {kind}, but got {values!r}.")
    return tuple(values)


def _check_int(name: str, value: object, *, minimum: int) -> None:
    if type(value) is not int:
        raise UserError(f"{name} must be a whole number, but got {value!r}.")
    if value < minimum:
        raise UserError(f"{name} must be >= {minimum}, but got {value}.")
