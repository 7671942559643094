"""What a candidate costs when it ships: parameters, multiply-adds, activations and memory in closed form, no tensors.

Each ``*_counts`` function stands for one layer group of EdgeNeXt (arXiv 2206.10589, section 3; timm's
``timm.models.edgenext``) and returns its parameters, multiply-adds of one image and output elements.

Multiply-adds follow the published convention: what fvcore counts on timm's graph, less the channel-first
LayerNorm of stem and downsampling layers, less the global pool; for the BatchNorm networks it is fvcore's whole count,
with every BatchNorm. So each convolution, linear layer and attention
product counts its multiply-adds without biases, and each LayerNorm of a block or of the head counts 5 an element.
Activations are the output elements of all convolutions and linear layers (Radosavovic et al., "Designing Network
Design Spaces", arXiv 2003.13678, section 3.3).
Memory is the peak of the activations of one image: operators run one at a time in the network's order, as device
runtimes run them; an operator's inputs and output exist at the same time; a tensor is freed after the last operator
that reads it. No operator works in place, needs scratch space or is fused with another. The positional encoding, a
constant of the input size, counts as weights, and the image is the caller's. MCUNet (arXiv 2007.10319, section 3)
counts peak SRAM in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Protocol

from edgenext_search.arch.blocks import IN_CHANNELS, PATCH, Block, BlockMemo, Layout, walk
from edgenext_search.errors import UserError

BYTES_PER_ELEMENT = 4  # float32
LARGEST_SIZE = 65_536  # pixels of an image's side; one image has 50 GB as floats
MOST_CLASSES = 10_000_000
STRIDE = 32  # input pixels to one pixel of the last stage, along one axis
FOURIER_CHANNELS = 64  # sine and cosine features of the positional encoding: 32 for each axis
LAYER_NORM_MADDS = 5  # fvcore's estimate for an affine LayerNorm, an element
BATCH_NORM_MADDS = 2  # fvcore's count for an affine BatchNorm at inference, an element

Counts = tuple[int, int, int]


class LatencyModel(Protocol):
    """Predicts the time that a network takes on a device; :mod:`edgenext_search.latency.profile.predictor` is one."""

    def microseconds(self, layout: Layout) -> float:
        """Predicted time of one image in the deployment that the model is of; never less for a wider network."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Where the network will run: all that a cost depends on beside the candidate.

    Attributes:
        num_classes: Outputs of the classifier, at most :data:`MOST_CLASSES`.
        img_size: Height and width of the square input, in pixels, from 32 to :data:`LARGEST_SIZE`.
        latency_model: Predicts the latency in this deployment, on a device; None where latency is not asked for.

    Raises:
        UserError: A value is out of range.
    """

    num_classes: int = 1000
    img_size: int = 256
    latency_model: LatencyModel | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.num_classes < 1:
            raise UserError(f"num_classes must be >= 1, but got {self.num_classes}.")
        if self.img_size < STRIDE:
            raise UserError(f"img_size must be >= {STRIDE} (EdgeNeXt's stride), but got {self.img_size}.")
        for name, value, most in (
            ("num_classes", self.num_classes, MOST_CLASSES),
            ("img_size", self.img_size, LARGEST_SIZE),
        ):
            if value > most:
                raise UserError(f"{name} must be at most {most:,}, but got {value}.")

    def __str__(self) -> str:
        return f"{self.num_classes} classes, {self.img_size}x{self.img_size} px"

    def to_dict(self) -> dict[str, int]:
        """``num_classes`` and ``img_size``."""
        return {"num_classes": self.num_classes, "img_size": self.img_size}


PUBLISHED = Deployment()
"""1000 classes at 256 px, as the paper counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Exact costs of one deployment.

    Attributes:
        params: All parameters.
        madds: Multiply-adds of one image, in the published convention (see the module's docstring).
        acts: Output elements of all convolutions and linear layers for one image.
        memory: Peak bytes of the activations of one image, in float32.
        latency: Predicted microseconds of one image on the deployment's device; None without a latency model.
    """

    params: int
    madds: int
    acts: int
    memory: int
    latency: int | None = None

    @property
    def footprint(self) -> int:
        """Bytes of the weights and of the activations at their peak, in float32."""
        return BYTES_PER_ELEMENT * self.params + self.memory

    def to_dict(self) -> dict[str, int]:
        """All costs by name that are known, the footprint among them; :meth:`from_dict` reads it back."""
        latency = {} if self.latency is None else {"latency": self.latency}
        return {
            "params": self.params,
            "madds": self.madds,
            "acts": self.acts,
            "memory": self.memory,
            "footprint": self.footprint,
            **latency,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, int]) -> Cost:
        """Read what :meth:`to_dict` wrote."""
        return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})


def cost(layout: Layout, deployment: Deployment = PUBLISHED) -> Cost:
    """The costs of a network in a deployment: sums over its blocks.

    Args:
        layout: The network, such as a candidate.
        deployment: Its number of classes and input size; that of the published figures unless told otherwise.

    Returns:
        Exact counts, equal to fvcore's in the published convention; the memory is that of a stated model.
    """
    params = madds = acts = alive = 0
    for block, n in walk(layout, deployment):
        p, m, a, peak = _COUNTED[block]
        params += n * p
        madds += n * m
        acts += n * a
        alive = max(alive, peak)
    model = deployment.latency_model
    latency = None if model is None else math.ceil(model.microseconds(layout))
    return Cost(params=params, madds=madds, acts=acts, memory=BYTES_PER_ELEMENT * alive, latency=latency)


def block_counts(block: Block) -> tuple[int, int, int, int]:
    """Parameters, multiply-adds and activations of one block, and the elements alive at its widest point."""
    kind, width, norm_act = block.kind, block.width, block.norm_act
    batch_norm = norm_act == "bn_hs"
    norm_madds = BATCH_NORM_MADDS if batch_norm else LAYER_NORM_MADDS
    pixels = block.side**2
    if kind == "stem":
        return *stem_counts(width, (block.side // PATCH) ** 2, batch_norm), 0
    if kind == "downsample":
        return *downsample_counts(block.width_in, width, pixels, (block.side // 2) ** 2, batch_norm), 0
    if kind == "head":
        return *head_counts(width, block.num_classes, pixels, batch_norm), 0
    if kind == "conv":
        p, m, a = depthwise_counts(width, block.kernel_size, pixels, batch_norm)
    else:
        p, m, a = attention_counts(width, block.sdta_splits, block.heads, block.pos_emb, pixels, norm_madds)
    params, madds, acts = bottleneck_counts(width, block.expand_ratio, pixels, norm_madds)
    return params + p, madds + m, acts + a, block_peak(width, pixels, block.expand_ratio, block.heads)


def stem_counts(width: int, pixels: int, batch_norm: bool) -> Counts:
    """A 4x4 convolution of stride 4, then a norm; the convolution has a bias unless the norm is a BatchNorm."""
    weights = PATCH * PATCH * IN_CHANNELS * width
    if batch_norm:
        return weights + 2 * width, (weights + BATCH_NORM_MADDS * width) * pixels, width * pixels
    return weights + width + 2 * width, weights * pixels, width * pixels


def downsample_counts(width_in: int, width: int, pixels_in: int, pixels: int, batch_norm: bool) -> Counts:
    """A norm of the input, then a 2x2 convolution of stride 2; biased unless the norm is a BatchNorm."""
    weights = 4 * width_in * width
    if batch_norm:
        norm = BATCH_NORM_MADDS * width_in * pixels_in
        return 2 * width_in + weights, norm + weights * pixels, width * pixels
    return 2 * width_in + weights + width, weights * pixels, width * pixels


def bottleneck_counts(width: int, expand_ratio: int, pixels: int, norm_madds: int) -> Counts:
    """Norm, linear layer to ``expand_ratio * width`` channels, activation, linear layer back, layer scale."""
    hidden = expand_ratio * width
    weights = 2 * width * hidden
    params = 2 * width + weights + hidden + width + width
    return params, (norm_madds * width + weights) * pixels, (hidden + width) * pixels


def depthwise_counts(width: int, kernel_size: int, pixels: int, batch_norm: bool) -> Counts:
    """What a convolutional block has before its bottleneck: a depthwise convolution, biased with LayerNorm."""
    weights = kernel_size * kernel_size * width
    return weights + (0 if batch_norm else width), weights * pixels, width * pixels


def attention_counts(width: int, splits: int, heads: int, pos_emb: bool, pixels: int, norm_madds: int) -> Counts:
    """What an SDTA block has before its bottleneck: split 3x3 depthwise convolutions and XCA.

    Cross-covariance attention (XCA): norm, linear layer to query, key and value, a temperature for each head, two
    products of ``heads`` matrices of ``width / heads`` squared by ``pixels``, linear layer, layer scale.
    """
    group = -(-width // splits)
    split_channels = (splits - 1) * group
    square = width * width
    params = (9 + 1) * split_channels + 2 * width + 3 * (square + width) + heads + square + width + width
    madds = (9 * split_channels + norm_madds * width + 4 * square + 2 * square // heads) * pixels
    acts = (split_channels + 4 * width) * pixels
    if pos_emb:
        params += (FOURIER_CHANNELS + 1) * width
        madds += FOURIER_CHANNELS * width * pixels
        acts += width * pixels
    return params, madds, acts


def head_counts(width: int, num_classes: int, pixels: int, batch_norm: bool) -> Counts:
    """Global average pool, norm, linear classifier; a BatchNorm comes before the pool, on the whole feature map."""
    norm = BATCH_NORM_MADDS * width * pixels if batch_norm else LAYER_NORM_MADDS * width
    return 2 * width + (width + 1) * num_classes, norm + width * num_classes, num_classes


def block_peak(width: int, pixels: int, expand_ratio: int, sdta_heads: int) -> int:
    """Elements alive at the widest point of a block on ``u = width * pixels`` elements.

    Either the activation of the inverted bottleneck: the block's input, kept for its residual, and the hidden map
    before and after the activation; or the product of query and key in an SDTA block: the block's input, the base of
    the attention's residual, query, key and value (3u), the normalised query and key, and the product itself, for each
    head a square of ``width / heads``. Stem, downsampling layers and head hold no more than a block of the stage
    at their larger side.

    Args:
        width: Channels.
        pixels: Height times width of the feature map.
        expand_ratio: Hidden width of the inverted bottleneck, as a multiple of the width.
        sdta_heads: Attention heads of an SDTA block; 0 for a convolutional block.
    """
    bottleneck = (1 + 2 * expand_ratio) * width * pixels
    if not sdta_heads:
        return bottleneck
    return max(bottleneck, 7 * width * pixels + width * width // sdta_heads)


_COUNTED = BlockMemo(block_counts)
