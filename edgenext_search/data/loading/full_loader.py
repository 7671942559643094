"""Loaders of full training: images decoded and augmented by worker processes, normalised on the device.

What a batch holds is a pure function of (seed, epoch, step): the transforms are timm's, and before each image the
random generators that they draw from are seeded with the image's own numbers. So neither the number of workers nor the
step that an epoch is taken up at changes a bit. Workers hand over 8-bit pixels, a quarter of the bytes of normalised
ones. Imports torch and timm when a loader is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from edgenext_search.data.augment.batches import IMAGENET_MEAN, IMAGENET_STD, Augmentation, erase, normalize
from edgenext_search.data.augment.mixing import mix
from edgenext_search.data.augment.randomness import Draws
from edgenext_search.data.augment.transforms import Interpolation, eval_transform, train_transform
from edgenext_search.data.loading.multi_scale import MultiScaleSampler, share
from edgenext_search.data.loading.workers import AugmentedImages, Loaded, PlainImages, Request, Unreadable, Workers
from edgenext_search.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    import torch

    from edgenext_search.data.loading.datasets import TrainSet, ValSet

Batch: TypeAlias = "tuple[torch.Tensor, torch.Tensor]"
Rgb: TypeAlias = tuple[float, float, float]


class TrainLoader:
    """Shuffled, augmented batches of a training set, at one size or several.

    Of ``world`` processes each takes its share of every batch, and together they train on the very batch that a single
    one would, mixed images included.

    Args:
        images: The set.
        batch_size: Images of a batch at ``img_size``, over all processes.
        img_size: Height and width of the images, in pixels; with several sizes, the one that ``batch_size`` is for.
        sizes: Sizes to draw each batch's from, see :func:`~edgenext_search.data.loading.multi_scale.image_sizes`;
        None for
            ``img_size`` alone.
        seed: Of order, sizes and augmentation; together with an epoch's number it decides the epoch.
        workers: Processes that load images; 0 loads them in this one.
        device: Where the batches go.
        rank: Number of this process, below ``world``.
        world: Number of processes that share each batch.
        auto_augment: timm's policy, such as "rand-m9-mstd0.5-inc1"; None for none.
        color_jitter: Largest relative change of brightness, contrast and saturation; 0 for none. Unused under a policy.
        random_erasing: Probability that a rectangle is filled with ImageNet's mean colour.
        mixup: Alpha of mixup; 0 for none.
        cutmix: Alpha of CutMix; 0 for none.
        flip: Whether half of the images are mirrored.
        crop_scale: Least and largest share of an image's area that is cropped and resized.
        interpolation: How crops are resized.
        mean: Of R, G, B in [0, 1], for normalisation.
        std: Of R, G, B in [0, 1], for normalisation.

    Raises:
        UserError: timm does not know the policy, or a batch has fewer images than there are processes.
        ValueError: ``rank`` is not below ``world``.
    """

    def __init__(
        self,
        images: TrainSet,
        *,
        batch_size: int,
        img_size: int,
        sizes: Sequence[int] | None = None,
        seed: int,
        workers: int = 0,
        device: torch.device | None = None,
        rank: int = 0,
        world: int = 1,
        auto_augment: str | None = None,
        color_jitter: float = 0.4,
        random_erasing: float = 0.0,
        mixup: float = 0.0,
        cutmix: float = 0.0,
        flip: bool = True,
        crop_scale: tuple[float, float] = (0.08, 1.0),
        interpolation: Interpolation = "bicubic",
        mean: Rgb = IMAGENET_MEAN,
        std: Rgb = IMAGENET_STD,
    ) -> None:
        _check_rank(rank, world)
        self._seed = seed
        self._rank, self._world = rank, world
        self._device = device or _cpu()
        self._classes = len(images.classes)
        self._augmentation = Augmentation(random_erasing=random_erasing, mixup=mixup, cutmix=cutmix)
        self._mean, self._std = mean, std
        self.batch_size = min(batch_size, len(images))
        self._sampler = MultiScaleSampler(
            len(images), batch_size=batch_size, img_size=img_size, sizes=sizes or (img_size,), seed=seed
        )
        self._check_shares()
        transforms = {
            size: train_transform(
                size,
                auto_augment=auto_augment,
                color_jitter=color_jitter,
                crop_scale=crop_scale,
                flip=flip,
                interpolation=interpolation,
            )
            for size in self._sampler.batch_sizes
        }
        self._unreadable = Unreadable(images)
        self._workers = Workers(AugmentedImages(images, transforms, seed), workers=workers, device=self._device)

    @property
    def unreadable(self) -> dict[str, str]:
        """Place and reason of each image met so far that cannot be decoded; the set's next one stands in for it."""
        return self._unreadable.found

    @property
    def batch_sizes(self) -> dict[int, int]:
        """Images of a batch over all processes, by their size in pixels."""
        return self._sampler.batch_sizes

    def steps(self, epoch: int) -> int:
        """Batches in an epoch; the same on every process."""
        return self._sampler.steps(epoch)

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

    def images_of(self, epoch: int, start: int = 0) -> Iterator[int]:
        """Images of each batch of an epoch, over all processes, from step ``start`` on."""
        return (len(batch.rows) for batch in self._sampler.epoch(epoch, start))

    def close(self) -> None:
        """End the processes that load images."""
        self._workers.close()

    def _request(self, epoch: int, size: int, rows: npt.NDArray[np.int64]) -> Request:
        mine = share(len(rows), rank=self._rank, world=self._world, pairs=self._augmentation.mixes)
        return Request(epoch, size, rows[mine])

    def _finished(self, loaded: Loaded, epoch: int) -> Batch:
        """Normalised, erased and mixed on the device."""
        draws = Draws(self._seed, epoch, loaded.rows)
        images = normalize(loaded.pixels.to(self._device, non_blocking=True), self._mean, self._std)
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
        per_process = 2 if self._augmentation.mixes and self._world > 1 else 1
        size, least = min(self._sampler.batch_sizes.items(), key=lambda item: item[1])
        if least < per_process * self._world:
            raise UserError(
                f"Each of {self._world} processes needs {per_process} image(s) of every batch, but at {size} px a "
                f"batch has {least}. Give a larger --batch-size, or train with fewer processes."
            )


class ValLoader:
    """The images of a validation set, each exactly once over all processes.

    Args:
        images: The set.
        img_size: Height and width of the images, in pixels.
        batch_size: Most images of a batch of this process.
        workers: Processes that load images; 0 loads them in this one.
        device: Where the batches go.
        rank: Number of this process, below ``world``.
        world: Number of processes that share the set out; shares differ by one image at most.
        crop_pct: Share of the resized image's side that is kept; 0.9 is timm's for EdgeNeXt.
        interpolation: How images are resized.
        crop_mode: timm's: "center", "squash" or "border".
        mean: Of R, G, B in [0, 1], for normalisation.
        std: Of R, G, B in [0, 1], for normalisation.

    Raises:
        ValueError: ``rank`` is not below ``world``.
    """

    def __init__(
        self,
        images: ValSet,
        *,
        img_size: int,
        batch_size: int = 256,
        workers: int = 0,
        device: torch.device | None = None,
        rank: int = 0,
        world: int = 1,
        crop_pct: float = 0.9,
        interpolation: str = "bicubic",
        crop_mode: str = "center",
        mean: Rgb = IMAGENET_MEAN,
        std: Rgb = IMAGENET_STD,
    ) -> None:
        _check_rank(rank, world)
        transform = eval_transform(img_size, crop_pct=crop_pct, interpolation=interpolation, crop_mode=crop_mode)
        self._device = device or _cpu()
        self._workers = Workers(PlainImages(images, transform), workers=workers, device=self._device)
        self._rows = np.arange(rank, len(images), world, dtype=np.int64)
        self._img_size, self._batch_size = img_size, batch_size
        self._mean, self._std = mean, std
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
            yield normalize(pixels, self._mean, self._std), loaded.labels.to(self._device, non_blocking=True)

    def pixels(self) -> Iterator[torch.Tensor]:
        """The images as they are before they are normalised: uint8 [b, 3, img_size, img_size], on the CPU."""
        return (loaded.pixels for loaded in self._loaded())

    def close(self) -> None:
        """End the processes that load images."""
        self._workers.close()

    def _loaded(self) -> Iterator[Loaded]:
        parts = (self._rows[first : first + self._batch_size] for first in range(0, len(self._rows), self._batch_size))
        requests = (Request(0, self._img_size, rows) for rows in parts)
        for loaded in self._workers.load(requests):
            self._unreadable.add(loaded.unreadable)
            yield loaded


def _cpu() -> torch.device:
    import torch

    return torch.device("cpu")


def _check_rank(rank: int, world: int) -> None:
    if not 0 <= rank < world:
        raise ValueError(f"processes are numbered from 0 to world - 1, but rank is {rank} and world {world}")
