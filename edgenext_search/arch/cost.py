"""What a candidate costs when it ships: parameters, multiply-adds and activations in closed form, no tensors.

Each ``_*_counts`` function stands for one layer group of EdgeNeXt (arXiv 2206.10589, section 3; timm's
``timm.models.edgenext``) and returns its parameters, multiply-adds of one image and output elements.

Multiply-adds follow the published convention: what fvcore counts on timm's graph, less the channel-first
LayerNorm of stem and downsampling layers, less the global pool. So each convolution, linear layer and attention
product counts its multiply-adds without biases, and each LayerNorm of a block or of the head counts 5 an element.
Activations are the output elements of all convolutions and linear layers (Radosavovic et al., "Designing Network
Design Spaces", arXiv 2003.13678, section 3.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgenext_search.arch.candidate import Candidate
from edgenext_search.errors import UserError

IN_CHANNELS = 3
PATCH = 4  # kernel size and stride of the stem
STRIDE = 32  # input pixels to one pixel of the last stage, along one axis
FOURIER_CHANNELS = 64  # sine and cosine features of the positional encoding: 32 for each axis
NORM_MADDS = 5  # fvcore's estimate for an affine LayerNorm, an element

Counts = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Where the network will run: all that a cost depends on beside the candidate.

    Attributes:
        num_classes: Outputs of the classifier.
        img_size: Height and width of the square input, in pixels; at least 32.

    Raises:
        UserError: A value is too small.
    """

    num_classes: int = 1000
    img_size: int = 256

    def __post_init__(self) -> None:
        if self.num_classes < 1:
            raise UserError(f"num_classes must be >= 1, but got {self.num_classes}.")
        if self.img_size < STRIDE:
            raise UserError(f"img_size must be >= {STRIDE} (EdgeNeXt's stride), but got {self.img_size}.")

    def __str__(self) -> str:
        return f"{self.num_classes} classes, {self.img_size}x{self.img_size} px"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Exact costs of one deployment.

    Attributes:
        params: All parameters.
        madds: Multiply-adds of one image, in the published convention (see the module's docstring).
        acts: Output elements of all convolutions and linear layers for one image.
    """

    params: int
    madds: int
    acts: int

    def to_dict(self) -> dict[str, int]:
        """The three counts by name."""
        return {"params": self.params, "madds": self.madds, "acts": self.acts}


def cost(candidate: Candidate, deployment: Deployment) -> Cost:
    """The costs of a candidate in a deployment.

    Args:
        candidate: The network.
        deployment: Its number of classes and input size.

    Returns:
        Exact counts, equal to fvcore's in the published convention.
    """
    params, madds, acts = count(
        candidate.widths,
        candidate.depths,
        candidate.kernel_sizes,
        candidate.sdta_splits,
        candidate.sdta_blocks,
        candidate.heads,
        candidate.pos_emb,
        candidate.expand_ratio,
        deployment,
    )
    return Cost(params=params, madds=madds, acts=acts)


def count(
    widths: Sequence[int],
    depths: Sequence[int],
    kernel_sizes: Sequence[int],
    sdta_splits: Sequence[int],
    sdta_blocks: Sequence[int],
    heads: Sequence[int],
    pos_emb: Sequence[bool],
    expand_ratio: int,
    deployment: Deployment,
) -> Counts:
    """:func:`cost` on bare fields: what the projection calls many times while it looks for widths.

    Returns:
        Parameters, multiply-adds and activations.
    """
    side = deployment.img_size // PATCH
    width_in = widths[0]
    params, madds, acts = _stem_counts(width_in, side * side)
    for stage, width in enumerate(widths):
        if stage:
            side //= 2
            p, m, a = _downsample_counts(width_in, width, side * side)
            params, madds, acts = params + p, madds + m, acts + a
        pixels, sdta = side * side, sdta_blocks[stage]
        if conv_blocks := depths[stage] - sdta:
            p, m, a = _conv_block_counts(width, kernel_sizes[stage], expand_ratio, pixels)
            params, madds, acts = params + conv_blocks * p, madds + conv_blocks * m, acts + conv_blocks * a
        if sdta:
            p, m, a = _sdta_block_counts(width, sdta_splits[stage], heads[stage], expand_ratio, pos_emb[stage], pixels)
            params, madds, acts = params + sdta * p, madds + sdta * m, acts + sdta * a
        width_in = width
    p, m, a = _head_counts(width_in, deployment.num_classes)
    return params + p, madds + m, acts + a


def _stem_counts(width: int, pixels: int) -> Counts:
    """A 4x4 convolution of stride 4 with bias, then a LayerNorm."""
    weights = PATCH * PATCH * IN_CHANNELS * width
    return weights + width + 2 * width, weights * pixels, width * pixels


def _downsample_counts(width_in: int, width: int, pixels: int) -> Counts:
    """A LayerNorm of the input, then a 2x2 convolution of stride 2 with bias."""
    weights = 4 * width_in * width
    return 2 * width_in + weights + width, weights * pixels, width * pixels


def _bottleneck_counts(width: int, expand_ratio: int, pixels: int) -> Counts:
    """LayerNorm, linear layer to ``expand_ratio * width`` channels, GELU, linear layer back, layer scale."""
    hidden = expand_ratio * width
    weights = 2 * width * hidden
    params = 2 * width + weights + hidden + width + width
    return params, (NORM_MADDS * width + weights) * pixels, (hidden + width) * pixels


def _conv_block_counts(width: int, kernel_size: int, expand_ratio: int, pixels: int) -> Counts:
    """A depthwise convolution with bias, then the inverted bottleneck."""
    weights = kernel_size * kernel_size * width
    params, madds, acts = _bottleneck_counts(width, expand_ratio, pixels)
    return params + weights + width, madds + weights * pixels, acts + width * pixels


def _sdta_block_counts(width: int, splits: int, heads: int, expand_ratio: int, pos_emb: bool, pixels: int) -> Counts:
    """Split 3x3 depthwise convolutions, cross-covariance attention (XCA), then the inverted bottleneck.

    XCA: LayerNorm, linear layer to query, key and value, a temperature for each head, two products of
    ``heads`` matrices of ``width / heads`` squared by ``pixels``, linear layer, layer scale.
    """
    group = -(-width // splits)
    split_channels = (splits - 1) * group
    params, madds, acts = _bottleneck_counts(width, expand_ratio, pixels)
    params += (9 + 1) * split_channels
    madds += 9 * split_channels * pixels
    acts += split_channels * pixels
    if pos_emb:
        params += (FOURIER_CHANNELS + 1) * width
        madds += FOURIER_CHANNELS * width * pixels
        acts += width * pixels
    square = width * width
    params += 2 * width + 3 * (square + width) + heads + square + width + width
    madds += (NORM_MADDS * width + 4 * square + 2 * square // heads) * pixels
    acts += 4 * width * pixels
    return params, madds, acts


def _head_counts(width: int, num_classes: int) -> Counts:
    """Global average pool, LayerNorm, linear classifier."""
    return 2 * width + (width + 1) * num_classes, NORM_MADDS * width + width * num_classes, num_classes
