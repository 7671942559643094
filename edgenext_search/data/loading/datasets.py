"""The images of a full training: all of `train/` to learn from, `val/` to evaluate on, one list of classes for both."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np

from edgenext_search.data.class_names import difference, read_classes
from edgenext_search.data.sources.open import open_source
from edgenext_search.errors import UserError
from edgenext_search.texts import nearest, printable

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from PIL import Image

    from edgenext_search.data.sources.source import Part, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledImages:
    """Images of some classes of a source.

    Attributes:
        source: Where they come from.
        rows: Index of each in the source, int64 [n].
        labels: Class of each, an index into ``classes``, int64 [n].
        classes: Class names, in the order of a network's outputs.
    """

    source: Source
    rows: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def load(self, index: int) -> Image.Image:
        """One image, whole and in RGB.

        Raises:
            UnreadableImageError: If it cannot be decoded.
        """
        return self.source.load(int(self.rows[index]))

    def keep(self, chosen: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Self:
        """The images of some indices, or of those that are true."""
        return replace(self, rows=self.rows[chosen], labels=self.labels[chosen])

    def without(self, names: Container[str]) -> Self:
        """The images but those of some names (as of :meth:`name_of`)."""
        return self.keep(np.array([self.name_of(index) not in names for index in range(len(self))], dtype=bool))

    def name_of(self, index: int) -> str:
        """A printable name of an image, which stays where others are removed, if the format of the data allows."""
        return printable(self.source.image_name(int(self.rows[index])))


class TrainSet(LabelledImages):
    """Images to learn from; never to evaluate on."""

    __slots__ = ()


class ValSet(LabelledImages):
    """Images to evaluate on; never to learn from."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FullData:
    """Both parts of a set.

    Attributes:
        train: Images to learn from.
        val: Images to evaluate on.
        classes: Class names, in the order of the network's outputs.
        name: How the set is called towards people.
    """

    train: TrainSet
    val: ValSet
    classes: tuple[str, ...]
    name: str

    @property
    def parts(self) -> dict[Part, TrainSet | ValSet]:
        """Both parts by their name."""
        return {"train": self.train, "val": self.val}

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know of the images, such as what was left out: a line each."""
        return (*self.train.source.notes, *self.val.source.notes)

    def fingerprint(self) -> str:
        """Digest of the content of both parts, the same for copies in other places."""
        parts = [images.source.fingerprint(images.rows) for images in self.parts.values()]
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]

    def without(self, names: Iterable[str]) -> FullData:
        """The images but some, each named by its part and its name therein: ``train/cat/1.jpg``."""
        left_out: dict[str, set[str]] = {"train": set(), "val": set()}
        for name in names:
            part, _, rest = name.partition("/")
            left_out.setdefault(part, set()).add(rest)
        train = self.train.without(left_out["train"]) if left_out["train"] else self.train
        val = self.val.without(left_out["val"]) if left_out["val"] else self.val
        return replace(self, train=train, val=val)


def open_full_data(data: str, *, data_dir: Path | None = None, classes_file: Path | None = None) -> FullData:
    """Open both parts of a set and check that they fit together, before an image is decoded.

    Args:
        data: A folder of ImageNet's layout, or a dataset name of timm; what a search's ``--data`` takes.
        data_dir: Where a named dataset lies.
        classes_file: Names of the classes to train on, one a line, in the order of the outputs; None for all in the
            source's order.

    Raises:
        UserError: A part is not there or not laid out as expected, its classes are not those of the other or not those
            of the file, or the source can only be read in order.
    """
    source = _open(data, data_dir, "train")
    val_source = _open(data, data_dir, "val")
    _check_apart(source, val_source)
    classes = read_classes(classes_file) if classes_file else source.classes
    train = _selected(TrainSet, source, classes, f"the training images of {source.name}")
    val = _selected(ValSet, val_source, classes, f"the validation images of {source.name}", whole=not classes_file)
    return FullData(train=train, val=val, classes=classes, name=source.name)


def open_val_set(data: str, *, data_dir: Path | None = None, classes: Sequence[str] | None = None) -> ValSet:
    """Open the validation images alone; the training images need not be there.

    Args:
        data: A folder of ImageNet's layout, or a dataset name of timm.
        data_dir: Where a named dataset lies.
        classes: Names of the classes in the order of the outputs; None for all in the source's order. The source may
            lack some of them if it has no others, whose names could be meant.

    Raises:
        UserError: As :func:`open_full_data`.
    """
    source = _open(data, data_dir, "val")
    where = f"the validation images of {source.name}"
    return _selected(ValSet, source, source.classes if classes is None else classes, where, part=True)


def _check_apart(train: Source, val: Source) -> None:
    """Check that the validation images are not the training images."""
    if np.array_equal(train.labels, val.labels) and train.fingerprint() == val.fingerprint():
        raise UserError(
            f"The validation images of {train.name} must be others than its training images, but they are the same: "
            "accuracy on images that were learnt from says nothing of others. Put others in their place."
        )


def _open(data: str, data_dir: Path | None, part: Part) -> Source:
    source = open_source(data, data_dir, part=part)
    if hasattr(source, "stream"):
        raise UserError(
            f"{source.name} can be read in order only, but full training and evaluation need any image at any time. "
            "Give it as hfds/ or wds/, or write it out as a folder with train/<class>/ and val/<class>/."
        )
    return source


Set = TypeVar("Set", TrainSet, ValSet)


def _selected(
    kind: type[Set],
    source: Source,
    classes: Sequence[str],
    where: str,
    *,
    whole: bool = False,
    part: bool = False,
) -> Set:
    """The images of some classes, labelled by their place among these.

    Args:
        kind: What to make.
        source: Where the images are.
        classes: The classes.
        where: What the source is, for messages.
        whole: Whether the source may not have others.
        part: Whether classes may have no images, or, unless the source has others, not be in it.
    """
    if whole and (said := difference(classes, source.classes, "the training images", where)):
        raise UserError(
            f"The classes of training and validation images must be the same, but {said}. Add images of these, or "
            "name the classes to train on with --classes."
        )
    if tuple(classes) == source.classes:
        new_label = np.arange(len(classes))
    else:
        counts = Counter(source.classes)
        lacking = part and set(source.classes) <= set(classes)
        wrong = [name for name in classes if counts[name] > 1 or not (counts[name] or lacking)]
        if wrong:
            why = "has no class" if not counts[wrong[0]] else "has several classes of the name"
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            raise UserError(
                f"{where[:1].upper()}{where[1:]} {why} {wrong[0]!r}{more}.{nearest(wrong[0], source.classes)} "
                f"Its {len(source.classes)} classes are {', '.join(source.classes[:5])}"
                f"{', ...' if len(source.classes) > 5 else ''}."
            )
        place = {name: label for label, name in enumerate(classes)}
        new_label = np.array([place.get(name, -1) for name in source.classes])
    labels = new_label[source.labels].astype(np.int64)
    rows = np.flatnonzero(labels >= 0).astype(np.int64)
    absent = np.setdiff1d(np.arange(len(classes)), labels[rows])
    if len(absent) and not (part and len(rows)):
        raise UserError(
            f"Every class needs images, but {where} has none of {len(absent)}: "
            f"{', '.join(repr(classes[label]) for label in absent[:5])}. Add some"
            f"{'' if part else ', or leave them out with --classes'}."
        )
    return kind(source=source, rows=rows, labels=labels[rows], classes=tuple(classes))
