"""The protocol of labelled image sets, which every kind of source implements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    from edgenext_search.data.images import UnreadableImageError

Part: TypeAlias = Literal["train", "val"]
"""Training images, or those of the validation set, which a search never looks at."""


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

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know of the set, such as what was left out: a line each."""
        ...

    def image_name(self, index: int) -> str:
        """A name of an image within the set, which does not change when others are removed where the format allows."""
        ...

    def fingerprint(self, rows: npt.NDArray[np.int64] | None = None) -> str:
        """Short hex digest of the content, the same for copies in other places; see `data/fingerprint.py`.

        Args:
            rows: Sorted indices of the images that count; None for all.
        """
        ...

    def former_fingerprint(self) -> str:
        """The digest that versions up to 0.1 recorded, which may follow times and places."""
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
