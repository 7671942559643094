"""Where training images come from: one protocol, opened by name or path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from edgenext_search.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    from edgenext_search.data.images import UnreadableImageError

Part: TypeAlias = Literal["train", "val"]
"""Training images, or those of the validation set, which a search never looks at."""

TIMM_SCHEMES = ("torch", "hfds", "tfds", "wds")
"""Prefixes of timm's dataset names that can be read without downloading anything."""


class Source(Protocol):
    """One part of a labelled image set."""

    @property
    def name(self) -> str:
        """How the set is called towards people: "built-in", "folder photos", "torch/fashion_mnist"."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; a label is an index into them."""
        ...

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Class of each image, int64 [n]; known without decoding an image wherever the format allows."""
        ...

    @property
    def demonstration(self) -> bool:
        """True for the built-in set alone: scores on it say nothing about a user's task."""
        ...

    def fingerprint(self) -> str:
        """Short hex digest that changes when the content does."""
        ...

    def load(self, index: int, size: int | None = None) -> Image.Image:
        """Decode one image to RGB; safe to call from several threads.

        Args:
            index: Which one.
            size: Side of the square that it will be made. A large JPEG may come out as that square already, decoded
                at reduced scale. None for the whole picture.

        Raises:
            UnreadableImageError: If it cannot be decoded.
        """
        ...


class StreamedSource(Source, Protocol):
    """A source that can be read in order only, so that `load` would start over for each image."""

    def stream(self, indices: npt.NDArray[np.int64]) -> Iterator[Image.Image | UnreadableImageError]:
        """Yield the images at sorted `indices` in one pass, holding one at a time."""
        ...


def open_source(data: str | None, data_dir: Path | None = None, *, part: Part = "train") -> Source:
    """Open a set of images; nothing is downloaded.

    Args:
        data: None for the built-in set; a folder with `train/<class>/`; or the name of a dataset known to timm, such as
            `torch/fashion_mnist`. An existing folder wins over a dataset of the same name.
        data_dir: Where a named dataset lies.
        part: Training images or those of the validation set; the built-in set has training images alone.

    Returns:
        The source, its structure checked. Images are decoded later.

    Raises:
        UserError: If nothing of that name is there, or it does not have the structure expected.
    """
    if data is None:
        from edgenext_search.data.sources.builtin import BuiltinSource

        return BuiltinSource()
    path = Path(data).expanduser()
    if path.is_dir():
        from edgenext_search.data.sources.class_folders import FolderSource

        return FolderSource(path, part)
    scheme, separator, _ = data.partition("/")
    scheme = scheme.lower()
    if separator and scheme == "wds":
        from edgenext_search.data.sources.shards import ShardSource

        return ShardSource(data, data_dir, part)
    if separator and scheme in TIMM_SCHEMES:
        from edgenext_search.data.sources.timm_sets import open_timm

        return open_timm(data, data_dir, part)
    found = "a file" if path.is_file() else "nothing"
    raise UserError(
        f"--data must be a folder that holds train/<class>/ or a dataset name that begins with one of "
        f"{', '.join(known + '/' for known in TIMM_SCHEMES)}, but {data!r} is neither: there is {found} at "
        f"{path.absolute()}. Correct the path, or leave --data out to try the built-in set."
    )
