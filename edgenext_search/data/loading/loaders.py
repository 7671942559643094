"""Loaders of full training and evaluation: images decoded and augmented by worker processes, normalised on the device.

What a batch holds is a pure function of (seed, epoch, step): the transforms are timm's, and before each image the
random generators that they draw from are seeded with the image's own numbers. So neither the number of workers nor the
step that an epoch is taken up at changes a bit. Workers hand over 8-bit pixels, a quarter of the bytes of normalised
ones. Imports torch and timm when a loader is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from edgenext_search.data.augment.batches import erase, normalize
from edgenext_search.data.augment.mixing import mix
from edgenext_search.data.augment.randomness import Draws
from edgenext_search.data.augment.transforms import Preprocessing, TimmAugmentation, eval_transform, train_transform
from edgenext_search.data.loading.multi_scale import MultiScaleSampler, share
from edgenext_search.data.loading.shard import Shard
from edgenext_search.data.loading.workers import AugmentedImages, Loaded, PlainImages, Request, Unreadable, Workers
from edgenext_search.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    import torch

    from edgenext_search.data.loading.datasets import TrainSet, ValSet

Batch: TypeAlias = "tuple[torch.Tensor, torch.Tensor]"


class TrainLoader:
    """Shuffled, augmented batches of a training set, at one size or several.

    Several processes each take their share of every batch. Together they train on the very batch that a single one
    would, mixed images included.

    Args:
        images: The set.
        batch_size: Images of a batch at ``img_size``, over all processes.
        img_size: Height and width of the images, in pixels; with several sizes, the one that ``batch_size`` is for.
        sizes: Sizes from which each batch's is drawn, in pixels; None for ``img_size`` alone.
        seed: Seed of order, sizes and augmentation; together with an epoch's number it decides the epoch.
        augmentation: How images vary.
        shard: This process among those that share each batch.
        workers: Processes that load images; 0 loads them in this one.
        device: Where the batches go; None for the CPU.

    Raises:
        UserError: timm does not know the policy, or a batch has fewer images than there are processes.
    """

    def __init__(
        self,
        images: TrainSet,
        *,
        batch_size: int,
        img_size: int,
        sizes: Sequence[int] | None = None,
        seed: int,
        augmentation: TimmAugmentation | None = None,
        shard: Shard | None = None,
        workers: int = 0,
        device: torch.device | None = None,
    ) -> None:
        self._seed = seed
        self._shard = shard or Shard()
        self._device = device or _cpu()
        self._classes = len(images.classes)
        self._augmentation = augmentation or TimmAugmentation()
        self._sampler = MultiScaleSampler(
            len(images), batch_size=batch_size, img_size=img_size, sizes=sizes or (img_size,), seed=seed
        )
        self._check_shares()
        transforms = {size: train_transform(size, self._augmentation) for size in self._sampler.batch_sizes}
        self._unreadable = Unreadable(images)
        batches = {size: len(self._share(count)) for size, count in self._sampler.batch_sizes.items()}
        self._workers = Workers(
            AugmentedImages(images, transforms, seed), batches=batches, workers=workers, device=self._device
        )

    @property
    def unreadable(self) -> dict[str, str]:
        """Place and reason of each image met so far that cannot be decoded; the set's next one stands in for it."""
        return self._unreadable.found

    def batches(self, epoch: int) -> int:
        """Batches in an epoch; the same on every process."""
        return self._sampler.steps(epoch)

    def batch_sizes(self, epoch: int) -> list[int]:
        """Images of each batch of an epoch, over all processes."""
        return [len(batch.rows) for batch in self._sampler.epoch(epoch)]

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """This process's share of an epoch's batches, from step ``start`` on.

        Yields:
            Normalised images float32 [b, 3, size, size], and their targets: labels int64 [b], or where images are
            mixed, shares of the classes float32 [b, classes].

        Raises:
            UserError: More than 0.1 % of the images cannot be decoded.
        """
        requests = (self._request(epoch, batch.size, batch.rows) for batch in self._sampler.epoch(epoch, start))
        for loaded in self._workers.load(requests):
            self._unreadable.add(loaded.unreadable)
            yield self._finished(loaded, epoch)

    def close(self) -> None:
        """End the processes that load images."""
        self._workers.close()

    def _request(self, epoch: int, size: int, rows: npt.NDArray[np.int64]) -> Request:
        return Request(epoch, size, rows[self._share(len(rows))])

    def _share(self, batch: int) -> npt.NDArray[np.int64]:
        """Which images of a batch this process takes."""
        return share(batch, self._shard, pairs=self._augmentation.mixes)

    def _finished(self, loaded: Loaded, epoch: int) -> Batch:
        """Normalised, erased and mixed on the device."""
        draws = Draws(self._seed, epoch, loaded.rows)
        images = normalize(loaded.pixels.to(self._device, non_blocking=True))
        labels = loaded.labels.to(self._device, non_blocking=True)
        if self._augmentation.random_erasing:
            images = erase(images, draws, self._augmentation.random_erasing)
        if not self._augmentation.mixes:
            return images, labels
        return mix(
            images,
            images.flip(0),
            labels,
            labels.flip(0),
            classes=self._classes,
            augmentation=self._augmentation,
            draws=draws,
        )

    def _check_shares(self) -> None:
        world = self._shard.world
        per_process = 2 if self._augmentation.mixes and world > 1 else 1
        size, least = min(self._sampler.batch_sizes.items(), key=lambda item: item[1])
        if least < per_process * world:
            raise UserError(
                f"Each of {world} processes needs {per_process} image(s) of every batch, but at {size} px a "
                f"batch has {least}. Give a larger --batch-size, or train with fewer processes."
            )


class ValLoader:
    """The images of a validation set, each exactly once over all processes.

    Args:
        images: The set.
        preprocessing: Size, crop and normalisation of the images.
        batch_size: Most images of a batch of this process.
        shard: This process among those that share the set; shares differ by one image at most.
        workers: Processes that load images; 0 loads them in this one.
        device: Where the batches go; None for the CPU.
    """

    def __init__(
        self,
        images: ValSet,
        preprocessing: Preprocessing,
        *,
        batch_size: int = 256,
        shard: Shard | None = None,
        workers: int = 0,
        device: torch.device | None = None,
    ) -> None:
        self._preprocessing, self._batch_size = preprocessing, batch_size
        self._device = device or _cpu()
        self._rows = np.arange(len(images), dtype=np.int64)[(shard or Shard()).slice]
        self._workers = Workers(
            PlainImages(images, eval_transform(preprocessing)),
            batches={preprocessing.img_size: min(batch_size, len(self._rows))},
            workers=workers,
            device=self._device,
        )
        self._unreadable = Unreadable(images)

    def __len__(self) -> int:
        """Images of this process."""
        return len(self._rows)

    @property
    def unreadable(self) -> dict[str, str]:
        """Place and reason of each image of this process met so far that cannot be decoded; it is left out."""
        return self._unreadable.found

    def __iter__(self) -> Iterator[Batch]:
        """Normalised images float32 [b, 3, img_size, img_size] and labels int64 [b], in the set's order.

        Raises:
            UserError: More than 0.1 % of the images cannot be decoded.
        """
        for loaded in self._loaded():
            pixels = loaded.pixels.to(self._device, non_blocking=True)
            images = normalize(pixels, self._preprocessing.mean, self._preprocessing.std)
            yield images, loaded.labels.to(self._device, non_blocking=True)

    def pixels(self) -> Iterator[torch.Tensor]:
        """The images as they are before they are normalised: uint8 [b, 3, img_size, img_size], on the CPU."""
        return (loaded.pixels for loaded in self._loaded())

    def close(self) -> None:
        """End the processes that load images."""
        self._workers.close()

    def _loaded(self) -> Iterator[Loaded]:
        parts = (self._rows[first : first + self._batch_size] for first in range(0, len(self._rows), self._batch_size))
        requests = (Request(0, self._preprocessing.img_size, rows) for rows in parts)
        for loaded in self._workers.load(requests):
            self._unreadable.add(loaded.unreadable)
            if len(loaded.labels):
                yield loaded


def _cpu() -> torch.device:
    import torch

    return torch.device("cpu")
