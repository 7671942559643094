"""Removing what nobody uses from the cache: entries, and what killed processes left behind."""

from __future__ import annotations

import contextlib
import re
import shutil
import uuid
from typing import TYPE_CHECKING

from edgenext_search.data.cache.locks import alone

if TYPE_CHECKING:
    from pathlib import Path

_ENTRY = re.compile(r"[0-9a-f]{20}")
_PURPOSES = ("building", "damaged", "removing")
_LEFTOVER = re.compile(rf"\.({'|'.join(_PURPOSES)})-[0-9a-f]{{32}}")


def sweep(cache_dir: Path) -> int:
    """Remove the hidden folders of processes that have died; returns the bytes freed."""
    return sum(remove(folder) or 0 for folder in leftovers(cache_dir))


def entries(cache_dir: Path) -> list[Path]:
    """Folders of all entries, whole or damaged; other folders are none of ours."""
    return _folders(cache_dir, _ENTRY)


def leftovers(cache_dir: Path) -> list[Path]:
    """Hidden folders in which entries are built or removed, by processes living or dead."""
    return _folders(cache_dir, _LEFTOVER)


def used(folder: Path) -> bool:
    """Whether a process has an entry open, or works on a leftover."""
    with alone(folder) as free:
        return not free


def remove(folder: Path) -> int | None:
    """Remove a folder of the cache unless it is used.

    An entry is renamed first, so that a reader finds it whole or not at all, and a sweep removes the rest should this
    process die.

    Returns:
        The bytes freed; None if another process uses it, or it cannot be removed.
    """
    with alone(folder) as free:
        if not free:
            return None
        freed = size_of(folder)
        gone = folder
        if not _LEFTOVER.fullmatch(folder.name):
            gone = folder.with_name(f".removing-{uuid.uuid4().hex}")
            try:
                folder.rename(gone)
            except OSError:
                return None
        shutil.rmtree(gone, ignore_errors=True)
        return freed


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder; those that vanish meanwhile count as nothing."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def _folders(cache_dir: Path, name: re.Pattern[str]) -> list[Path]:
    """Folders of the cache by name, sorted; none where it is absent or unreadable."""
    try:
        return sorted(path for path in cache_dir.iterdir() if name.fullmatch(path.name) and path.is_dir())
    except OSError:
        return []
