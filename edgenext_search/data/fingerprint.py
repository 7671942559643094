"""The fingerprint of images by their content: names, labels, sizes and sampled bytes; no times, no absolute paths."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SAMPLED = 512
"""Images of which bytes are read, evenly spread."""
BLOCK = 1024
"""Bytes read at the beginning, the middle and the end of each."""


def content_fingerprint(images: Iterable[bytes], sample: Callable[[int], bytes], *, of: str = "") -> str:
    """Digest of images that is the same for copies, wherever and whenever they were made.

    All names, labels and sizes count, but the bytes of :data:`SAMPLED` images alone: a picture that is exchanged for
    another of exactly its size is noticed only if it is one of these.

    Args:
        images: What is known of each image without reading it: its name within the set, or label, and its size.
        sample: Reads sampled bytes of an image by its index, as :func:`sampled_bytes`.
        of: What else counts, such as the names of the classes.

    Returns:
        16 hex digits.
    """
    digest = hashlib.sha256(f"{of}\0".encode())
    count = 0
    for image in images:
        digest.update(b"%d:%b" % (len(image), image))
        count += 1
    for place in range(min(count, SAMPLED)):
        content = sample(place * count // min(count, SAMPLED))
        digest.update(b"%d:%b" % (len(content), content))
    return digest.hexdigest()[:16]


def sampled_bytes(file: BinaryIO, start: int = 0, size: int | None = None) -> bytes:
    """Size of an image and at most three blocks of it.

    Args:
        file: The file that holds it.
        start: Its place therein, in bytes.
        size: Its size; None for the rest of the file.
    """
    if size is None:
        size = file.seek(0, os.SEEK_END) - start
    blocks = [b"%d\0" % size]
    if size <= 3 * BLOCK:
        file.seek(start)
        return blocks[0] + file.read(size)
    for offset in (0, (size - BLOCK) // 2, size - BLOCK):
        file.seek(start + offset)
        blocks.append(file.read(BLOCK))
    return b"".join(blocks)


def sampled_bytes_at(path: str | Path, start: int = 0, size: int | None = None) -> bytes:
    """The same of a file by its path; a fixed text where it cannot be read, as a few images may be unreadable."""
    try:
        with Path(path).open("rb") as file:
            return sampled_bytes(file, start, size)
    except OSError:
        return b"unreadable"


def fingerprint_of_files(folder: str, names: Iterable[bytes]) -> str:
    """:func:`content_fingerprint` of files below a folder.

    Args:
        folder: The folder.
        names: Paths of the files below it, as the file system encodes them; part of the fingerprint.
    """
    files = list(names)

    def path(name: bytes) -> str:
        return f"{folder}/{os.fsdecode(name)}"

    return content_fingerprint(
        (name + b"\0%d" % _size(path(name)) for name in files), lambda index: sampled_bytes_at(path(files[index]))
    )


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - of many files
    except OSError:
        return -1
