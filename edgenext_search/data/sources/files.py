"""Images that are files below one folder."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgenext_search.data.fingerprint import fingerprint_of_files
from edgenext_search.data.images import UnreadableImageError, decode
from edgenext_search.texts import printable

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image


class FileSource:
    """Labelled files.

    Args:
        folder: The folder that the paths refer to, as an absolute path.
        name: How the set is called towards people.
        files: Path of each image, as the file system encodes it.
        labels: Class of each image.
        classes: Class names; a label is an index into them.
        notes: What people should know of the set, a line each.
    """

    demonstration = False

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        files: Sequence[bytes],
        labels: Sequence[int] | npt.NDArray[np.int64],
        classes: tuple[str, ...],
        notes: tuple[str, ...],
    ) -> None:
        self._folder = folder
        self.name = name
        self._files = np.array(files)  # one block, which processes that are forked share; a list they would copy
        self.labels: npt.NDArray[np.int64] = np.array(labels, dtype=np.int64)
        self.classes = classes
        self.notes = notes

    def fingerprint(self, rows: npt.NDArray[np.int64] | None = None) -> str:
        """Digest of every image's path below the folder and size, and of sampled bytes."""
        return fingerprint_of_files(str(self._folder), self._files if rows is None else self._files[rows])

    def former_fingerprint(self) -> str:
        """Digest of every image's path below the folder, size and modification time."""
        digest = hashlib.sha256()
        for file in self._files:
            found = (self._folder / os.fsdecode(file)).stat()
            digest.update(file + f"\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
        return digest.hexdigest()[:16]

    def load(self, index: int, size: int | None = None) -> Image.Image:
        """Decode one image to RGB.

        Raises:
            UnreadableImageError: If the file cannot be opened or decoded.
        """
        path = self._folder / self.image_name(index)
        where = printable(str(path))
        try:
            file = path.open("rb")
        except OSError as error:
            raise UnreadableImageError(where, error.strerror or str(error)) from error
        with file:
            return decode(file, where, size)

    def image_name(self, index: int) -> str:
        """The image's path below the folder."""
        return os.fsdecode(self._files[index])


def natural_key(name: str) -> tuple[list[int | str], str]:
    """Order as timm does: runs of digits count as numbers, case is ignored; ties are broken by the name itself."""
    parts: list[int | str] = [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name.lower())]
    return parts, name
