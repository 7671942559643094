"""What the cache holds, for people who look after it."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from edgenext_search.data.cache.cleanup import entries, size_of, used
from edgenext_search.data.cache.locks import LOCK_FILE
from edgenext_search.data.cache.prepare import damage
from edgenext_search.errors import UserError
from edgenext_search.texts import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One entry of the cache as it lies on the disk.

    Attributes:
        entry: The entry's name, a digest.
        folder: Where it lies.
        damage: What is wrong with it; None if it is whole. What follows is None where it cannot be read.
        name: Name of the source.
        classes: Number of classes.
        train_images: Images to learn from.
        val_images: Images that score candidates.
        image_size: Stored side in pixels.
        created: When it was written, in ISO 8601.
        bytes: Of all its files.
        last_used: When a process last opened it, in ISO 8601.
        used: Whether a process has it open at present.
    """

    entry: str
    folder: Path
    damage: str | None
    name: str | None
    classes: int | None
    train_images: int | None
    val_images: int | None
    image_size: int | None
    created: str | None
    bytes: int
    last_used: str | None
    used: bool


def holdings(cache_dir: Path, *, verify: bool = False) -> list[Holding]:
    """All entries of a cache, the one used last first.

    Args:
        cache_dir: Folder of all entries; may be missing.
        verify: Whether to read every file and compare its checksum.
    """
    found = [_holding(folder, verify=verify) for folder in entries(cache_dir)]
    return sorted(found, key=lambda holding: holding.last_used or "", reverse=True)


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
