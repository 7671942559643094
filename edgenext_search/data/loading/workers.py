"""Images of a batch, decoded and transformed on request by worker processes or here. Imports torch when called."""

from __future__ import annotations

import math
import mmap
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from edgenext_search.data import worker_pool
from edgenext_search.data.augment.randomness import Draws, Stream
from edgenext_search.data.augment.transforms import own_randomness
from edgenext_search.data.images import UnreadableImageError
from edgenext_search.data.unreadable import check_unreadable
from edgenext_search.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy.typing as npt
    import torch
    from PIL import Image

    from edgenext_search.data.augment.transforms import Transform
    from edgenext_search.data.loading.datasets import LabelledImages

TRIES = 100  # unreadable images in a row
PART = 32
"""Images of a task: all processes load parts of the same few batches, so memory does not grow with their number."""
AHEAD = 4  # batches that are loaded ahead
MOST_TASKS = 64  # of a process at once; each takes less than half a kilobyte of a pipe


class Request(NamedTuple):
    """The part of a batch that one process asks for: its epoch, image size in pixels, and rows of the set."""

    epoch: int
    size: int
    rows: npt.NDArray[np.int64]


class Loaded(NamedTuple):
    """A batch as it is loaded.

    Attributes:
        pixels: uint8 [b, 3, size, size]; pinned memory on the way to a GPU.
        labels: int64 [b].
        rows: The rows asked for, int64.
        unreadable: Place and reason of each image that cannot be decoded.
    """

    pixels: torch.Tensor
    labels: torch.Tensor
    rows: npt.NDArray[np.int64]
    unreadable: list[tuple[str, str]]


class Written(NamedTuple):
    """What became of a request: a label for each image written, and place and reason of each unreadable one."""

    labels: npt.NDArray[np.int64]
    unreadable: list[tuple[str, str]]


class Loading(Protocol):
    """What workers do."""

    images: LabelledImages

    def load(self, request: Request, pixels: torch.Tensor) -> Written:
        """Write the images of a request to the front of ``pixels``, uint8 [n, 3, size, size]."""
        ...


class AugmentedImages:
    """Training images; for one that cannot be decoded, the next of the set that can.

    Args:
        images: The set.
        transforms: What is done to them, by image size.
        seed: Seed of the training; with the epoch and the image it decides what is drawn.
    """

    def __init__(self, images: LabelledImages, transforms: dict[int, Transform], seed: int) -> None:
        self.images, self._transforms, self._seed = images, transforms, seed

    def load(self, request: Request, pixels: torch.Tensor) -> Written:
        """See :class:`Loading`."""
        transform = self._transforms[request.size]
        seeds = Draws(self._seed, request.epoch, request.rows).integers(Stream.TRANSFORM, 2**32, 2**32, 2**32)
        labels = np.empty(len(request.rows), dtype=np.int64)
        unreadable: list[tuple[str, str]] = []
        with own_randomness() as seed:
            for place, row in enumerate(request.rows.tolist()):
                image, labels[place] = self._readable(row, unreadable)
                seed(*seeds[place].tolist())
                pixels[place] = transform(image)
        return Written(labels, unreadable)

    def _readable(self, row: int, unreadable: list[tuple[str, str]]) -> tuple[Image.Image, int]:
        for other in range(row, row + TRIES):
            index = other % len(self.images)
            try:
                return _load(self.images, index), int(self.images.labels[index])
            except UnreadableImageError as error:
                unreadable.append((error.where, error.reason))
        raise UserError(
            f"{TRIES} images in a row cannot be decoded, the last is {unreadable[-1][0]}: is the disk there?"
        )


class PlainImages:
    """Validation images; those that cannot be decoded are left out.

    Args:
        images: The set.
        transform: What is done to them.
    """

    def __init__(self, images: LabelledImages, transform: Transform) -> None:
        self.images, self._transform = images, transform

    def load(self, request: Request, pixels: torch.Tensor) -> Written:
        """See :class:`Loading`."""
        readable: list[int] = []
        unreadable: list[tuple[str, str]] = []
        for row in request.rows.tolist():
            try:
                image = _load(self.images, row)
            except UnreadableImageError as error:
                unreadable.append((error.where, error.reason))
            else:
                pixels[len(readable)] = self._transform(image)
                readable.append(row)
        return Written(self.images.labels[readable], unreadable)


class Workers:
    """Batches in the order of their requests, loaded by processes that stay, or here.

    Args:
        loading: What they do.
        batches: Most images of a request by their size in pixels.
        workers: Number of processes; 0 loads here.
        device: Where batches go next; for a GPU they are put into pinned memory.
    """

    def __init__(self, loading: Loading, *, batches: Mapping[int, int], workers: int, device: torch.device) -> None:
        self._loading, self._batches, self._workers, self._device = loading, batches, workers, device
        self._pool: worker_pool.WorkerPool[_Task, _Done] | None = None
        self._slots: list[torch.Tensor] = []

    def load(self, requests: Iterable[Request]) -> Iterator[Loaded]:
        """The batches of the requests; an iterator that is given up leaves nothing behind.

        Raises:
            HostError: A process died or is stuck.
        """
        if not self._workers:
            yield from map(self._load_here, requests)
            return
        if self._pool is None or not self._pool.ready:
            self.close()
            self._pool = self._start()
        begun: deque[tuple[Request, int]] = deque()
        done = self._pool.map(self._tasks(requests, begun))
        for first in done:
            request, parts = begun.popleft()
            pixels = self._empty(request)
            labels: list[npt.NDArray[np.int64]] = []
            unreadable: list[tuple[str, str]] = []
            filled = 0
            for number in range(parts):
                part = next(done) if number else first
                count = len(part.written.labels)
                pixels[filled : filled + count] = self._pixels(part, request.size, count)
                labels.append(part.written.labels)
                unreadable += part.written.unreadable
                filled += count
            yield _loaded(request, pixels, Written(np.concatenate(labels), unreadable))

    def close(self) -> None:
        """End the processes; batches asked for later start new ones."""
        if self._pool is not None:
            self._pool.close()
        self._pool, self._slots = None, []

    def _start(self) -> worker_pool.WorkerPool[_Task, _Done]:
        bytes_of_slot = max(3 * size**2 * min(PART, count) for size, count in self._batches.items())
        parts = max(math.ceil(count / PART) for count in self._batches.values())
        ahead = self._workers * min(MOST_TASKS, max(2, math.ceil(AHEAD * parts / self._workers)))
        if worker_pool.START_METHOD == "fork":
            self._slots = _shared(ahead, bytes_of_slot)
        self._ahead = ahead
        return worker_pool.WorkerPool(
            _Work(self._loading, self._slots),
            workers=self._workers,
            ahead=ahead,
            source=self._loading.images.source,
            remedy="give fewer --workers or a smaller --batch-size",
            begin=_use_one_thread,
        )

    def _tasks(self, requests: Iterable[Request], begun: deque[tuple[Request, int]]) -> Iterator[_Task]:
        """The parts of all requests; a slot is used again once the part in it was taken."""
        given = 0
        for request in requests:
            starts = range(0, max(1, len(request.rows)), PART)
            begun.append((request, len(starts)))
            for start in starts:
                yield _Task(given % self._ahead, request._replace(rows=request.rows[start : start + PART]))
                given += 1

    def _pixels(self, part: _Done, size: int, count: int) -> torch.Tensor:
        import torch

        if part.pixels is not None:
            return torch.from_numpy(part.pixels)
        return _images(self._slots[part.slot], count, size)

    def _load_here(self, request: Request) -> Loaded:
        pixels = self._empty(request)
        return _loaded(request, pixels, self._loading.load(request, pixels))

    def _empty(self, request: Request) -> torch.Tensor:
        import torch

        shape = (len(request.rows), 3, request.size, request.size)
        return torch.empty(shape, dtype=torch.uint8, pin_memory=self._device.type == "cuda")


class _Task(NamedTuple):
    """A part of a request, and the slot of the shared memory that its pixels go to."""

    slot: int
    request: Request


class _Done(NamedTuple):
    """A loaded part; its pixels where no memory is shared."""

    slot: int
    written: Written
    pixels: npt.NDArray[np.uint8] | None


class _Work:
    """What a process does with a task.

    Args:
        loading: How images are loaded.
        slots: Memory shared with the parent, uint8, one-dimensional; none where processes are not forked.
    """

    def __init__(self, loading: Loading, slots: list[torch.Tensor]) -> None:
        self._loading, self._slots = loading, slots

    def __call__(self, task: _Task) -> _Done:
        import torch

        count, size = len(task.request.rows), task.request.size
        slot = self._slots[task.slot] if self._slots else torch.empty(3 * count * size**2, dtype=torch.uint8)
        pixels = _images(slot, count, size)
        written = self._loading.load(task.request, pixels)
        return _Done(task.slot, written, None if self._slots else pixels[: len(written.labels)].numpy())


def _load(images: LabelledImages, index: int) -> Image.Image:
    worker_pool.reading(int(images.rows[index]))
    return images.load(index)


def _loaded(request: Request, pixels: torch.Tensor, written: Written) -> Loaded:
    import torch

    labels = torch.from_numpy(written.labels)
    return Loaded(pixels[: len(labels)], labels, request.rows, written.unreadable)


def _images(slot: torch.Tensor, count: int, size: int) -> torch.Tensor:
    """The front of a one-dimensional tensor as images."""
    return slot[: 3 * count * size**2].view(count, 3, size, size)


def _shared(slots: int, size: int) -> list[torch.Tensor]:
    """Pieces of memory, ``size`` bytes each, that this process shares with those it forks."""
    import torch

    memory = mmap.mmap(-1, slots * size)
    return [torch.frombuffer(memory, dtype=torch.uint8, count=size, offset=slot * size) for slot in range(slots)]


def _use_one_thread() -> None:
    import torch

    torch.set_num_threads(1)


class Unreadable:
    """Which images of a set could not be decoded, and when they are too many.

    Args:
        images: The set.
    """

    def __init__(self, images: LabelledImages) -> None:
        self.found: dict[str, str] = {}
        self._source = images.source

    def add(self, unreadable: list[tuple[str, str]]) -> None:
        """Note what a worker met.

        Raises:
            UserError: More than 0.1 % of the source's images cannot be decoded.
        """
        self.found.update(unreadable)
        check_unreadable(self._source, self.found)
