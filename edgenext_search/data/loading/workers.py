"""Worker processes that decode and transform the images of a batch on request. Imports torch when called."""

from __future__ import annotations

import atexit
import functools
import signal
import weakref
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from edgenext_search.data.augment.randomness import Draws, Stream
from edgenext_search.data.augment.transforms import own_randomness
from edgenext_search.data.images import UnreadableImageError
from edgenext_search.data.unreadable import check_unreadable
from edgenext_search.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    import numpy.typing as npt
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader

    from edgenext_search.data.augment.transforms import Transform
    from edgenext_search.data.loading.datasets import LabelledImages

TRIES = 100  # unreadable images in a row


class Request(NamedTuple):
    """The part of a batch that one process asks for: its epoch, image size in pixels, and rows of the set."""

    epoch: int
    size: int
    rows: npt.NDArray[np.int64]


class Loaded(NamedTuple):
    """What a worker hands over.

    Attributes:
        pixels: uint8 [b, 3, size, size].
        labels: int64 [b].
        rows: The rows asked for, int64.
        unreadable: Place and reason of each image that cannot be decoded.
    """

    pixels: torch.Tensor
    labels: torch.Tensor
    rows: npt.NDArray[np.int64]
    unreadable: list[tuple[str, str]]


class Loading(Protocol):
    """What workers do."""

    def __getitem__(self, request: Request) -> Loaded:
        """The images of a request."""
        ...


class AugmentedImages:
    """Training images; for one that cannot be decoded, the next of the set that can.

    Args:
        images: The set.
        transforms: What is done to them, by image size.
        seed: Seed of the training; with the epoch and the image it decides what is drawn.
    """

    def __init__(self, images: LabelledImages, transforms: dict[int, Transform], seed: int) -> None:
        self._images, self._transforms, self._seed = images, transforms, seed

    def __getitem__(self, request: Request) -> Loaded:
        """See :class:`Loading`."""
        import torch

        transform = self._transforms[request.size]
        seeds = Draws(self._seed, request.epoch, request.rows).integers(Stream.TRANSFORM, 2**32, 2**32, 2**32)
        pixels = torch.empty(len(request.rows), 3, request.size, request.size, dtype=torch.uint8)
        labels = torch.empty(len(request.rows), dtype=torch.int64)
        unreadable: list[tuple[str, str]] = []
        with own_randomness() as seed:
            for place, row in enumerate(request.rows.tolist()):
                image, labels[place] = self._readable(row, unreadable)
                seed(*seeds[place].tolist())
                pixels[place] = transform(image)
        return Loaded(pixels, labels, request.rows, unreadable)

    def _readable(self, row: int, unreadable: list[tuple[str, str]]) -> tuple[Image.Image, int]:
        for other in range(row, row + TRIES):
            index = other % len(self._images)
            try:
                return self._images.load(index), int(self._images.labels[index])
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
        self._images, self._transform = images, transform

    def __getitem__(self, request: Request) -> Loaded:
        """See :class:`Loading`."""
        import torch

        pixels = torch.empty(len(request.rows), 3, request.size, request.size, dtype=torch.uint8)
        readable: list[int] = []
        unreadable: list[tuple[str, str]] = []
        for row in request.rows.tolist():
            try:
                image = self._images.load(row)
            except UnreadableImageError as error:
                unreadable.append((error.where, error.reason))
            else:
                pixels[len(readable)] = self._transform(image)
                readable.append(row)
        labels = torch.from_numpy(self._images.labels[readable])
        return Loaded(pixels[: len(readable)], labels, request.rows, unreadable)


class Workers:
    """Batches in the order of their requests, loaded by processes that stay, or here.

    Args:
        loading: What they do.
        workers: Number of processes; 0 loads here.
        device: Where batches go next; for a GPU they are put into pinned memory.
    """

    def __init__(self, loading: Loading, *, workers: int, device: torch.device) -> None:
        import torch
        from torch.utils.data import DataLoader

        self._requests = _Requests()
        self._loader: DataLoader[Loaded] = DataLoader(
            loading,  # type: ignore[arg-type]  # any object with __getitem__
            batch_size=None,
            sampler=self._requests,
            num_workers=workers,
            collate_fn=_as_it_is,  # type: ignore[arg-type]  # without a batch size it is called with one item
            pin_memory=device.type == "cuda",
            persistent_workers=workers > 0,
            worker_init_fn=_let_the_parent_answer_signals,
            generator=torch.Generator(),  # or the global one would be drawn from
        )

    def load(self, requests: Iterable[Request]) -> Iterator[Loaded]:
        """The batches of the requests; an iterator that is given up leaves nothing behind."""
        self._requests.now = requests
        batches = iter(self._loader)
        if self._loader.num_workers:
            _close_at_exit()
            _at_work.add(self)
        return cast("Iterator[Loaded]", batches)

    def close(self) -> None:
        """End the processes; batches asked for later start new ones.

        Persistent workers end with the iterator that the loader keeps, and torch has no public way to end them before
        the garbage collector does.
        """
        iterator, self._loader._iterator = self._loader._iterator, None
        if iterator is not None and self._loader.num_workers:
            iterator._shutdown_workers()  # type: ignore[attr-defined]


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


class _Requests:
    """A sampler whose requests are set before each use."""

    now: Iterable[Request] = ()

    def __iter__(self) -> Iterator[Request]:
        return iter(self.now)


def _as_it_is(loaded: Loaded) -> Loaded:
    return loaded


_at_work: weakref.WeakSet[Workers] = weakref.WeakSet()


@functools.cache
def _close_at_exit() -> None:
    """Close what is at work when the interpreter ends, before multiprocessing, registered earlier, waits for it.

    It would send a SIGTERM, which workers leave to their parent, and wait for ever.
    """

    def close() -> None:
        for workers in list(_at_work):
            workers.close()

    atexit.register(close)


def _let_the_parent_answer_signals(_worker: int) -> None:
    """Batch systems and terminals signal every process; a worker ends with its parent, which saves first."""
    for name in ("SIGINT", "SIGTERM", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
