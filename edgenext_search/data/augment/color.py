"""Colour jitter in batches, as Pillow's ImageEnhance does it to one image. Imports torch when called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgenext_search.data.augment.randomness import Draws, Stream

if TYPE_CHECKING:
    import torch


def jitter(images_uint8: torch.Tensor, draws: Draws, strength: float) -> torch.Tensor:
    """Change brightness, then contrast, then saturation of each image, each by its own random factor.

    The factors are uniform in [1 - strength, 1 + strength], never negative, as torchvision's and timm's; unlike there,
    the order is fixed. Pixels are rounded to 8 bits after each step and means are sums of integers, so the result is
    the same in any batch.

    Args:
        images_uint8: uint8 [b, 3, H, W].
        draws: The random numbers of these images.
        strength: Largest relative change.

    Returns:
        uint8 [b, 3, H, W] on the same device.
    """
    import torch

    low = max(0.0, 1 - strength)
    u = draws.uniform(Stream.COLOR, 3)
    factors = torch.from_numpy((low + u * (1 + strength - low)).astype(np.float32)).to(images_uint8.device)
    return adjust(images_uint8, factors)


def adjust(images_uint8: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """Set brightness, then contrast, then saturation: 1 leaves an image as it is, 0 makes it black, grey, colourless.

    Args:
        images_uint8: uint8 [b, 3, H, W].
        factors: float32 [b, 3], in this order.

    Returns:
        uint8 [b, 3, H, W].
    """
    import torch

    brightness, contrast, saturation = (factors[:, i, None, None, None] for i in range(3))
    images = _blend(images_uint8.float(), 0.0, brightness)
    pixels = images.shape[-2] * images.shape[-1]
    total = _grey(images).to(torch.int64).sum(dim=(1, 2, 3), keepdim=True)
    mean = torch.div(2 * total + pixels, 2 * pixels, rounding_mode="floor").float()
    images = _blend(images, mean, contrast)
    return _blend(images, _grey(images).float(), saturation).to(torch.uint8)


def _blend(images: torch.Tensor, other: torch.Tensor | float, factor: torch.Tensor) -> torch.Tensor:
    """`other` at factor 0, the images at 1, beyond them above; rounded and kept in 0..255."""
    return ((images - other) * factor + other).round_().clamp_(0, 255)


def _grey(images: torch.Tensor) -> torch.Tensor:
    """Luma of whole-numbered float32 [b, 3, H, W] as Pillow computes it (ITU-R 601-2): int32 [b, 1, H, W]."""
    import torch

    red, green, blue = images.to(torch.int32).unbind(1)
    return (red.mul(19595) + green.mul(38470) + blue.mul(7471) + 0x8000).bitwise_right_shift(16).unsqueeze(1)
