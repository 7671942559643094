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

SMALL = 32
"""Side that images are decoded for where they are only tried, in pixels: all of a JPEG is read, a part is computed."""


class Task(NamedTuple):
    """Some images, and where their pixels go.

    Attributes:
        path: An .npy file of uint8 [n, 3, size, size]; None decodes the images and drops them.
        first: Row of the first of them; the others follow.
        indices: Which images of the source.
    """

    path: Path | None
    first: int
    indices: list[int]


class Done(NamedTuple):
    """What became of a task: its number of images, and row, place and reason of each that cannot be read."""

    images: int
    unreadable: list[tuple[int, str, str]]


def tasks(path: Path | None, indices: np.ndarray[Any, np.dtype[np.int64]]) -> Iterator[Task]:
    """Images, `CHUNK` at a time, and the array that they go to, if any."""
    for first in range(0, len(indices), CHUNK):
        yield Task(path, first, indices[first : first + CHUNK].tolist())


@contextmanager
def decoder(
    source: Source, *, workers: int, images: int, fewer: str = "data prepare --workers 2"
) -> Iterator[Callable[..., Iterator[Done]]]:
    """Get ready to decode, in this process or in several.

    Args:
        source: The images; not one that is streamed.
        workers: Most processes; below 2, or where they cannot be given the source, everything is done here.
        images: How many images there are to decode.
        fewer: What to give on the command line for fewer processes.

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
        source=source,
        remedy=f"decode with fewer processes (`edgenext-search {fewer}`)",
    )
    try:
        yield pool.map
    finally:
        pool.close()


def find_unreadable(
    source: Source, indices: np.ndarray[Any, np.dtype[np.int64]], *, workers: int
) -> dict[int, tuple[str, str]]:
    """Decode images to find those that cannot be.

    Args:
        source: The images; not one that is streamed.
        indices: Which of them, [n].
        workers: Most processes; below 2 everything is done here and now.

    Returns:
        Place and reason of each unreadable image, by its index.

    Raises:
        HostError: A process that decodes died or is stuck.
    """
    unreadable: dict[int, tuple[str, str]] = {}
    with decoder(source, workers=workers, images=len(indices), fewer="train --workers 1") as run:
        for done in run(tasks(None, indices)):
            unreadable.update({int(indices[row]): (where, reason) for row, where, reason in done.unreadable})
    return unreadable


def _decode(source: Source, task: Task) -> Done:
    """Decode the images of a task, write their pixels, and leave the rows of unreadable ones as they are."""
    images = None  # or opened in a fifth of a millisecond, for all of the task
    if task.path is not None:
        images = np.lib.format.open_memmap(task.path, mode="r+")
    size = SMALL if images is None else images.shape[-1]
    unreadable = []
    for row, index in enumerate(task.indices, task.first):
        worker_pool.reading(index)
        try:
            image = source.load(index, size)
            if images is not None:
                images[row] = fit_square(image, size)
        except UnreadableImageError as error:
            unreadable.append((row, error.where, error.reason))
    return Done(len(task.indices), unreadable)


def _can_be_pickled(source: Source) -> bool:
    try:
        pickle.dumps(source, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception:  # whatever an attribute of a library's object raises
        return False
    return True
