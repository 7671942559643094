"""Which files are images: what the installed Pillow reads."""

from __future__ import annotations

import functools
import importlib
import importlib.util

from PIL import Image

PLUGINS = {"pillow_heif": "register_heif_opener", "pillow_avif": None, "pillow_jxl": None}
"""Packages that teach Pillow other formats, each with the function that does so where importing it is not enough."""

NOT_DECODED = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})
"""Formats that Pillow knows but cannot decode by itself: most it only identifies, EPS it hands to Ghostscript."""

_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*")
HEAD = 16  # bytes that `begins_as_image` looks at


@functools.cache
def image_formats() -> tuple[str, ...]:
    """Pillow's names of the formats that are decoded, the common ones first."""
    Image.preinit()
    Image.init()
    for package, register in PLUGINS.items():
        if importlib.util.find_spec(package) is not None:
            module = importlib.import_module(package)
            if register is not None:
                getattr(module, register)()
    return tuple(name for name in Image.ID if name not in NOT_DECODED)


@functools.cache
def image_extensions() -> frozenset[str]:
    """Endings of the names of image files, in small letters with their dot."""
    formats = {*image_formats(), "MPO"}  # MPO is opened as JPEG
    return frozenset(ending for ending, name in Image.registered_extensions().items() if name in formats)


def begins_as_image(head: bytes) -> bool:
    """Whether a file that begins so is a JPEG, PNG, GIF, BMP, TIFF, WebP, AVIF or HEIC.

    Args:
        head: Its first :data:`HEAD` bytes.
    """
    return (
        head.startswith(_BEGINNINGS)
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1"))
    )
