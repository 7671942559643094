"""What a candidate costs when it ships: parameters, multiply-adds, activations and memory in closed form, no tensors.

Each ``*_counts`` function stands for one layer group of EdgeNeXt (arXiv 2206.10589, section 3; timm's
``timm.models.edgenext``) and returns its parameters, multiply-adds of one image and output elements.

Multiply-adds follow the published convention: what fvcore counts on timm's graph, less the channel-first
LayerNorm of stem and downsampling layers, less the global pool; for the BatchNorm networks it is fvcore's whole count,
with every BatchNorm. So each convolution, linear layer and attention
product counts its multiply-adds without biases, and each LayerNorm of a block or of the head counts 5 an element.
Activations are the output elements of all convolutions and linear layers (Radosavovic et al., "Designing Network
Design Spaces", arXiv 2003.13678, section 3.3). :mod:`edgenext_search.arch.memory` says what memory means.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Protocol

from edgenext_search.arch.candidate import Candidate, NormAct
from edgenext_search.arch.memory import BYTES_PER_ELEMENT, block_peak
from edgenext_search.errors import UserError

IN_CHANNELS = 3
PATCH = 4  # kernel size and stride of the stem
STRIDE = 32  # input pixels to one pixel of the last stage, along one axis
FOURIER_CHANNELS = 64  # sine and cosine features of the positional encoding: 32 for each axis
LAYER_NORM_MADDS = 5  # fvcore's estimate for an affine LayerNorm, an element
BATCH_NORM_MADDS = 2  # fvcore's count for an affine BatchNorm at inference, an element

Counts = tuple[int, int, int]


class LatencyModel(Protocol):
    """Predicts the time that a network takes on a device; :mod:`edgenext_search.latency.profile.predictor` is one."""

    def microseconds(
        self,
        widths: Sequence[int],
        depths: Sequence[int],
        kernel_sizes: Sequence[int],
        sdta_splits: Sequence[int],
        sdta_blocks: Sequence[int],
        heads: Sequence[int],
        pos_emb: Sequence[bool],
        expand_ratio: int,
        norm_act: NormAct,
    ) -> float:
        """Predicted time of one image in the deployment that the model is of; never less for a wider network."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Where the network will run: all that a cost depends on beside the candidate.

    Attributes:
        num_classes: Outputs of the classifier.
        img_size: Height and width of the square input, in pixels; at least 32.
        latency_model: Predicts the latency in this deployment, on a device; None where latency is not asked for.

    Raises:
        UserError: A value is too small.
    """

    num_classes: int = 1000
    img_size: int = 256
    latency_model: LatencyModel | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.num_classes < 1:
            raise UserError(f"num_classes must be >= 1, but got {self.num_classes}.")
        if self.img_size < STRIDE:
            raise UserError(f"img_size must be >= {STRIDE} (EdgeNeXt's stride), but got {self.img_size}.")

    def __str__(self) -> str:
        return f"{self.num_classes} classes, {self.img_size}x{self.img_size} px"

    def to_dict(self) -> dict[str, int]:
        """``num_classes`` and ``img_size``."""
        return {"num_classes": self.num_classes, "img_size": self.img_size}


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
        return cls(**{known.name: values[known.name] for known in fields(cls) if known.name in values})


def cost(candidate: Candidate, deployment: Deployment) -> Cost:
    """The costs of a candidate in a deployment.

    Args:
        candidate: The network.
        deployment: Its number of classes and input size.

    Returns:
        Exact counts, equal to fvcore's in the published convention; the memory is that of a stated model.
    """
    return cost_of(
        candidate.widths,
        candidate.depths,
        candidate.kernel_sizes,
        candidate.sdta_splits,
        candidate.sdta_blocks,
        candidate.heads,
        candidate.pos_emb,
        candidate.expand_ratio,
        candidate.norm_act,
        deployment,
    )


def cost_of(
    widths: Sequence[int],
    depths: Sequence[int],
    kernel_sizes: Sequence[int],
    sdta_splits: Sequence[int],
    sdta_blocks: Sequence[int],
    heads: Sequence[int],
    pos_emb: Sequence[bool],
    expand_ratio: int,
    norm_act: NormAct,
    deployment: Deployment,
) -> Cost:
    """:func:`cost` on bare fields: what the projection calls many times while it looks for widths."""
    parts = (widths, depths, kernel_sizes, sdta_splits, sdta_blocks, heads, pos_emb, expand_ratio, norm_act)
    params, madds, acts, memory = count(*parts, deployment)
    model = deployment.latency_model
    latency = None if model is None else math.ceil(model.microseconds(*parts))
    return Cost(params=params, madds=madds, acts=acts, memory=memory, latency=latency)


def count(
    widths: Sequence[int],
    depths: Sequence[int],
    kernel_sizes: Sequence[int],
    sdta_splits: Sequence[int],
    sdta_blocks: Sequence[int],
    heads: Sequence[int],
    pos_emb: Sequence[bool],
    expand_ratio: int,
    norm_act: NormAct,
    deployment: Deployment,
) -> tuple[int, int, int, int]:
    """What is counted of a network, on bare fields.

    Returns:
        Parameters, multiply-adds, activations and memory.
    """
    batch_norm = norm_act == "bn_hs"
    norm_madds = BATCH_NORM_MADDS if batch_norm else LAYER_NORM_MADDS
    side = deployment.img_size // PATCH
    pixels = side * side
    width_in = widths[0]
    params, madds, acts = stem_counts(width_in, pixels, batch_norm)
    alive = 0
    for stage, width in enumerate(widths):
        if stage:
            side //= 2
            p, m, a = downsample_counts(width_in, width, pixels, side * side, batch_norm)
            params, madds, acts = params + p, madds + m, acts + a
            pixels = side * side
        sdta = sdta_blocks[stage]
        shared = bottleneck_counts(width, expand_ratio, pixels, norm_madds)
        if conv_blocks := depths[stage] - sdta:
            p, m, a = depthwise_counts(width, kernel_sizes[stage], pixels, batch_norm)
            params += conv_blocks * (shared[0] + p)
            madds += conv_blocks * (shared[1] + m)
            acts += conv_blocks * (shared[2] + a)
        if sdta:
            p, m, a = attention_counts(width, sdta_splits[stage], heads[stage], pos_emb[stage], pixels, norm_madds)
            params += sdta * (shared[0] + p)
            madds += sdta * (shared[1] + m)
            acts += sdta * (shared[2] + a)
        alive = max(alive, block_peak(width, pixels, expand_ratio, heads[stage] if sdta else 0))
        width_in = width
    p, m, a = head_counts(width_in, deployment.num_classes, pixels, batch_norm)
    return params + p, madds + m, acts + a, BYTES_PER_ELEMENT * alive


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
