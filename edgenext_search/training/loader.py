"""Batches of images that lie in memory, augmented on the device."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Protocol

import torch

from edgenext_search.data.augment import center_crop, normalize, random_flip_crop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgenext_search.data import ImageSet

Batch = tuple[torch.Tensor, torch.Tensor]
EVALUATION_BATCH = 256


class Loader(Protocol):
    """What the loop trains on."""

    steps: int
    """Batches in an epoch."""
    batch_size: int
    """Images in a batch, over all processes."""

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Normalised images float32 [b, 3, h, w] and labels int64 [b]; the same for the same ``epoch``."""
        ...


class MemoryLoader:
    """Shuffled, augmented batches of a set in memory; the last, smaller batch of an epoch is left out.

    Args:
        images: The set, stored with a margin for crops.
        batch_size: Images of a batch.
        img_size: Height and width that images are cropped to, in pixels.
        seed: Seed of order and augmentation; together with an epoch's number it decides them.
        device: Where the batches go.
        flip: Whether images are mirrored at random.
    """

    def __init__(
        self,
        images: ImageSet,
        *,
        batch_size: int,
        img_size: int,
        seed: int,
        device: torch.device,
        flip: bool,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._images, self._labels = _tensors(images)
        self.batch_size = min(batch_size, len(self._labels))
        self._share = slice(rank, None, world)
        self._img_size = img_size
        self._seed = seed
        self._device = device
        self._flip = flip
        self.steps = len(self._labels) // self.batch_size

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """See :class:`Loader`."""
        generator = torch.Generator().manual_seed(epoch_seed(self._seed, epoch))
        order = torch.randperm(len(self._labels), generator=generator)
        for step in range(self.steps):
            rows = order[step * self.batch_size : (step + 1) * self.batch_size][self._share]
            images = self._images[rows].to(self._device, non_blocking=True)
            images = random_flip_crop(images, self._img_size, generator, flip=self._flip)
            yield normalize(images), self._labels[rows].to(self._device, non_blocking=True)


def evaluation_batches(
    images: ImageSet, *, img_size: int, device: torch.device, rank: int = 0, world: int = 1
) -> Iterator[Batch]:
    """The images of a set in order, of several ranks each its share, cropped at their centre."""
    pixels, labels = (tensor[rank::world] for tensor in _tensors(images))
    for start in range(0, len(labels), EVALUATION_BATCH):
        rows = slice(start, start + EVALUATION_BATCH)
        yield normalize(center_crop(pixels[rows].to(device), img_size)), labels[rows].to(device)


def epoch_seed(seed: int, epoch: int) -> int:
    """A seed of its own for each epoch of each training seed."""
    return (seed * 1_000_003 + epoch * 7_919 + 17) % 2**63


def _tensors(images: ImageSet) -> Batch:
    """The memory-mapped arrays as tensors, without copying the images."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not writable.*")  # nothing writes to them
        return torch.from_numpy(images.images), torch.from_numpy(images.labels)
