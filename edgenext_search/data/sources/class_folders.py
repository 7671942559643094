"""Class folders in ImageNet's layout: `train/<class>/**/image`, beside an optional `val/<class>/`."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import numpy as np

from edgenext_search.data.sources.files import FileSource, natural_key
from edgenext_search.data.sources.layout import VAL_NAMES, find_layout, split_by_name, split_note
from edgenext_search.data.sources.listing import BESIDE, LeftOut, Listing, is_folder
from edgenext_search.data.sources.source import Part
from edgenext_search.errors import UserError
from edgenext_search.texts import counted, printable

_OTHER: dict[Part, Part] = {"train": "val", "val": "train"}
_EXPECTED = {
    "train": "Expected train/<class>/<images>, one folder for each class, and optionally val/<class>/<images>; or the "
    "class folders alone, which are then split.",
    "val": f"Expected val/<class>/<images>, one folder for each class of train/; {', '.join(VAL_NAMES[1:])} are names "
    "for val/ too.",
}


class FolderSource(FileSource):
    """The training or the validation images of a folder.

    The validation images are never read for the training images; only their class names are checked. Class names and
    files are in timm's order (natural: "2" before "10"), so that labels mean the same to timm's own scripts. What is an
    image, what is left out, and how a folder without `train/` is split is said in `docs/data.md`.

    Args:
        root: The folder that holds `train/` and `val/`, or class folders.
        part: Which of the two.

    Raises:
        UserError: If the layout is not the expected one, a folder cannot be listed or a link leads nowhere; the message
            says what was found.
    """

    def __init__(self, root: Path, part: Part = "train") -> None:
        self.root = root.resolve()
        name = f"folder {printable(self.root.name)}"
        layout = find_layout(self.root)
        folder, other = layout.folder(part), layout.folder(_OTHER[part])
        listing = Listing(str(folder), str(other) if layout.split else None)
        classes = _class_names(self.root, folder, listing, part)
        if part == "val" and layout.split:
            _check_apart(folder, other)
        files: list[bytes] = []
        counts = []
        for class_name in classes:
            images = _images_of(class_name, listing, folder, n_classes=len(classes), split=layout.split)
            files += [os.fsencode(image) for image in images]
            counts.append(len(images))
        labels = np.repeat(np.arange(len(classes)), counts)
        if part == "train" and layout.split:
            _check_val(other, classes)
        said = [layout.note] if layout.note else []
        if not layout.split:
            in_val = split_by_name(files, labels)
            said.append(split_note("without train/ and val/", in_val))
            chosen = np.flatnonzero(in_val == (part == "val"))
            files, labels = [files[index] for index in chosen], labels[chosen]
        where = f"{name}, {folder.name}/" if layout.split else name
        super().__init__(
            folder,
            name=name,
            files=files,
            labels=labels,
            classes=classes,
            notes=(*(f"{name}: {text}." for text in said), *_notes(where, listing.left_out, classes)),
        )


def _class_names(root: Path, folder: Path, listing: Listing, part: Part) -> tuple[str, ...]:
    if not is_folder(folder):
        above = f" Did you mean {root.parent}?" if is_folder(root.parent / folder.name) else ""
        raise UserError(f"{root} has no folder {folder.name}/; {_found(root)}. {_EXPECTED[part]}{above}")
    names = sorted(listing.folders(), key=natural_key)
    if not names:
        raise UserError(f"{folder} has no class folders; {_found(folder)}. {_EXPECTED[part]}")
    if len(names) < 2 and part == "train":
        raise UserError(
            f"A classifier needs at least 2 classes, but {folder} holds only {names[0]!r}. {_EXPECTED[part]}"
        )
    _check_names(folder, names)
    return tuple(names)


def _images_of(class_name: str, listing: Listing, part: Path, *, n_classes: int, split: bool) -> list[str]:
    """Paths of a class's images, relative to its part's folder, in natural order."""
    before = sum(listing.left_out.counts.values())
    images = listing.images(class_name)
    if images:
        return sorted(images, key=natural_key)
    folder = part / class_name
    if not split:
        raise UserError(
            f"{part} has no folder train/, and its folder {printable(class_name)} has no images, so it is no class. "
            f"{_EXPECTED['train']}"
        )
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
    extra = sorted(set(names) - set(classes), key=natural_key)
    if extra:
        looks = {_look(name): name for name in classes}
        twin = looks.get(_look(extra[0]))
        raise UserError(
            f"Every class in {val.name}/ must be in train/ too, but {val} has {len(extra)} that train/ lacks: "
            f"{', '.join(map(printable, extra[:5]))}{', ...' if len(extra) > 5 else ''}. Rename or remove them, or add "
            f"them to train/.{f' Written {extra[0]!a} there, {twin!a} in train/.' if twin else ''}"
        )


def _check_apart(val: Path, train: Path) -> None:
    if is_folder(train) and val.samefile(train):
        raise UserError(
            f"{val} must hold other images than {train}, but they are the same folder: accuracy on images that were "
            f"learnt from says nothing of others. Put images into {val.name}/ that are not in train/."
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
