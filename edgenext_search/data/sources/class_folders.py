"""Class folders in ImageNet's layout: `train/<class>/**/image`, beside an optional `val/<class>/`."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgenext_search.data.fingerprint import fingerprint_of_files
from edgenext_search.data.images import UnreadableImageError, decode
from edgenext_search.data.sources.listing import BESIDE, LeftOut, Listing, is_folder
from edgenext_search.data.sources.source import Part
from edgenext_search.errors import UserError
from edgenext_search.texts import counted, printable

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image

_OTHER: dict[Part, Part] = {"train": "val", "val": "train"}
_EXPECTED = {
    "train": "Expected train/<class>/<images>, one folder for each class, and optionally val/<class>/<images>.",
    "val": "Expected val/<class>/<images>, one folder for each class of train/.",
}


class FolderSource:
    """The images below `train/`, or below `val/`.

    Of `train/` those of `val/` are never read, only its class names are checked. Class names and files are in timm's
    order (natural: "2" before "10"), so that labels mean the same to timm's own scripts. What is an image and what is
    left out is said in `docs/data.md`.

    Args:
        root: The folder that holds `train/` and `val/`.
        part: Which of the two.

    Raises:
        UserError: If the layout is not the expected one, a folder cannot be listed or a link leads nowhere; the message
            says what was found.
    """

    demonstration = False

    def __init__(self, root: Path, part: Part = "train") -> None:
        self.root = root.resolve()
        self.name = f"folder {printable(self.root.name)}"
        self._part, other = self.root / part, self.root / _OTHER[part]
        listing = Listing(str(self._part), str(other))
        self.classes = _class_names(self.root, self._part, listing)
        if part == "val":
            _check_apart(self._part, other)
        files: list[bytes] = []
        labels: list[int] = []
        for label, class_name in enumerate(self.classes):
            images = _images_of(class_name, listing, self._part, n_classes=len(self.classes))
            files += [os.fsencode(image) for image in images]
            labels += [label] * len(images)
        if part == "train":
            _check_val(other, self.classes)
        self._files = np.array(files)  # one block, which processes that are forked share; a list they would copy
        self.labels: npt.NDArray[np.int64] = np.array(labels, dtype=np.int64)
        self.notes = _notes(f"{self.name}, {part}/", listing.left_out, self.classes)

    def fingerprint(self, rows: npt.NDArray[np.int64] | None = None) -> str:
        """Digest of every image's path below its part's folder and size, and of sampled bytes."""
        return fingerprint_of_files(str(self._part), self._files if rows is None else self._files[rows])

    def former_fingerprint(self) -> str:
        """Digest of every image's path below its part's folder, size and modification time."""
        digest = hashlib.sha256()
        for file in self._files:
            found = (self._part / os.fsdecode(file)).stat()
            digest.update(file + f"\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
        return digest.hexdigest()[:16]

    def load(self, index: int, size: int | None = None) -> Image.Image:
        """Decode one image to RGB.

        Raises:
            UnreadableImageError: If the file cannot be opened or decoded.
        """
        path = self._part / self.image_name(index)
        where = printable(str(path))
        try:
            file = path.open("rb")
        except OSError as error:
            raise UnreadableImageError(where, error.strerror or str(error)) from error
        with file:
            return decode(file, where, size)

    def image_name(self, index: int) -> str:
        """The image's path below its part's folder."""
        return os.fsdecode(self._files[index])


def _class_names(root: Path, folder: Path, listing: Listing) -> tuple[str, ...]:
    if not is_folder(folder):
        above = f" Did you mean {root.parent}?" if is_folder(root.parent / folder.name) else ""
        raise UserError(f"{root} has no folder {folder.name}/; {_found(root)}. {_EXPECTED[folder.name]}{above}")
    names = sorted(listing.folders(), key=_natural_key)
    if not names:
        raise UserError(f"{folder} has no class folders; {_found(folder)}. {_EXPECTED[folder.name]}")
    if len(names) < 2 and folder.name == "train":
        raise UserError(
            f"A classifier needs at least 2 classes, but {folder} holds only {names[0]!r}. {_EXPECTED[folder.name]}"
        )
    _check_names(folder, names)
    return tuple(names)


def _images_of(class_name: str, listing: Listing, part: Path, *, n_classes: int) -> list[str]:
    """Paths of a class's images, relative to its part's folder, in natural order."""
    before = sum(listing.left_out.counts.values())
    images = listing.images(class_name)
    if images:
        return sorted(images, key=_natural_key)
    folder = part / class_name
    others = sum(listing.left_out.counts.values()) - before
    only = f", only {counted(others, 'other file')}" if others else ""
    remedy = "Add some, such as .jpg or .png files"
    if n_classes > 2:
        remedy += f", or before a training remove {listing.removal(str(folder))}"
    raise UserError(f"The class folder {folder} has no images{only}. {remedy}.")


def _check_names(folder: Path, names: list[str]) -> None:
    """Check that names can be written, printed and told apart."""
    for name in names:
        if printable(name) != name:
            raise UserError(
                f"Names of class folders must be printable UTF-8, but {folder} holds {printable(name)}. Rename it "
                "(convmv renames from other encodings)."
            )
    alike: dict[str, str] = {}
    for name in names:
        other = alike.setdefault(_look(name), name)
        if other != name:
            raise UserError(
                f"Class folders must be told apart by more than spaces and Unicode's forms, but {folder} holds "
                f"{other!a} and {name!a}. Join or rename them."
            )


def _look(name: str) -> str:
    """What a name looks like: the same for composed and decomposed letters, and for any spaces."""
    return " ".join("".join(c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c) != "Cf").split())


def _check_val(val: Path, classes: tuple[str, ...]) -> None:
    if not is_folder(val):
        return
    names = Listing(str(val), str(val.parent / "train")).folders()
    extra = sorted(set(names) - set(classes), key=_natural_key)
    if extra:
        looks = {_look(name): name for name in classes}
        twin = looks.get(_look(extra[0]))
        raise UserError(
            f"Every class in val/ must be in train/ too, but {val} has {len(extra)} that train/ lacks: "
            f"{', '.join(map(printable, extra[:5]))}{', ...' if len(extra) > 5 else ''}. Rename or remove them, or add "
            f"them to train/.{f' Written {extra[0]!a} there, {twin!a} in train/.' if twin else ''}"
        )


def _check_apart(val: Path, train: Path) -> None:
    if is_folder(train) and val.samefile(train):
        raise UserError(
            f"{val} must hold other images than {train}, but they are the same folder: accuracy on images that were "
            "learnt from says nothing of others. Put images into val/ that are not in train/."
        )


def _notes(where: str, left_out: LeftOut, classes: tuple[str, ...]) -> tuple[str, ...]:
    notes = []
    if said := str(left_out):
        notes.append(f"{where}: left out, as no images: {said}.")
    by_case: dict[str, list[str]] = {}
    for name in classes:
        by_case.setdefault(name.casefold(), []).append(name)
    if same := [names for names in by_case.values() if len(names) > 1]:
        shown = "; ".join(", ".join(map(repr, names)) for names in same[:3]) + ("; ..." if len(same) > 3 else "")
        notes.append(f"{where}: classes that differ by case alone: {shown}.")
    return tuple(notes)


def _found(folder: Path) -> str:
    """What a folder holds, for a message: "found 3 files and no folder", "found the folders a, b"."""
    listing = Listing(str(folder))
    folders = sorted(map(printable, listing.folders()))
    n_files = listing.left_out.counts.get(BESIDE, 0)
    if not folders and not n_files:
        return "it is empty"
    named = f"the folder(s) {', '.join(folders[:5])}{', ...' if len(folders) > 5 else ''}" if folders else "no folder"
    return f"found {named} and {n_files} file(s) directly inside"


def _natural_key(name: str) -> tuple[list[int | str], str]:
    """Order as timm does: runs of digits count as numbers, case is ignored; ties are broken by the name itself."""
    parts: list[int | str] = [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name.lower())]
    return parts, name
