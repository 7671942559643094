"""Building one cache entry: decode in threads, write in order, rename when whole."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from edgenext_search.data.images import UnreadableImageError, fit_square, one_line
from edgenext_search.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy.typing as npt
    from PIL import Image

    from edgenext_search.data.source import Source, StreamedSource

    Pixels = npt.NDArray[np.uint8]
    Progress = Callable[[int, int], None]

UNREADABLE_FRACTION = 0.001
"""Unreadable images tolerated, as a fraction of those needed (rounded down)."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class EntryPlan:
    """What an entry will hold.

    Attributes:
        source: The images.
        parts: For each part the sorted indices of its images.
        image_size: Side to store, in pixels.
    """

    source: Source
    parts: Mapping[str, npt.NDArray[np.int64]]
    image_size: int


@contextmanager
def write_entry(
    plan: EntryPlan,
    cache_dir: Path,
    description: Mapping[str, Any],
    *,
    workers: int,
    progress: Progress | None,
) -> Iterator[Path]:
    """Write a whole entry into a temporary folder beside its final place.

    Args:
        plan: What to write.
        cache_dir: Folder of all entries; made if missing.
        description: What goes into meta.json beside the rows, files and skipped images.
        workers: Threads that decode.
        progress: Called with (images done, images in all).

    Yields:
        The temporary folder, removed afterwards unless it was renamed.

    Raises:
        UserError: If more images are unreadable than tolerated, or the disk is full or not writable.
    """
    with _explaining(cache_dir):
        cache_dir.mkdir(parents=True, exist_ok=True)
        folder = _new_folder(cache_dir, "building")
    try:
        rows, skipped = _write_parts(plan, folder, workers, progress)
        with _explaining(cache_dir):
            meta = {**description, "rows": rows, "skipped": skipped, "files": _describe_files(folder)}
            (folder / "meta.json").write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def install(written: Path, folder: Path, open_verified: Callable[[Path], T | None]) -> T:
    """Rename a written entry to its place; where a whole one already lies there, that one is used.

    Args:
        written: The temporary folder.
        folder: The entry's place, in the same parent.
        open_verified: Opens an entry, or returns None if it is absent or damaged.

    Returns:
        The opened entry.

    Raises:
        UserError: If the entry cannot be put in place or does not read back.
    """
    with _explaining(folder.parent):
        try:
            written.rename(folder)
        except OSError:
            entry = open_verified(folder)
            if entry is not None:
                return entry
            aside = _new_folder(folder.parent, "damaged")
            folder.rename(aside / folder.name)
            shutil.rmtree(aside, ignore_errors=True)
            written.rename(folder)
    entry = open_verified(folder)
    if entry is None:
        raise UserError(
            f"The images written to {folder} do not read back as written: the disk is at fault. "
            "Put the cache on another with --cache-dir."
        )
    return entry


def _write_parts(
    plan: EntryPlan, folder: Path, workers: int, progress: Progress | None
) -> tuple[dict[str, int], list[str]]:
    """Write the arrays of every part; returns the rows of each and the images left out."""
    source, size = plan.source, plan.image_size
    total = sum(len(indices) for indices in plan.parts.values())
    tolerated = int(total * UNREADABLE_FRACTION)
    skipped: list[UnreadableImageError] = []
    rows: dict[str, int] = {}
    done = 0
    for part, indices in plan.parts.items():
        path = folder / f"{part}_images.npy"
        with _explaining(folder.parent):
            images = _allocate(path, (len(indices), 3, size, size))
        kept: list[int] = []
        for index, pixels in zip(indices, _decoded(source, indices, size, workers), strict=True):
            if isinstance(pixels, UnreadableImageError):
                skipped.append(pixels)
            else:
                images[len(kept)] = pixels
                kept.append(int(source.labels[index]))
            done += 1
            if progress is not None:
                progress(done, total)
        rows[part] = len(kept)
        with _explaining(folder.parent):
            images.flush()
            np.save(folder / f"{part}_labels.npy", np.array(kept, dtype=np.int64))
            if len(kept) < len(indices):
                _shorten(path, images, len(kept))
    if len(skipped) > tolerated or not all(rows.values()):
        raise _too_many(source, skipped, total, tolerated)
    return rows, [str(error) for error in skipped]


def _decoded(
    source: Source, indices: npt.NDArray[np.int64], size: int, workers: int
) -> Iterator[Pixels | UnreadableImageError]:
    """Pixels of each image in order, a bounded number of them in flight.

    Threads and not processes: Pillow releases the interpreter's lock while it decodes and resizes, which is nearly all
    of the time, and threads share the source without pickling it.
    """

    def fit(image: Image.Image | UnreadableImageError) -> Pixels | UnreadableImageError:
        return image if isinstance(image, UnreadableImageError) else fit_square(image, size)

    def load(index: int) -> Pixels | UnreadableImageError:
        try:
            return fit(source.load(index))
        except UnreadableImageError as error:
            return error

    if hasattr(source, "stream"):
        yield from map(fit, cast("StreamedSource", source).stream(indices))
    elif workers < 2:
        yield from map(load, indices.tolist())
    else:
        with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
            yield from _in_order(pool, load, indices.tolist(), ahead=4 * workers)


def _in_order(pool: ThreadPoolExecutor, function: Callable[[int], T], items: list[int], ahead: int) -> Iterator[T]:
    """`pool.map` with at most `ahead` results waiting; the rest is cancelled when the reader stops early."""
    waiting = deque(pool.submit(function, item) for item in items[:ahead])
    try:
        for item in items[ahead:]:
            yield waiting.popleft().result()
            waiting.append(pool.submit(function, item))
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _allocate(path: Path, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[np.uint8]]:
    """A new memory-mapped .npy file with its disk blocks reserved.

    Without the reservation a full disk would show only when a page is written, as a signal that kills the process.
    """
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    n_bytes = path.stat().st_size
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, n_bytes)
    elif shutil.disk_usage(path.parent).free < n_bytes:
        raise OSError(f"{n_bytes} bytes are needed")
    return cast("np.memmap[Any, np.dtype[np.uint8]]", array)


def _shorten(path: Path, images: np.memmap[Any, np.dtype[np.uint8]], rows: int) -> None:
    """Rewrite the file with its first rows alone."""
    shorter = path.with_suffix(".short.npy")
    np.save(shorter, images[:rows])
    shorter.replace(path)


def _new_folder(cache_dir: Path, purpose: str) -> Path:
    """A hidden folder of a new name, with a folder's usual permissions (tempfile's are for the owner alone)."""
    folder = cache_dir / f".{purpose}-{uuid.uuid4().hex}"
    folder.mkdir()
    return folder


def _describe_files(folder: Path) -> dict[str, dict[str, int | str]]:
    files: dict[str, dict[str, int | str]] = {}
    for path in sorted(folder.glob("*.npy")):
        with path.open("rb") as file:
            files[path.name] = {
                "bytes": path.stat().st_size,
                "sha256": hashlib.file_digest(file, "sha256").hexdigest(),
            }
    return files


def _too_many(source: Source, skipped: list[UnreadableImageError], total: int, tolerated: int) -> UserError:
    first = "; ".join(str(error) for error in skipped[:3])
    return UserError(
        f"At most 0.1 % of the images may be unreadable ({tolerated} of the {total} needed from {source.name}), but "
        f"{len(skipped)} are: {first}{'; ...' if len(skipped) > 3 else ''}. Repair or remove these files."
    )


@contextmanager
def _explaining(cache_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"The prepared images cannot be written to {cache_dir}: {one_line(error)}. "
            "Free some space there, or choose another folder with --cache-dir."
        ) from error
