"""A candidate taken apart: stem, downsampling layers, convolutional and SDTA blocks, head, with how many of each.

Costs and times of a network are sums over its blocks, so a block has everything that they depend on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from edgenext_search.arch.candidate import STAGES, Candidate, NormAct
from edgenext_search.arch.cost import (
    BATCH_NORM_MADDS,
    IN_CHANNELS,
    LAYER_NORM_MADDS,
    PATCH,
    Counts,
    Deployment,
    attention_counts,
    bottleneck_counts,
    depthwise_counts,
    downsample_counts,
    head_counts,
    stem_counts,
)

Kind = Literal["stem", "downsample", "conv", "sdta", "head"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block of a network; fields that its kind does not have are 0 or False.

    Attributes:
        kind: ``stem``, ``downsample`` (between two stages), ``conv`` (a convolutional block), ``sdta``, ``head``.
        stage: The stage that it belongs to, from 1; a downsampling layer begins its stage.
        side: Height and width of its input, in pixels.
        width_in: Channels of its input: 3 for the stem, ``width`` for blocks.
        width: Channels of its output; for the head those of its input.
        norm_act: As in a candidate.
        kernel_size: Of a convolutional block.
        sdta_splits: Of an SDTA block, as are ``heads`` and ``pos_emb``.
        heads: Attention heads.
        pos_emb: Whether a positional encoding is added.
        expand_ratio: Of a convolutional or SDTA block.
        num_classes: Of the head.
    """

    kind: Kind
    stage: int
    side: int
    width_in: int
    width: int
    norm_act: NormAct = "ln_gelu"
    kernel_size: int = 0
    sdta_splits: int = 0
    heads: int = 0
    pos_emb: bool = False
    expand_ratio: int = 0
    num_classes: int = 0

    @property
    def counts(self) -> Counts:
        """Parameters, multiply-adds and activations, as in :mod:`edgenext_search.arch.cost`."""
        batch_norm = self.norm_act == "bn_hs"
        norm_madds = BATCH_NORM_MADDS if batch_norm else LAYER_NORM_MADDS
        pixels = self.side**2
        if self.kind == "stem":
            return stem_counts(self.width, (self.side // PATCH) ** 2, batch_norm)
        if self.kind == "downsample":
            return downsample_counts(self.width_in, self.width, pixels, (self.side // 2) ** 2, batch_norm)
        if self.kind == "head":
            return head_counts(self.width, self.num_classes, pixels, batch_norm)
        if self.kind == "conv":
            own = depthwise_counts(self.width, self.kernel_size, pixels, batch_norm)
        else:
            own = attention_counts(self.width, self.sdta_splits, self.heads, self.pos_emb, pixels, norm_madds)
        shared = bottleneck_counts(self.width, self.expand_ratio, pixels, norm_madds)
        return own[0] + shared[0], own[1] + shared[1], own[2] + shared[2]

    def to_dict(self) -> dict[str, Any]:
        """All fields by name; :meth:`from_dict` reads them back."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Block:
        """Read what :meth:`to_dict` wrote."""
        return cls(**values)


def blocks_of(candidate: Candidate, deployment: Deployment) -> dict[Block, int]:
    """The blocks of a network in their order, with how many of each there are.

    Those of one stage are what a device runs between two changes of resolution: the stem belongs to the first stage, a
    downsampling layer to the stage that it begins, the head to the last.

    Args:
        candidate: The network.
        deployment: Its number of classes and input size.
    """
    norm_act, expand_ratio = candidate.norm_act, candidate.expand_ratio
    width_in, side = candidate.widths[0], deployment.img_size // PATCH
    stem = Block(
        kind="stem", stage=1, side=deployment.img_size, width_in=IN_CHANNELS, width=width_in, norm_act=norm_act
    )
    found = {stem: 1}
    for index, width in enumerate(candidate.widths):
        stage = index + 1
        if index:
            down = Block(kind="downsample", stage=stage, side=side, width_in=width_in, width=width, norm_act=norm_act)
            found[down] = 1
            side //= 2
        sdta = candidate.sdta_blocks[index]
        if conv := candidate.depths[index] - sdta:
            block = Block(
                kind="conv",
                stage=stage,
                side=side,
                width_in=width,
                width=width,
                norm_act=norm_act,
                kernel_size=candidate.kernel_sizes[index],
                expand_ratio=expand_ratio,
            )
            found[block] = conv
        if sdta:
            block = Block(
                kind="sdta",
                stage=stage,
                side=side,
                width_in=width,
                width=width,
                norm_act=norm_act,
                sdta_splits=candidate.sdta_splits[index],
                heads=candidate.heads[index],
                pos_emb=candidate.pos_emb[index],
                expand_ratio=expand_ratio,
            )
            found[block] = sdta
        width_in = width
    head = Block(
        kind="head",
        stage=STAGES,
        side=side,
        width_in=width_in,
        width=width_in,
        norm_act=norm_act,
        num_classes=deployment.num_classes,
    )
    return {**found, head: 1}
