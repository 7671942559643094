"""Class folders in ImageNet's layout: `train/<class>/**/image`, beside an optional `val/<class>/`."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgenext_search.data.images import IMAGE_EXTENSIONS, UnreadableImageError, decode
from edgenext_search.data.sources.source import Part
from edgenext_search.errors import UserError

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image

_EXPECTED = {
    "train": "Expected train/<class>/<images>, one folder for each class, and optionally val/<class>/<images>.",
    "val": "Expected val/<class>/<images>, one folder for each class of train/.",
}


class FolderSource:
    """The images below `train/`, or below `val/`.

    Of `train/` those of `val/` are never read, only its class names are checked. Class names and files are in timm's
    order (natural: "2" before "10"), so that labels mean the same to timm's own scripts. Files and folders whose names
    begin with a dot are left out.

    Args:
        root: The folder that holds `train/` and `val/`.
        part: Which of the two.

    Raises:
        UserError: If the layout is not the expected one; the message says what was found.
    """

    demonstration = False

    def __init__(self, root: Path, part: Part = "train") -> None:
        self.root = root.resolve()
        self.name = f"folder {self.root.name}"
        self._part = self.root / part
        self.classes = _class_names(self.root, self._part)
        files: list[bytes] = []
        labels: list[int] = []
        for label, class_name in enumerate(self.classes):
            images = _images_below(self._part / class_name, class_name)
            files += [os.fsencode(image) for image in images]
            labels += [label] * len(images)
        if part == "train":
            _check_val(self.root / "val", self.classes)
        self._files = np.array(files)  # one block, which processes that are forked share; a list they would copy
        self.labels: npt.NDArray[np.int64] = np.array(labels, dtype=np.int64)

    def fingerprint(self) -> str:
        """Digest of every image's path below its part's folder, size and modification time."""
        digest = hashlib.sha256()
        for file in self._files:
            stat = (self._part / os.fsdecode(file)).stat()
            digest.update(file + f"\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
        return digest.hexdigest()[:16]

    def load(self, index: int, size: int | None = None) -> Image.Image:
        """Decode one image to RGB.

        Raises:
            UnreadableImageError: If the file cannot be opened or decoded.
        """
        path = self._part / os.fsdecode(self._files[index])
        try:
            file = path.open("rb")
        except OSError as error:
            raise UnreadableImageError(str(path), error.strerror or str(error)) from error
        with file:
            return decode(file, str(path), size)


def _class_names(root: Path, folder: Path) -> tuple[str, ...]:
    if not folder.is_dir():
        above = f" Did you mean {root.parent}?" if (root.parent / folder.name).is_dir() else ""
        raise UserError(f"{root} has no folder {folder.name}/; {_found(root)}. {_EXPECTED[folder.name]}{above}")
    names = sorted((entry.name for entry in _visible(folder) if entry.is_dir()), key=_natural_key)
    if not names:
        raise UserError(f"{folder} has no class folders; {_found(folder)}. {_EXPECTED[folder.name]}")
    if len(names) < 2:
        raise UserError(
            f"A classifier needs at least 2 classes, but {folder} holds only {names[0]!r}. {_EXPECTED[folder.name]}"
        )
    return tuple(names)


def _images_below(folder: Path, class_name: str) -> list[str]:
    """Paths of a class's images, relative to its part's folder, in natural order."""
    images: list[str] = []
    others = 0
    for where, subfolders, files in os.walk(folder, followlinks=True):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        below = Path(where).relative_to(folder)
        for file in files:
            if file.lower().endswith(IMAGE_EXTENSIONS) and not file.startswith("."):
                images.append((Path(class_name) / below / file).as_posix())
            else:
                others += 1
    if not images:
        raise UserError(
            f"The class folder {folder} has no images, only {others} other file(s). Add images "
            f"({', '.join(IMAGE_EXTENSIONS)}) or remove the folder."
        )
    return sorted(images, key=_natural_key)


def _check_val(val: Path, classes: tuple[str, ...]) -> None:
    if not val.is_dir():
        return
    extra = sorted({entry.name for entry in _visible(val) if entry.is_dir()} - set(classes), key=_natural_key)
    if extra:
        raise UserError(
            f"Every class in val/ must be in train/ too, but {val} has {len(extra)} that train/ lacks: "
            f"{', '.join(extra[:5])}{', ...' if len(extra) > 5 else ''}. Rename or remove them, or add them to train/."
        )


def _visible(folder: Path) -> list[Path]:
    return [entry for entry in folder.iterdir() if not entry.name.startswith(".")]


def _found(folder: Path) -> str:
    """What a folder holds, for a message: "found 3 files and no folder", "found the folders a, b"."""
    entries = _visible(folder)
    folders = sorted(entry.name for entry in entries if entry.is_dir())
    n_files = len(entries) - len(folders)
    if not entries:
        return "it is empty"
    named = f"the folder(s) {', '.join(folders[:5])}{', ...' if len(folders) > 5 else ''}" if folders else "no folder"
    return f"found {named} and {n_files} file(s) directly inside"


def _natural_key(name: str) -> tuple[list[int | str], str]:
    """Order as timm does: runs of digits count as numbers, case is ignored; ties are broken by the name itself."""
    parts: list[int | str] = [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name.lower())]
    return parts, name
