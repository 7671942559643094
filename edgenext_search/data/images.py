"""Decoding: any image file a user may own becomes RGB, or says why it cannot."""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from typing import IO, TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngImageFile

from edgenext_search.data.formats import image_formats

if TYPE_CHECKING:
    import numpy.typing as npt

DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    LookupError,
    RuntimeError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow and its plugins raise on bytes that are not what they claim to be."""

DRAFT = 2
"""Least size of a JPEG decoded at reduced scale, as a multiple of the size that it is made next."""

DEPTHS = (8, 10, 12, 14, 16)
"""Bits that cameras and detectors give a sample, which files store in 16."""

_ALPHA_MODES = ("RGBA", "RGBa", "LA", "La", "PA")


class UnreadableImageError(Exception):
    """One image cannot be decoded.

    Attributes:
        where: The image's path, or its place in a dataset.
        reason: Why, in one line.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


def one_line(error: BaseException) -> str:
    """An exception's text on one line without a final stop, or its type's name where it has none."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def decode(file: IO[bytes], where: str, size: int | None = None) -> Image.Image:
    """Decode one image file.

    Args:
        file: The encoded image, open for reading.
        where: Its path or place, for the error.
        size: See :func:`to_rgb`.

    Returns:
        The image in mode RGB, turned upright.

    Raises:
        UnreadableImageError: If the bytes are no image, are cut short, or hold values without an agreed colour.
    """
    _ignore_warnings()
    try:
        with Image.open(file, formats=image_formats()) as image:
            return to_rgb(_whole_depth(image, file), size)
    except UnidentifiedImageError as error:
        raise UnreadableImageError(where, _what_else(file)) from error
    except DECODING_ERRORS as error:
        raise UnreadableImageError(where, one_line(error)) from error


def to_rgb(image: Image.Image, size: int | None = None) -> Image.Image:
    """Turn an image of any mode into 8-bit RGB.

    The EXIF orientation is applied. Transparent pixels are laid over white. 16-bit grey is scaled to 8 bits, where
    Pillow's own conversion would clip it to white; see :func:`_scaled`.

    Args:
        image: An image of any mode.
        size: Side of the square that :func:`fit_square` will make of it. A JPEG that is not decoded yet and is large
            enough is decoded at 1/2, 1/4 or 1/8 of its size, at least :data:`DRAFT` times this, and comes out as the
            square: photographs of a camera take a third of the time. None for the whole picture.

    Returns:
        The same picture in mode RGB.

    Raises:
        ValueError: If the mode has no agreed range: floats, or integers beyond 16 bits.
    """
    _ignore_warnings()
    if size is not None:
        image = _reduced(image, size)
    image = ImageOps.exif_transpose(image)
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):
        image = _from_16_bit(image)
    elif image.mode == "F":
        raise ValueError("its pixels are floats, which have no agreed range; save it with 8 or 16 bits a channel")
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def fit_square(image: Image.Image, size: int) -> npt.NDArray[np.uint8]:
    """Resize the shorter side to `size` (bicubic) and cut the middle square out.

    Args:
        image: An RGB image.
        size: Side of the square, in pixels.

    Returns:
        uint8 array [3, size, size].
    """
    if image.size != (size, size):
        image = _square(image, size, *image.size)
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


def _reduced(image: Image.Image, size: int) -> Image.Image:
    """The square of a JPEG decoded at reduced scale; any other image as it is."""
    whole = image.size
    drafted = image.draft(None, (DRAFT * size, DRAFT * size))
    if drafted is None or image.size == whole:
        return image
    _, (_, _, width, height) = drafted  # without the part of a pixel that the last row and column are padded by
    return _square(image, size, width, height)


def _square(image: Image.Image, size: int, width: float, height: float) -> Image.Image:
    """The middle square of the upper left `width` x `height` pixels."""
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return image.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))


def _from_16_bit(image: Image.Image) -> Image.Image:
    """Scale mode I or I;16*, both of which Pillow uses for 16-bit grey, to mode L."""
    values = np.asarray(image).astype(np.int64)
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise ValueError(f"its pixels reach from {values.min()} to {values.max()}, beyond 16 bits")
    return Image.fromarray(_scaled(values))


def _scaled(values: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Scale samples stored in 16 bits to 8.

    White is the largest number of the least of 8, 10, 12, 14 and 16 bits that hold all samples: a camera of 12 bits
    writes 0 to 4095, which would be nearly black among 65,536.
    """
    largest = int(values.max(initial=0))
    white = next((1 << bits) - 1 for bits in DEPTHS if largest < 1 << bits)
    return ((values * 255 + white // 2) // white).astype(np.uint8)


def _whole_depth(image: Image.Image, file: IO[bytes]) -> Image.Image:
    """A colour PNG with 16 bits a channel, scaled by its depth: Pillow takes the upper 8 of the 16 bits alone.

    Args:
        image: An image that is not decoded yet.
        file: Its file.

    Returns:
        The scaled image, or any other as it is.
    """
    rawmode = image.tile[0][3] if isinstance(image, PngImageFile) and image.tile else None
    if rawmode not in ("RGB;16B", "RGBA;16B"):
        return image
    upper = np.asarray(image).astype(np.int64)
    if upper[..., :3].max(initial=0) >= 1 << DEPTHS[-2] - 8:
        return image
    file.seek(0)
    with PngImageFile(file) as again:
        codec, box, offset, _ = again.tile[0]
        again.tile = [(codec, box, offset, f"{rawmode[:-1]}L")]  # type: ignore[list-item]  # Pillow 10 has tuples
        values = upper * 256 + np.asarray(again)
    pixels = np.concatenate([_scaled(values[..., :3]), upper[..., 3:].astype(np.uint8)], axis=-1)
    scaled = Image.fromarray(pixels)
    scaled.info = image.info
    return scaled


def _what_else(file: IO[bytes]) -> str:
    """What a file is that is no image."""
    file.seek(0)
    head = file.read(256)
    if not head:
        return "the file is empty"
    if head.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS; fetch the image with git lfs pull"
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "it is a web page"
    return "cannot identify image file"


_PILLOW = re.compile(r"PIL\.|pillow_")


def _ignore_warnings() -> None:
    """Keep Pillow from warning of metadata and large images, which it decodes all the same, without naming the file.

    `warnings.catch_warnings` is not safe with threads, so the filter stays.
    """
    if not any(module == _PILLOW for _, _, _, module, _ in warnings.filters):
        warnings.filterwarnings("ignore", module=_PILLOW.pattern)
