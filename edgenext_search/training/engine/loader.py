"""Batches of images in memory, augmented on the device and shared among processes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Protocol

import torch

from edgenext_search.data.augment.batches import Augmentation, augmented, center_crop, normalize
from edgenext_search.data.augment.mixing import mix
from edgenext_search.data.augment.randomness import Draws
from edgenext_search.data.loading.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    import numpy.typing as npt

    from edgenext_search.data import ImageSet

Batch = tuple[torch.Tensor, torch.Tensor]
EVALUATION_BATCH = 256


class Loader(Protocol):
    """Training batches; the loaders of proxy and full training."""

    def batches(self, epoch: int) -> int:
        """Batches in an epoch; the same on every process."""
        ...

    def batch_sizes(self, epoch: int) -> Sequence[int]:
        """Images of each batch of an epoch, over all processes."""
        ...

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Normalised images float32 [b, 3, h, w] and their targets, from batch ``start`` of an epoch on.

        The same ``epoch`` has the same batches.
        Targets are labels int64 [b], or where images are mixed, shares of the classes float32 [b, classes].
        """
        ...


class MemoryLoader:
    """Shuffled, augmented batches of a set in memory; the last, smaller batch of an epoch is left out.

    An image's augmentation depends on seed, epoch and its index in the set alone. So each process takes its share of a
    batch, and together they train on the very batch that a single one would. Shares differ by at most one image, and
    are empty for processes beyond the batch size.

    Args:
        images: The set, stored larger than ``img_size`` so that crops vary.
        batch_size: Images of a batch, over all processes; the attribute is at most the number of images.
        img_size: Height and width that images are cropped to, in pixels.
        seed: Seed of order and augmentation; together with an epoch's number it decides them.
        device: Where the batches go.
        augmentation: How images vary.
        num_classes: Number of classes; needed where images are mixed.
        shard: This process among those that share each batch.

    Raises:
        ValueError: Images are to be mixed without the number of classes.
    """

    def __init__(
        self,
        images: ImageSet,
        *,
        batch_size: int,
        img_size: int,
        seed: int,
        device: torch.device,
        augmentation: Augmentation | None = None,
        num_classes: int | None = None,
        shard: Shard | None = None,
    ) -> None:
        self._images = images.images
        self._labels = _tensor(images.labels)
        self._img_size = img_size
        self._seed = seed
        self._device = device
        self._augmentation = augmentation or Augmentation()
        self._classes = num_classes or 0
        self._slice = (shard or Shard()).slice
        self.batch_size = min(batch_size, len(self._labels))
        self.steps = len(self._labels) // self.batch_size
        if self._augmentation.mixes and num_classes is None:
            raise ValueError("mixed images have soft targets: num_classes must be given")

    def batches(self, epoch: int) -> int:  # noqa: ARG002 - all epochs have as many
        """See :class:`Loader`."""
        return self.steps

    def batch_sizes(self, epoch: int) -> Sequence[int]:
        """See :class:`Loader`."""
        return [self.batch_size] * self.batches(epoch)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """See :class:`Loader`."""
        generator = torch.Generator().manual_seed(epoch_seed(self._seed, epoch))
        order = torch.randperm(len(self._labels), generator=generator).numpy()
        for step in range(start, self.steps):
            rows = order[step * self.batch_size : (step + 1) * self.batch_size]
            yield self._mixed(rows, epoch) if self._augmentation.mixes else self._plain(rows[self._slice], epoch)

    def _plain(self, rows: npt.NDArray[np.int64], epoch: int) -> Batch:
        draws = Draws(self._seed, epoch, rows)
        images = augmented(self._images, draws, self._img_size, self._augmentation, self._device)
        return images, self._labels[torch.from_numpy(rows)].to(self._device, non_blocking=True)

    def _mixed(self, rows: npt.NDArray[np.int64], epoch: int) -> Batch:
        """This process's share of a batch; each image is mixed with its mirror position in the whole batch."""
        mine = rows[self._slice]
        images, labels = self._plain(mine, epoch)
        if len(mine) == len(rows):
            others, other_labels = images.flip(0), labels.flip(0)
        else:
            others, other_labels = self._plain(rows[::-1][self._slice].copy(), epoch)
        draws = Draws(self._seed, epoch, mine)
        return mix(
            images, others, labels, other_labels, classes=self._classes, augmentation=self._augmentation, draws=draws
        )


def evaluation_batches(
    images: ImageSet, *, img_size: int, device: torch.device, shard: Shard | None = None
) -> Iterator[Batch]:
    """The images of a set in order, cropped at their centre: all of them, or this process's share.

    Args:
        images: The set.
        img_size: Height and width that images are cropped to, in pixels.
        device: Where the batches go.
        shard: This process among those that share the set.

    Yields:
        Normalised images float32 [b, 3, h, w] and labels int64 [b].
    """
    share = (shard or Shard()).slice
    pixels, labels = _tensor(images.images)[share], _tensor(images.labels)[share]
    for start in range(0, len(labels), EVALUATION_BATCH):
        rows = slice(start, start + EVALUATION_BATCH)
        yield normalize(center_crop(pixels[rows], img_size).to(device)), labels[rows].to(device)


def epoch_seed(seed: int, epoch: int) -> int:
    """A distinct seed for each epoch of each training seed."""
    return (seed * 1_000_003 + epoch * 7_919 + 17) % 2**63


def _tensor(array: npt.NDArray[np.generic]) -> torch.Tensor:
    """A memory-mapped array as a tensor, without copying it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not writable.*")  # nothing writes to it
        return torch.from_numpy(array)
