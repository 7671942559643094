"""Mixup and CutMix with a lambda for each image (timm's `elem` mode). Imports torch and scipy when called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgenext_search.data.augment.batches import Augmentation, inside
from edgenext_search.data.augment.randomness import Draws, Stream

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch


def mix(
    images: torch.Tensor,
    partners: torch.Tensor,
    labels: torch.Tensor,
    partner_labels: torch.Tensor,
    *,
    classes: int,
    augmentation: Augmentation,
    draws: Draws,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mix each image with its partner, and their labels in the same shares.

    Where both mixup and CutMix are on, each image gets one of them, with probability 1/2. Lambda, the share that an
    image keeps, is Beta(alpha, alpha); in CutMix it is corrected to the share of the pixels kept, as in timm.

    Args:
        images: float32 [b, 3, H, W].
        partners: The image that each is mixed with, of the same shape.
        labels: int64 [b].
        partner_labels: int64 [b].
        classes: Number of classes.
        augmentation: The alphas; one of them at least is above 0.
        draws: The random numbers of `images`.

    Returns:
        Mixed images, float32 [b, 3, H, W], and their targets, float32 [b, classes], each row with sum 1.
    """
    import torch
    from torch.nn.functional import one_hot

    height, width = images.shape[-2:]
    kept, corners = shares_and_rectangles(draws, augmentation, height, width)
    device = images.device
    share = torch.from_numpy(kept.astype(np.float32)).to(device)
    box = torch.from_numpy(corners).to(device)
    cut = (box[1] > box[0]).all(dim=1)
    weight = torch.where(cut, 1.0, share)[:, None, None, None]
    mixed = images * weight + partners * (1 - weight)
    mixed = torch.where(inside(box, images), partners, mixed)
    keep = share[:, None]
    targets = one_hot(labels, classes) * keep + one_hot(partner_labels, classes) * (1 - keep)
    return mixed, targets


def shares_and_rectangles(
    draws: Draws, augmentation: Augmentation, height: int, width: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """The share of itself that each image keeps, and the rectangle that its partner takes.

    Args:
        draws: The random numbers of the images.
        augmentation: The alphas.
        height: Of the images.
        width: Of the images.

    Returns:
        Shares in [0, 1], [b], and corners as :func:`~edgenext_search.data.augment.batches.inside` takes them, int64
        [2, b, 2];
        the rectangle is empty where the image is under mixup, or the share is 1.
    """
    from scipy.special import betaincinv

    u = draws.uniform(Stream.MIXING, 4)
    probability = 1.0 if not augmentation.mixup else 0.5 if augmentation.cutmix else 0.0
    cut = u[:, 0] < probability
    alpha = np.where(cut, augmentation.cutmix, augmentation.mixup)
    kept = np.asarray(betaincinv(alpha, alpha, u[:, 1]))  # the inverse of Beta's distribution function
    side = np.array([height, width])
    extent = (np.sqrt(1 - kept)[:, None] * side).astype(np.int64)
    centre = (u[:, 2:] * side).astype(np.int64)
    first = (centre - extent // 2).clip(0, side)
    last = (centre + extent // 2).clip(0, side)
    last[~cut] = first[~cut]
    area = (last - first).prod(axis=1)
    return np.where(cut, 1 - area / (height * width), kept), np.stack([first, last])
