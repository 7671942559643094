"""Batch norms folded into the layers beside them, where that is exact: fewer operators on a device, equal outputs."""

from __future__ import annotations

import copy
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from edgenext_search.models.bn_hs import BatchNormConvBlock, BatchNormEdgeNeXt


def fold_batch_norms(model: nn.Module) -> nn.Module:
    """A copy of a network in evaluation mode with its batch norms folded away; other networks come back as they are.

    Folded are the norm after the stem and after each depthwise convolution (into the convolution before it), the norm
    before each downsampling convolution (which has no padding) and before each SDTA block's bottleneck (into the layer
    after it), and the final norm, which commutes with the global pool (into the classifier). The norm behind the split
    convolutions of an SDTA block stays: one of its groups has no convolution, and the others feed one another.

    Args:
        model: Any network; it is not changed.

    Returns:
        A network with the same outputs, up to rounding.

    Raises:
        ValueError: The network is in training mode, where its norms depend on the batch.
    """
    if not isinstance(model, BatchNormEdgeNeXt):
        return model
    if model.training:
        raise ValueError("batch norms can be folded in evaluation mode only; call model.eval() first")
    folded: Any = copy.deepcopy(model)  # the types of modules inside modules are not known statically
    folded.stem = nn.Sequential(_fold_into_convolution_before(*folded.stem))
    for stage in folded.stages:
        if not isinstance(stage.downsample, nn.Identity):
            norm, convolution = stage.downsample
            stage.downsample = nn.Sequential(_fold_into_layer_after(norm, convolution))
        for block in stage.blocks:
            is_conv_block = isinstance(block, BatchNormConvBlock)
            if is_conv_block:
                block.conv_dw = _fold_into_convolution_before(block.conv_dw, block.norm)
            else:
                _fold_into_layer_after(block.norm, block.mlp.fc1)
            block.norm = nn.Identity()
    if not isinstance(folded.head.fc, nn.Identity):
        _fold_into_layer_after(folded.norm_pre, folded.head.fc)
        folded.norm_pre = nn.Identity()
    return cast("nn.Module", folded)


Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


def _fold_into_convolution_before(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    return fuse_conv_bn_eval(convolution, norm)


def _fold_into_layer_after(norm: nn.BatchNorm2d, layer: Layer) -> Layer:
    """Scale the layer's input channels, and move the norm's shift into its bias."""
    scale, shift = _scale_and_shift(norm)
    weight = layer.weight.detach()
    per_channel = weight.flatten(2).sum(2) if weight.ndim == 4 else weight
    bias = per_channel @ shift + (0 if layer.bias is None else layer.bias.detach())
    layer.weight = nn.Parameter(weight * scale.view(1, -1, *(1,) * (weight.ndim - 2)))
    layer.bias = nn.Parameter(bias)
    return layer


def _scale_and_shift(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    state = norm.state_dict()  # detached
    scale = state["weight"] * torch.rsqrt(state["running_var"] + norm.eps)
    return scale, state["bias"] - state["running_mean"] * scale
