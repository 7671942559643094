"""Images decoded and resized once, then memory-mapped by every trial.

An entry is a folder named by a digest of everything that decides its content. It is written under another name and
renamed when whole, so a reader sees all of it or nothing, and of two processes that prepare the same entry the later
one finds the earlier one's.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgenext_search.data.cache.build_entry import EntryPlan, digest_of, install, write_entry
from edgenext_search.data.cache.cleanup import sweep
from edgenext_search.data.cache.locks import Hold, hold
from edgenext_search.data.split import stratified_split, stratified_subset
from edgenext_search.errors import UserError
from edgenext_search.files import expanded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from edgenext_search.data.sources.source import Source

FORMAT = 2
"""Version of the entry's layout and of the resizing: part of the key."""
PARTS = ("train", "val")


@dataclass(frozen=True, slots=True, eq=False)
class ImageSet:
    """Images of one part, in memory no further than the pages that are read.

    Attributes:
        images: uint8 [n, 3, S, S], memory-mapped and read-only.
        labels: int64 [n], read-only.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PreparedData:
    """One entry of the cache, opened.

    Attributes:
        folder: Where it lies; all that a trial's process needs to be told.
        name: Name of the source.
        classes: Class names; labels are indices into them.
        demonstration: True for the built-in set.
        image_size: Stored side S in pixels, margin for cropping included.
        train: Images to learn from.
        val: Images that score a candidate, a held-out part of the source's training images.
        skipped: Images that could not be read and are left out, each with its reason.
        fingerprint: Digest of the source's content and the settings: the entry's name.
        created: When it was written, in ISO 8601.
        hold: Keeps the entry from being removed while this object lives.
    """

    folder: Path
    name: str
    classes: tuple[str, ...]
    demonstration: bool
    image_size: int
    train: ImageSet
    val: ImageSet
    skipped: tuple[str, ...]
    fingerprint: str
    created: str
    hold: Hold = field(repr=False, compare=False)


class _DamagedEntryError(Exception):
    """An entry is incomplete or does not match its description."""


def default_cache_dir() -> Path:
    """`$EDGENEXT_SEARCH_CACHE`, else `$XDG_CACHE_HOME/edgenext-search`, else `~/.cache/edgenext-search`.

    Raises:
        UserError: None of them is known.
    """
    if own := os.environ.get("EDGENEXT_SEARCH_CACHE"):
        return expanded(own)
    base = expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    if str(base).startswith("~"):
        raise UserError("There is no home folder to keep prepared images in; give --cache-dir, or set HOME.")
    return base / "edgenext-search"


def prepare(
    source: Source,
    *,
    image_size: int,
    train_images: int | None,
    val_images: int | None,
    val_fraction: float,
    seed: int,
    cache_dir: Path,
    workers: int,
    progress: Callable[[int, int], None] | None = None,
) -> PreparedData:
    """Split the source, decode and resize what is needed, or open the entry that already holds it.

    A hit is verified by checksum and touches no image; a damaged entry is built anew. What a killed process left
    half-built in the cache is removed.

    Args:
        source: The images.
        image_size: Side to store, in pixels: shorter side resized to it (bicubic), middle square kept.
        train_images: At most this many to train on, stratified; None for all that are not held out.
        val_images: At most this many to score on, stratified; None for all that are held out.
        val_fraction: Fraction of each class held out, in (0, 1).
        seed: Of the split and the subsets.
        cache_dir: Where entries lie; made if missing.
        workers: Processes that decode; the result does not depend on it.
        progress: Called with (images done, images in all) while an entry is built, not on a hit.

    Returns:
        The opened entry.

    Raises:
        UserError: If the settings do not fit the source, too many images are unreadable, or the cache is not writable.
        HostError: If a process that decodes was killed or is stuck.
    """
    settings = {
        "format": FORMAT,
        "source": source.fingerprint(),
        "image_size": image_size,
        "train_images": train_images,
        "val_images": val_images,
        "val_fraction": val_fraction,
        "seed": seed,
    }
    key = _key(settings)
    folder = cache_dir.absolute() / key
    sweep(folder.parent)
    entry = open_verified(folder)
    if entry is not None:
        return replace(entry, name=source.name)  # it may have been made of a folder of another name
    if image_size < 1:
        raise UserError(f"Images are stored with at least 1 pixel a side, but image_size is {image_size}. Use 64, say.")
    train, val = _choose(source, train_images, val_images, val_fraction, seed)
    plan = EntryPlan(source=source, parts={"train": train, "val": val}, image_size=image_size)
    description = {
        "settings": {**settings, "name": source.name},
        "fingerprint": key,
        "classes": source.classes,
        "demonstration": source.demonstration,
    }
    with write_entry(plan, folder.parent, description, workers=workers, progress=progress) as written:
        return install(written, folder, open_verified)


def former_fingerprint(data: PreparedData, source: Source, *, name: str) -> str:
    """The fingerprint that versions up to 0.1 recorded of the same images, split and size.

    Args:
        data: The prepared images.
        source: Where they come from.
        name: The name that the source had.
    """
    return _key({**_read_meta(data.folder)["settings"], "source": source.former_fingerprint(), "name": name})


def _key(settings: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:20]


def open_prepared(folder: Path) -> PreparedData:
    """Open an entry that `prepare` made: reads its description and maps its arrays.

    Checksums are computed only of files that were modified since they were last found right.

    Args:
        folder: `PreparedData.folder`.

    Returns:
        The opened entry.

    Raises:
        UserError: If there is no whole entry in the folder.
    """
    try:
        return _open(folder)
    except _DamagedEntryError as error:
        raise UserError(
            f"{folder} holds no usable prepared images: {error}. Run the command again: it prepares them anew."
        ) from error


def _choose(
    source: Source, train_images: int | None, val_images: int | None, val_fraction: float, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Indices into the source: to train on, and to score on."""
    labels = source.labels
    counts = np.bincount(labels, minlength=len(source.classes))
    alone = [name for name, count in zip(source.classes, counts, strict=True) if count == 1]
    if alone:
        raise UserError(
            f"Every class needs at least 2 images, one to train on and one to score on, but in {source.name} "
            f"{len(alone)} class(es) have 1: {', '.join(alone[:5])}. Add images, or remove the class (from val/ too)."
        )
    train, val = stratified_split(labels, val_fraction=val_fraction, seed=seed)
    if train_images is not None:
        train = train[stratified_subset(labels[train], n=train_images, seed=seed)]
    if val_images is not None:
        val = val[stratified_subset(labels[val], n=val_images, seed=seed)]
    return train, val


def open_verified(folder: Path) -> PreparedData | None:
    """The entry if it is whole, down to its checksums; None if it is absent or damaged."""
    try:
        return _open(folder, verify=True)
    except _DamagedEntryError:
        return None


def damage(folder: Path, *, verify: bool) -> str | None:
    """What is wrong with an entry; None if it is whole, with `verify` down to its checksums."""
    try:
        _open(folder, verify=verify, use=False)
    except _DamagedEntryError as error:
        return str(error)
    return None


def _open(folder: Path, *, verify: bool = False, use: bool = True) -> PreparedData:
    held = hold(folder)
    if held is None:
        raise _DamagedEntryError("it is not there, or being removed")
    meta = _read_meta(folder)
    try:
        if meta["digest"] != digest_of(meta) or meta["fingerprint"] != folder.name:
            raise _DamagedEntryError("meta.json is not as it was written")
        size = meta["settings"]["image_size"]
        parts = {part: _open_part(folder, part, meta["rows"][part], size, meta["files"]) for part in PARTS}
        for name, written in meta["files"].items():
            _check_content(folder / name, written, verify=verify)
        data = PreparedData(
            folder=folder,
            name=meta["settings"]["name"],
            classes=tuple(meta["classes"]),
            demonstration=meta["demonstration"],
            image_size=size,
            train=parts["train"],
            val=parts["val"],
            skipped=tuple(meta["skipped"]),
            fingerprint=meta["fingerprint"],
            created=meta["created"],
            hold=held,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise _DamagedEntryError(f"meta.json lacks {error}") from error
    if use:
        held.touch()
    return data


def _check_content(path: Path, written: dict[str, Any], *, verify: bool) -> None:
    """Compare a file with its checksum if asked to, or if it was modified since; note the time if it is right."""
    try:
        modified = path.stat().st_mtime_ns
        if not verify and modified == written["modified"]:
            return
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != written["sha256"]:
                raise _DamagedEntryError(f"{path.name} is not as it was written")
    except OSError as error:
        raise _DamagedEntryError(f"{path.name} cannot be read ({error})") from error
    if modified != written["modified"]:  # copied with the cache, say
        with contextlib.suppress(OSError):
            os.utime(path, ns=(written["modified"], written["modified"]))


def _read_meta(folder: Path) -> dict[str, Any]:
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _DamagedEntryError(f"meta.json cannot be read ({error})") from error
    if not isinstance(meta, dict):
        raise _DamagedEntryError("meta.json is no object")
    return meta


def _open_part(folder: Path, part: str, rows: int, size: int, files: dict[str, Any]) -> ImageSet:
    arrays = {}
    for what, shape, dtype in (("images", (rows, 3, size, size), np.uint8), ("labels", (rows,), np.int64)):
        path = folder / f"{part}_{what}.npy"
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            n_bytes = path.stat().st_size
        except (OSError, ValueError, EOFError) as error:
            raise _DamagedEntryError(f"{path.name} cannot be opened ({error})") from error
        if array.shape != shape or array.dtype != dtype or n_bytes != files[path.name]["bytes"]:
            raise _DamagedEntryError(
                f"{path.name} holds {array.dtype} {list(array.shape)} in {n_bytes} bytes, not {np.dtype(dtype)} "
                f"{list(shape)} in {files[path.name]['bytes']}"
            )
        arrays[what] = array
    return ImageSet(images=arrays["images"], labels=arrays["labels"])
