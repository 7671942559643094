"""Random numbers that are a pure function of (seed, epoch, image, kind of draw): no state, no order.

A sequential generator gives an image other numbers when its batch is cut otherwise. Here each number is a hash of its
address, so the same image looks the same in an epoch whatever the batch size and however many processes share a batch.
The hash is the finalizer of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
OOPSLA 2014), once for each part of the address. It is computed with numpy on the CPU, a few numbers an image, so that
every device augments alike.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Words = npt.NDArray[np.uint64]

_GOLDEN = 0x9E3779B97F4A7C15
_FACTORS = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_MASK = 2**64 - 1


class Stream(IntEnum):
    """What a number is drawn for: a new augmentation takes a new one, and leaves the others' numbers as they are."""

    CROP = 0
    RESIZED_CROP = 1
    FLIP = 2
    COLOR = 3
    ERASING = 4
    MIXING = 5
    ORDER = 6
    SIZE = 7
    TRANSFORM = 8


class Draws:
    """The random numbers of some images in one epoch.

    Args:
        seed: Of the training.
        epoch: Number of the epoch.
        images: Index of each image in its set, int64 [b]; kept as an attribute.
    """

    def __init__(self, seed: int, epoch: int, images: npt.NDArray[np.int64]) -> None:
        self.images = images
        key = _mixed_number(_mixed_number(seed) + epoch)
        self._states = _mixed(images.astype(np.uint64) * np.uint64(_GOLDEN) + np.uint64(key))

    def uniform(self, stream: Stream, n: int) -> npt.NDArray[np.float64]:
        """`n` independent numbers in [0, 1) for each image, multiples of 2**-53: float64 [b, n]."""
        places = (np.arange(n, dtype=np.uint64) + np.uint64((stream << 32) + 1)) * np.uint64(_GOLDEN)
        words = _mixed(self._states[:, None] + places)
        return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def integers(self, stream: Stream, *limits: int) -> npt.NDArray[np.int64]:
        """For each image one number in 0..limit-1 for each of the limits: int64 [b, len(limits)]."""
        return np.floor(self.uniform(stream, len(limits)) * limits).astype(np.int64)


def _mixed(words: Words) -> Words:
    """SplitMix64's finalizer, a bijection of 64-bit words; products wrap."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(_FACTORS[0])
    words = (words ^ (words >> np.uint64(27))) * np.uint64(_FACTORS[1])
    return words ^ (words >> np.uint64(31))


def _mixed_number(number: int) -> int:
    """The same of one number of any size, after a step of the generator."""
    return int(_mixed(np.array([(number + 1) * _GOLDEN & _MASK], dtype=np.uint64))[0])
