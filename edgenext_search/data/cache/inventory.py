"""What the cache holds, for people who look after it."""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenext_search.data.cache.cleanup import entries, leftovers, size_of, used
from edgenext_search.data.cache.locks import LOCK_FILE
from edgenext_search.data.cache.prepare import damage
from edgenext_search.errors import UserError
from edgenext_search.results import Result
from edgenext_search.texts import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence


class CacheEntry(Result):
    """One entry of the cache."""

    entry: str
    """Name of the entry, a digest."""
    folder: Path
    """Path of the entry."""
    damage: str | None
    """What is wrong with the entry; null if it is intact."""
    name: str | None
    """Name of the image set; this and the next fields are null where a damaged entry does not tell."""
    classes: int | None
    """Number of classes."""
    train_images: int | None
    """Number of training images."""
    val_images: int | None
    """Number of held-out images, which score candidates."""
    image_size: int | None
    """Stored height and width, in pixels."""
    created: str | None
    """Time of writing, in ISO 8601."""
    bytes: int
    """Size of all files of the entry."""
    last_used: str | None
    """Time of the last opening by a process, in ISO 8601."""
    used: bool
    """Whether a process has the entry open at present."""


class CacheLeftover(Result):
    """A folder that a process builds or removes, or left behind when it was killed."""

    folder: Path
    """Path of the folder."""
    bytes: int
    """Size of its files."""
    used: bool
    """Whether a living process builds or removes it."""


class CacheInfo(Result):
    """What the cache of prepared images holds."""

    cache_dir: Path
    """Path of the cache."""
    bytes: int
    """Size of all entries and leftovers."""
    entries: tuple[CacheEntry, ...]
    """The entries, the one used last first."""
    leftovers: tuple[CacheLeftover, ...]
    """Folders that killed processes left behind, or that living ones work on."""


class CacheCleared(Result):
    """What was removed from the cache."""

    cache_dir: Path
    """Path of the cache."""
    removed: tuple[str, ...]
    """Names of the removed entries."""
    in_use: tuple[str, ...]
    """Names of entries that stay, as a process uses them; the exit code is then 2."""
    bytes_freed: int
    """Size of what was removed, leftovers included."""


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


def cache_info(cache_dir: Path, *, verify: bool = False) -> CacheInfo:
    """All that a cache holds.

    Args:
        cache_dir: Folder of all entries; may be missing.
        verify: Whether to read every file and compare its checksum.
    """
    held = cache_entries(cache_dir, verify=verify)
    rest = [CacheLeftover(folder=path, bytes=size_of(path), used=used(path)) for path in leftovers(cache_dir)]
    total = sum(part.bytes for part in (*held, *rest))
    return CacheInfo(cache_dir=cache_dir, bytes=total, entries=tuple(held), leftovers=tuple(rest))


def cache_entries(cache_dir: Path, *, verify: bool = False) -> list[CacheEntry]:
    """All entries of a cache, the one used last first.

    Args:
        cache_dir: Folder of all entries; may be missing.
        verify: Whether to read every file and compare its checksum.
    """
    found = [_entry(folder, verify=verify) for folder in entries(cache_dir)]
    return sorted(found, key=lambda entry: entry.last_used or "", reverse=True)


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


def _entry(folder: Path, *, verify: bool) -> CacheEntry:
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
    return CacheEntry(
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
