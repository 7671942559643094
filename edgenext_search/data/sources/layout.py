"""Where the training and the validation images of a folder lie."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgenext_search.data.sources.listing import Listing, is_folder
from edgenext_search.data.sources.source import Part
from edgenext_search.errors import UserError

TRAIN = "train"
VAL_NAMES = ("val", "validation", "valid", "dev", "test")
"""Names of the validation images, the one that is taken first where there are several."""
VAL_SHARE = 0.2
"""Share of each class that becomes validation images where a set has no split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The folders of both parts.

    Attributes:
        train: Folder that holds the class folders of the training images.
        val: That of the validation images; the same one where the set has no split.
        note: What was taken for what, where that goes without saying in no other way; empty else.
    """

    train: Path
    val: Path
    note: str = ""

    @property
    def split(self) -> bool:
        """Whether each part has a folder of its own."""
        return self.train != self.val

    def folder(self, part: Part) -> Path:
        """The folder of a part."""
        return self.train if part == TRAIN else self.val


def find_layout(root: Path) -> Layout:
    """Where the parts of the images in a folder lie.

    Args:
        root: The folder, which may lack either part: whoever opens one says so.

    Raises:
        UserError: It holds several sets, or cannot be listed.
    """
    vals = [name for name in VAL_NAMES if is_folder(root / name)]
    if vals or is_folder(root / TRAIN) or _is_part(root):
        return Layout(train=root / TRAIN, val=root / (vals or VAL_NAMES)[0], note=val_note(vals, "/"))
    classes = Listing(str(root)).folders()
    if len(classes) < 2:
        return Layout(train=root / TRAIN, val=root / VAL_NAMES[0])
    for name in sorted(classes):
        if is_folder(root / name / TRAIN):
            raise UserError(f"{root} holds several sets of images, such as {root / name}; give one of them.")
    return Layout(train=root, val=root)


def _is_part(root: Path) -> bool:
    """Whether a folder is itself a part, so that its parent is the set."""
    return root.name in (TRAIN, *VAL_NAMES) and is_folder(root.parent / TRAIN)


def val_note(vals: Sequence[str], sign: str = "") -> str:
    """What people should know of the validation images; empty where they are ``val`` or there are none.

    Args:
        vals: Those of :data:`VAL_NAMES` that are there.
        sign: What is written behind each name.
    """
    if vals in ([], [VAL_NAMES[0]]):
        return ""
    unused = f"; not used: {', '.join(name + sign for name in vals[1:])}" if vals[1:] else ""
    return f"{vals[0]}{sign} holds the validation images, which no search looks at{unused}"


def split_by_name(names: Sequence[bytes], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which images of a set without a split are its validation images, bool [n].

    Of a class of c images, ``round(c * VAL_SHARE)``, at least one and at most c - 1. A digest of the name chooses them,
    so the choice is the same in each command, in copies of the set and on every machine, and images that are added move
    few others.

    Args:
        names: Name of each image within the set.
        labels: Class of each, int64 [n].
    """
    digests = np.array([hashlib.sha256(name).hexdigest() for name in names])
    chosen = np.zeros(len(names), dtype=bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = min(max(round(len(rows) * VAL_SHARE), 1), len(rows) - 1)
        chosen[rows[np.argsort(digests[rows], kind="stable")[:count]]] = True
    return chosen


def split_note(why: str, in_val: npt.NDArray[np.bool_]) -> str:
    """What people should know of :func:`split_by_name`: why it was used, and how many images it chose."""
    return (
        f"{why}, so {in_val.sum():,} of {len(in_val):,} images, a fifth of each class chosen by name, are the "
        "validation images, which no search looks at"
    )
