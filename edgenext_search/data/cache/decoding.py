"""Decoding many images at once, straight into a memory-mapped array.

Pillow gives up Python's lock while it decodes and resizes, but holds it for about 0.15 ms an image around that, so
threads come to no more than some 7,000 images a second on any number of cores. Processes have no such bound, and cost a
part of a second to start. So large sets are decoded by processes, where the source can be pickled, and small ones by
threads. Processes are spawned: forking is unsafe once torch has run, and the fork server belongs to the trials.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import pickle
import signal
import tempfile
import threading
from collections import deque
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from edgenext_search.data.images import UnreadableImageError, fit_square
from edgenext_search.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from edgenext_search.data.sources.source import Source

PROCESSES_FROM = 4096
"""Images from which processes decode: fewer are done by threads in less than a second of each core."""
CHUNK = 16
"""Images of a task."""

SMALL = 32
"""Side that images are decoded for where they are only tried, in pixels: all of a JPEG is read, a part is computed."""

T = TypeVar("T")


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
    source: Source, scratch: Path, *, workers: int, images: int, fewer: str = "data prepare --workers 2"
) -> Iterator[Callable[..., Iterator[Done]]]:
    """Get ready to decode, in this process or in several.

    Args:
        source: The images; not one that is streamed.
        scratch: A folder for the pickled source.
        workers: Threads or processes; below 2 everything is done here and now.
        images: How many images there are to decode.
        fewer: What to give on the command line for fewer processes.

    Yields:
        A function that takes tasks and yields what became of each, in order; it raises `UserError` when a process
        died. Leaving the context early gives up the tasks that have not begun.
    """
    work: Callable[[Task], Done] = functools.partial(_decode, source)
    if workers < 2:
        yield functools.partial(map, work)
        return
    pickled = scratch / "source.pickle"
    if images >= PROCESSES_FROM and _pickle(source, pickled):
        pool: Executor = ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(str(pickled),)
        )
        work = functools.partial(_decode_pickled, str(pickled))
    else:
        pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        yield functools.partial(_in_order, pool, work, ahead=4 * workers)
    except BrokenProcessPool as error:
        raise UserError(
            f"A process that decodes images of {source.name} was killed, perhaps for want of memory; free some, or "
            f"decode with fewer processes (`edgenext-search {fewer}`)."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
        pickled.unlink(missing_ok=True)


def find_unreadable(
    source: Source, indices: np.ndarray[Any, np.dtype[np.int64]], *, workers: int
) -> dict[int, tuple[str, str]]:
    """Decode images to find those that cannot be.

    Args:
        source: The images; not one that is streamed.
        indices: Which of them, [n].
        workers: Threads or processes; below 2 everything is done here and now.

    Returns:
        Place and reason of each unreadable image, by its index.

    Raises:
        UserError: A process that decodes died.
    """
    unreadable: dict[int, tuple[str, str]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="edgenext-search-") as scratch,
        decoder(source, Path(scratch), workers=workers, images=len(indices), fewer="train --workers 1") as run,
    ):
        for done in run(tasks(None, indices)):
            unreadable.update({int(indices[row]): (where, reason) for row, where, reason in done.unreadable})
    return unreadable


def _in_order(pool: Executor, function: Callable[[Task], T], items: Iterable[Task], *, ahead: int) -> Iterator[T]:
    """`pool.map` with at most `ahead` tasks under way."""
    waiting: deque[Any] = deque()
    for item in items:
        if len(waiting) == ahead:
            yield waiting.popleft().result()
        with _interrupts_held():
            waiting.append(pool.submit(function, item))
    while waiting:
        yield waiting.popleft().result()


def _decode(source: Source, task: Task) -> Done:
    """Decode the images of a task, write their pixels, and leave the rows of unreadable ones as they are."""
    images = None  # or opened in a fifth of a millisecond, for all of the task
    if task.path is not None:
        images = np.lib.format.open_memmap(task.path, mode="r+")
    size = SMALL if images is None else images.shape[-1]
    unreadable = []
    for row, index in enumerate(task.indices, task.first):
        try:
            image = source.load(index, size)
            if images is not None:
                images[row] = fit_square(image, size)
        except UnreadableImageError as error:
            unreadable.append((row, error.where, error.reason))
    return Done(len(task.indices), unreadable)


def _pickle(source: Source, path: Path) -> bool:
    """Write the source to a file, once for all processes; False where it cannot be pickled."""
    try:
        encoded = pickle.dumps(source, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception:  # whatever an attribute of a library's object raises
        return False
    path.write_bytes(encoded)
    return True


@functools.cache
def _unpickled(path: str) -> Source:
    """The source of a decoding process, read once."""
    source: Source = pickle.loads(Path(path).read_bytes())  # noqa: S301 - the parent wrote it
    return source


def _begin(pickled: str) -> None:
    """Begin a decoding process: it ends with its parent, which alone answers Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _unpickled(pickled)


def _decode_pickled(pickled: str, task: Task) -> Done:
    return _decode(_unpickled(pickled), task)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let Ctrl-C wait, here and for good in processes that are started meanwhile and inherit this."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
