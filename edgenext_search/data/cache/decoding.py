"""Decoding many images at once, straight into a memory-mapped array.

Pillow gives up Python's lock while it decodes and resizes, but holds it for about 0.15 ms an image around that, so
threads come to no more than some 7,000 images a second on any number of cores. Processes have no such bound.
"""

from __future__ import annotations

import functools
import math
import pickle
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edgenext_search.data import worker_pool
from edgenext_search.data.images import UnreadableImageError, fit_square

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edgenext_search.data.sources.source import Source

CHUNK = 16
"""Images of a task."""
AHEAD = 4
"""Tasks of a process at once."""


class Task(NamedTuple):
    """Some images, and where their pixels go.

    Attributes:
        path: An .npy file of uint8 [n, 3, size, size].
        first: Row of the first of them; the others follow.
        indices: Which images of the source.
    """

    path: Path
    first: int
    indices: list[int]


class Done(NamedTuple):
    """What became of a task: its number of images, and row, place and reason of each that cannot be read."""

    images: int
    unreadable: list[tuple[int, str, str]]


def tasks(path: Path, indices: np.ndarray[Any, np.dtype[np.int64]]) -> Iterator[Task]:
    """The images of an array, `CHUNK` at a time."""
    for first in range(0, len(indices), CHUNK):
        yield Task(path, first, indices[first : first + CHUNK].tolist())


@contextmanager
def decoder(source: Source, *, workers: int, images: int) -> Iterator[Callable[..., Iterator[Done]]]:
    """Get ready to decode, in this process or in several.

    Args:
        source: The images; not one that is streamed.
        workers: Most processes; below 2, or where they cannot be given the source, everything is done here.
        images: How many images there are to decode.

    Yields:
        A function that takes tasks and yields what became of each, in order; it raises `HostError` when a process
        died or is stuck. Leaving the context early gives up the tasks that have not begun.
    """
    work = functools.partial(_decode, source)
    workers = min(workers, math.ceil(images / (CHUNK * AHEAD)))  # starting a process takes as long as some images
    if workers < 2 or not (worker_pool.START_METHOD == "fork" or _can_be_pickled(source)):
        yield functools.partial(map, work)
        return
    pool = worker_pool.WorkerPool(
        work,
        workers=workers,
        ahead=AHEAD * workers,
        reads=f"images of {source.name}",
        remedy="decode with fewer processes (`edgenext-search data prepare --workers 2`)",
    )
    try:
        yield pool.map
    finally:
        pool.close()


def _decode(source: Source, task: Task) -> Done:
    """Decode the images of a task, write their pixels, and leave the rows of unreadable ones as they are."""
    images = np.lib.format.open_memmap(task.path, mode="r+")  # a fifth of a millisecond, for all of the task
    size = images.shape[-1]
    unreadable = []
    for row, index in enumerate(task.indices, task.first):
        try:
            images[row] = fit_square(source.load(index, size), size)
        except UnreadableImageError as error:
            unreadable.append((row, error.where, error.reason))
    return Done(len(task.indices), unreadable)


def _can_be_pickled(source: Source) -> bool:
    try:
        pickle.dumps(source, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception:  # whatever an attribute of a library's object raises
        return False
    return True
