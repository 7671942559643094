"""Which images train at which size: the batches of an epoch as a pure function of (seed, epoch).

The size is drawn for each batch, and the batch grows or shrinks so that it holds about the same number of pixels
(the multi-scale sampler of MobileViT, Mehta and Rastegari, arXiv 2110.02178; EdgeNeXt trains with it). All of it is
decided for the whole batch, before it is shared out: so every process has the same size at the same step and the same
number of steps, and what is trained on does not depend on their number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgenext_search.data.augment.randomness import Draws, Stream
from edgenext_search.data.loading.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt


def image_sizes(least: int, most: int, *, n: int, divisor: int = 32) -> tuple[int, ...]:
    """At most ``n`` sizes at equal distances from ``least`` to ``most``, each rounded to a multiple of ``divisor``.

    A size halfway between two multiples becomes the upper one, as in MobileViT's code: 160 to 320 in 5 are 160, 192
    (of 200), 256, 288 (of 280) and 320 px, the sizes that EdgeNeXt was trained with.

    Args:
        least: Smallest size, in pixels.
        most: Largest size, in pixels.
        n: Number of sizes; where that is more than there are multiples, all of them.
        divisor: What sizes are multiples of, in pixels; at least one of it.

    Returns:
        Sizes in pixels, ascending.
    """
    places = np.linspace(least, most, n)
    return tuple(sorted({max(divisor, int(place + divisor / 2) // divisor * divisor) for place in places}))


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of an epoch, over all processes.

    Attributes:
        size: Height and width of its images, in pixels.
        rows: Position of each image in the set, int64 [b].
    """

    size: int
    rows: npt.NDArray[np.int64]


class MultiScaleSampler:
    """The batches of each epoch: shuffled images, a drawn size, and as many images as its pixels allow.

    An epoch ends where the next batch cannot be filled; what is left is in other epochs' batches.

    Args:
        n: Number of images in the set.
        batch_size: Images of a batch at ``img_size``, over all processes.
        img_size: The size that ``batch_size`` is meant for, in pixels.
        sizes: The sizes to draw from, in pixels; ``(img_size,)`` for always the same.
        seed: With an epoch's number it decides the epoch.
    """

    def __init__(self, n: int, *, batch_size: int, img_size: int, sizes: Sequence[int], seed: int) -> None:
        self._n = n
        self._sizes = np.array(sizes, dtype=np.int64)
        budget = batch_size * img_size**2
        self._batch_sizes = np.clip(budget // self._sizes**2, 1, n)
        self._seed = seed

    @property
    def batch_sizes(self) -> dict[int, int]:
        """Images of a batch by their size in pixels."""
        return dict(zip(self._sizes.tolist(), self._batch_sizes.tolist(), strict=True))

    def steps(self, epoch: int) -> int:
        """Number of batches in an epoch."""
        return len(self._drawn(epoch)[0])

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from step ``start`` on, exactly as in the whole epoch."""
        sizes, ends = self._drawn(epoch)
        order = self._order(epoch)
        for size, first, last in zip(sizes[start:], [0, *ends][start:], ends[start:], strict=False):
            yield Batch(size, order[first:last])

    def _drawn(self, epoch: int) -> tuple[list[int], list[int]]:
        """Size of each batch, and the number of images up to its end."""
        most = self._n // int(self._batch_sizes.min())
        draws = Draws(self._seed, epoch, np.arange(most, dtype=np.int64))
        choice = draws.integers(Stream.SIZE, len(self._sizes))[:, 0]
        ends = np.cumsum(self._batch_sizes[choice])
        steps = int(np.searchsorted(ends, self._n, side="right"))
        return self._sizes[choice[:steps]].tolist(), ends[:steps].tolist()

    def _order(self, epoch: int) -> npt.NDArray[np.int64]:
        """A permutation of the set."""
        keys = Draws(self._seed, epoch, np.arange(self._n, dtype=np.int64)).uniform(Stream.ORDER, 1)[:, 0]
        return np.argsort(keys, kind="stable").astype(np.int64)


def share(batch: int, shard: Shard, *, pairs: bool) -> npt.NDArray[np.int64]:
    """Which images of a batch one process takes.

    Args:
        batch: Images in the batch.
        shard: The process among those that share the batch.
        pairs: Whether image i and the one as far from the end, i's partner in mixing, stay together. The share read
            backwards is then the partners of the share. Shares differ by up to two images, otherwise by one.

    Returns:
        Positions in the batch, int64.
    """
    rank, world = shard.rank, shard.world
    if not pairs:
        return np.arange(rank, batch, world, dtype=np.int64)
    first = np.arange(rank, batch // 2, world, dtype=np.int64)
    alone = batch // 2  # the middle of an odd batch is its own partner
    middle = [alone] if batch % 2 and alone % world == rank else []
    return np.concatenate([first, np.array(middle, dtype=np.int64), batch - 1 - first[::-1]])
