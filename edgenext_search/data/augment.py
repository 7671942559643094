"""Batched augmentation of uint8 images in memory, on whichever device they lie. Imports torch when called."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Mean of R, G, B in [0, 1] over ImageNet's training images; timm's IMAGENET_DEFAULT_MEAN."""
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Their standard deviation; timm's IMAGENET_DEFAULT_STD."""


def normalize(images_uint8: torch.Tensor) -> torch.Tensor:
    """Scale to [0, 1], subtract ImageNet's mean and divide by its standard deviation.

    Args:
        images_uint8: uint8 [b, 3, H, W].

    Returns:
        float32 [b, 3, H, W] on the same device.
    """
    import torch

    device = images_uint8.device
    mean = torch.tensor(IMAGENET_MEAN, device=device).mul_(255).view(1, 3, 1, 1)
    scale = torch.tensor(IMAGENET_STD, device=device).mul_(255).reciprocal_().view(1, 3, 1, 1)
    return images_uint8.float().sub_(mean).mul_(scale)


def random_flip_crop(
    images_uint8: torch.Tensor, size: int, generator: torch.Generator, *, flip: bool = True
) -> torch.Tensor:
    """Cut a random square out of each image and mirror it left to right with probability 1/2.

    Args:
        images_uint8: uint8 [b, 3, S, S].
        size: Side of the square, at most S.
        flip: Whether images are mirrored at all.
        generator: Source of randomness; one on the CPU gives the same draws whatever the images' device.

    Returns:
        uint8 [b, 3, size, size] on the same device, a new tensor.

    Raises:
        ValueError: If `size` is not in 1..S.
    """
    import torch

    b, channels, height, width = images_uint8.shape
    _check_size(size, height, width)

    def draw(n: int) -> torch.Tensor:
        return torch.randint(n, (b, 1), generator=generator, device=generator.device).to(images_uint8.device)

    top, left = draw(height - size + 1), draw(width - size + 1)
    along = torch.arange(size, device=images_uint8.device)
    rows = top + along
    columns = left + (torch.where(draw(2).bool(), along.flip(0), along) if flip else along)
    # One flat gather over [b, 3 * size * size]: on a CPU more than twice as fast as indexing with broadcast tensors.
    planes = torch.arange(channels, device=images_uint8.device).view(1, channels, 1, 1)
    flat = (planes * height + rows.view(b, 1, size, 1)) * width + columns.view(b, 1, 1, size)
    return images_uint8.flatten(1).gather(1, flat.flatten(1)).view(b, channels, size, size)


def center_crop(images: torch.Tensor, size: int) -> torch.Tensor:
    """The middle square of each image.

    Args:
        images: [b, 3, S, S], any type.
        size: Side of the square, at most S.

    Returns:
        A view [b, 3, size, size].

    Raises:
        ValueError: If `size` is not in 1..S.
    """
    height, width = images.shape[-2:]
    _check_size(size, height, width)
    top, left = (height - size) // 2, (width - size) // 2
    return images[..., top : top + size, left : left + size]


def _check_size(size: int, height: int, width: int) -> None:
    if not 1 <= size <= min(height, width):
        raise ValueError(f"a crop must fit into the images: size is {size}, the images are {height} x {width}")
