"""What the cache holds, for people who look after it."""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenext_search.data.cache.cleanup import entries, leftovers, remove, size_of, sweep, used
from edgenext_search.data.cache.locks import LOCK_FILE
from edgenext_search.data.cache.prepare import damage
from edgenext_search.errors import UserError
from edgenext_search.results import Result
from edgenext_search.texts import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence


class Holding(Result):
    """One entry of the cache as it lies on the disk; what is null cannot be read."""

    entry: str
    """Name of the entry, a digest."""
    folder: Path
    """Where it lies."""
    damage: str | None
    """What is wrong with it; null if it is whole."""
    name: str | None
    """Name of the source."""
    classes: int | None
    """Number of classes."""
    train_images: int | None
    """Images to train on."""
    val_images: int | None
    """Held-out images that score candidates."""
    image_size: int | None
    """Stored side, in pixels."""
    created: str | None
    """When it was written, in ISO 8601."""
    bytes: int
    """Size of all its files."""
    last_used: str | None
    """When a process last opened it, in ISO 8601."""
    used: bool
    """Whether a process has it open at present."""


class Leftover(Result):
    """A folder that a build or a removal left in the cache."""

    folder: Path
    """Where it lies."""
    bytes: int
    """Size of all its files."""
    used: bool
    """Whether a process works on it; otherwise that process died."""


class CacheInfo(Result):
    """What the cache of prepared images holds."""

    cache_dir: Path
    """Folder of all entries."""
    bytes: int
    """Size of all entries and leftovers."""
    entries: tuple[Holding, ...]
    """The entries, the one used last first."""
    leftovers: tuple[Leftover, ...]
    """What killed processes left behind, and what is being built or removed."""


class Cleared(Result):
    """What was removed from the cache."""

    cache_dir: Path
    """Folder of all entries."""
    removed: tuple[str, ...]
    """Names of the entries that are gone."""
    in_use: tuple[str, ...]
    """Names of entries that were kept, because a process uses them or they cannot be removed."""
    bytes_freed: int
    """Size of all that was removed, leftovers included."""


class PreparedImages(Result):
    """Images that were prepared for a study."""

    entry: str
    """Name of the cache's entry, a digest."""
    folder: Path
    """Path of the entry."""
    built: bool
    """Whether it was written now; false if it was there already."""
    name: str
    """Name of the image set."""
    classes: int
    """Number of classes."""
    train_images: int
    """Number of training images."""
    val_images: int
    """Number of held-out images, which score candidates."""
    image_size: int
    """Stored height and width, in pixels."""
    skipped: tuple[str, ...]
    """Unreadable images, each with its reason."""


def inventory(cache_dir: Path, *, verify: bool = False) -> CacheInfo:
    """What a cache holds.

    Args:
        cache_dir: Folder of all entries; may be missing.
        verify: Whether to read every file and compare its checksum.
    """
    entries_there = tuple(holdings(cache_dir, verify=verify))
    rest = tuple(Leftover(folder=path, bytes=size_of(path), used=used(path)) for path in leftovers(cache_dir))
    total = sum(entry.bytes for entry in entries_there) + sum(folder.bytes for folder in rest)
    return CacheInfo(cache_dir=cache_dir, bytes=total, entries=entries_there, leftovers=rest)


def clear(cache_dir: Path, chosen: Sequence[Path]) -> Cleared:
    """Remove leftovers, and those of the chosen entries that no process uses.

    Args:
        cache_dir: Folder of all entries.
        chosen: Folders of entries.
    """
    freed = sweep(cache_dir)
    gained = {folder.name: remove(folder) for folder in chosen}
    return Cleared(
        cache_dir=cache_dir,
        removed=tuple(name for name, size in gained.items() if size is not None),
        in_use=tuple(name for name, size in gained.items() if size is None),
        bytes_freed=freed + sum(size or 0 for size in gained.values()),
    )


def holdings(cache_dir: Path, *, verify: bool = False) -> list[Holding]:
    """All entries of a cache, the one used last first.

    Args:
        cache_dir: Folder of all entries; may be missing.
        verify: Whether to read every file and compare its checksum.
    """
    unsorted = [_holding(folder, verify=verify) for folder in entries(cache_dir)]
    return sorted(unsorted, key=lambda holding: holding.last_used or "", reverse=True)


def choose(cache_dir: Path, names: Sequence[str]) -> list[Path]:
    """The entries whose names begin as given.

    Raises:
        UserError: A name fits no entry, or several.
    """
    present = entries(cache_dir)
    chosen = []
    for name in names:
        fitting = [folder for folder in present if folder.name.startswith(name)] if name else []
        if not fitting:
            raise UserError(
                f"{cache_dir} has no entry {name!r}; `edgenext-search data info` lists the {len(present)} that it has."
                f"{nearest(name, [folder.name for folder in present])}"
            )
        if len(fitting) > 1:
            raise UserError(
                f"{len(fitting)} entries of {cache_dir} begin with {name!r}: {', '.join(f.name for f in fitting)}. "
                "Give more letters."
            )
        chosen += [folder for folder in fitting if folder not in chosen]
    return chosen


def _holding(folder: Path, *, verify: bool) -> Holding:
    lock = folder / LOCK_FILE
    looked_at_first = not lock.exists()
    wrong, in_use = damage(folder, verify=verify), used(folder)
    if looked_at_first:  # which has made the lock; looking is no use
        with contextlib.suppress(OSError):
            written = folder.joinpath("meta.json").stat().st_mtime
            os.utime(lock, (written, written))
    meta = _meta(folder)
    settings = meta.get("settings", {})
    rows = meta.get("rows", {})
    return Holding(
        entry=folder.name,
        folder=folder,
        damage=wrong,
        name=settings.get("name"),
        classes=len(meta["classes"]) if "classes" in meta else None,
        train_images=rows.get("train"),
        val_images=rows.get("val"),
        image_size=settings.get("image_size"),
        created=meta.get("created"),
        bytes=size_of(folder),
        last_used=_modified(lock),
        used=in_use,
    )


def _meta(folder: Path) -> dict[str, Any]:
    """The entry's description; nothing where it is not what it should be."""
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        right = isinstance(meta, dict) and isinstance(meta["settings"], dict) and isinstance(meta["rows"], dict)
    except (OSError, ValueError, KeyError):
        return {}
    return meta if right else {}


def _modified(path: Path) -> str | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
    except OSError:
        return None
