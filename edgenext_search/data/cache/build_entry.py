"""Building one cache entry: decode into its arrays, describe them, rename when whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from edgenext_search.data.cache.decoding import Done, decoder, tasks
from edgenext_search.data.cache.locks import Hold, hold
from edgenext_search.data.images import UnreadableImageError, fit_square, one_line
from edgenext_search.data.unreadable import check_classes, check_unreadable
from edgenext_search.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import numpy.typing as npt

    from edgenext_search.data.sources.source import Source, StreamedSource

    Pixels = npt.NDArray[np.uint8]
    Labels = npt.NDArray[np.int64]
    Progress = Callable[[int, int], None]

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
        workers: Processes that decode.
        progress: Called with (images done, images in all).

    Yields:
        The temporary folder, removed afterwards unless it was renamed.

    Raises:
        UserError: If more images are unreadable than tolerated, or the disk is full or not writable.
    """
    with _explaining(cache_dir):
        cache_dir.mkdir(parents=True, exist_ok=True)
        folder, held = new_folder(cache_dir, "building")
    try:
        rows, skipped = _write_parts(plan, folder, workers, progress or _silent)
        with _explaining(cache_dir):
            created = datetime.now(UTC).isoformat(timespec="seconds")
            meta = {**description, "created": created, "rows": rows, "skipped": skipped}
            meta["files"] = _describe_files(folder)
            meta["digest"] = digest_of(meta)
            (folder / "meta.json").write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        held.close()


def digest_of(meta: Mapping[str, Any]) -> str:
    """Checksum of an entry's description, all but the checksum itself."""
    rest = {key: value for key, value in meta.items() if key != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def new_folder(cache_dir: Path, purpose: str) -> tuple[Path, Hold]:
    """A hidden folder of a new name, held, with a folder's usual permissions (tempfile's are for the owner alone)."""
    while True:
        folder = cache_dir / f".{purpose}-{uuid.uuid4().hex}"
        folder.mkdir()
        held = hold(folder)
        if held is not None:  # else it was swept before it was held
            return folder, held


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
            aside, held = new_folder(folder.parent, "damaged")
            with contextlib.suppress(FileNotFoundError):
                folder.rename(aside / folder.name)
            shutil.rmtree(aside, ignore_errors=True)
            held.close()
            written.rename(folder)
    entry = open_verified(folder)
    if entry is None:
        raise UserError(
            f"The images written to {folder} do not read back as written: the disk is at fault. "
            "Put the cache on another with --cache-dir."
        )
    return entry


def _write_parts(plan: EntryPlan, folder: Path, workers: int, progress: Progress) -> tuple[dict[str, int], list[str]]:
    """Write the arrays of every part; returns the rows of each and the images left out."""
    source, size = plan.source, plan.image_size
    total = sum(len(indices) for indices in plan.parts.values())
    skipped: dict[str, str] = {}
    wanted: list[Labels] = []
    readable: list[Labels] = []
    rows: dict[str, int] = {}
    done = 0
    with _run_tasks(source, workers=workers, images=total) as run:
        for part, indices in plan.parts.items():
            path = folder / f"{part}_images.npy"
            with _explaining(folder.parent):
                images = _allocate(path, (len(indices), 3, size, size))
            missing: list[int] = []
            for count, unreadable in run(path, images, indices):
                missing += [row for row, _, _ in unreadable]
                skipped.update({where: reason for _, where, reason in unreadable})
                done += count
                progress(done, total)
            kept = np.delete(np.arange(len(indices)), missing)
            rows[part] = len(kept)
            wanted.append(source.labels[indices])
            readable.append(source.labels[indices[kept]])
            with _explaining(folder.parent):
                _close_gaps(images, kept)
                images.flush()
                np.save(folder / f"{part}_labels.npy", readable[-1].astype(np.int64))
                if missing:
                    _shorten(path, images, len(kept))
    check_unreadable(source, skipped)
    for before, after in zip(wanted, readable, strict=True):
        check_classes(source, before, after, skipped)
    return rows, [f"{where}: {reason}" for where, reason in skipped.items()]


@contextmanager
def _run_tasks(source: Source, *, workers: int, images: int) -> Iterator[Callable[..., Iterable[Done]]]:
    """Yield what decodes the images of one array: in tasks, or in one pass where the source has an order only."""
    if hasattr(source, "stream"):
        yield lambda _, array, indices: _streamed(cast("StreamedSource", source), array, indices)
        return
    with decoder(source, workers=workers, images=images) as decode:
        yield lambda path, _, indices: decode(tasks(path, indices))


def _streamed(source: StreamedSource, images: Pixels, indices: npt.NDArray[np.int64]) -> Iterator[Done]:
    for row, image in enumerate(source.stream(indices)):
        if isinstance(image, UnreadableImageError):
            yield Done(1, [(row, image.where, image.reason)])
        else:
            images[row] = fit_square(image, images.shape[-1])
            yield Done(1, [])


def _close_gaps(images: Pixels, kept: npt.NDArray[np.int64]) -> None:
    """Move the rows that are kept to the front, in order and a few at a time: the array may exceed the memory."""
    for first in range(0, len(kept), 1024):
        source = kept[first : first + 1024]
        if source[-1] != first + len(source) - 1:
            images[first : first + len(source)] = images[source]


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


def _describe_files(folder: Path) -> dict[str, dict[str, int | str]]:
    files: dict[str, dict[str, int | str]] = {}
    for path in sorted(folder.glob("*.npy")):
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        stat = path.stat()
        files[path.name] = {"bytes": stat.st_size, "sha256": sha256, "modified": stat.st_mtime_ns}
    return files


def _silent(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


@contextmanager
def _explaining(cache_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"The prepared images cannot be written to {cache_dir}: {one_line(error)}. "
            "Free some space there, or choose another folder with --cache-dir."
        ) from error
