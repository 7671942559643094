"""Whatever bytes an image file holds, it is decoded or counted and named: nothing else happens."""

import contextlib
import io
import itertools
import json
from pathlib import Path

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from edgenext_search.data.images import UnreadableImageError, decode, fit_square

from .commands import examples, written
from .inputs import damaged

FORMATS = (
    "JPEG",
    "PNG",
    "WEBP",
    "GIF",
    "TIFF",
    "BMP",
    "JPEG2000",
    "AVIF",
    "ICO",
    "TGA",
    "PPM",
    "PCX",
    "SGI",
    "DDS",
    "QOI",
)
MODES = ("RGB", "L", "RGBA", "P", "CMYK", "I;16", "1", "LA")
SETTINGS = ({}, {"progressive": True}, {"compression": "tiff_lzw"}, {"compression": "tiff_deflate"}, {"save_all": True})


def _saved(name, mode, options):
    pixels = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8))
    file = io.BytesIO()
    (pixels.convert("L") if mode == "I;16" else pixels).convert(mode).save(file, name, **options)
    return file.getvalue()


def _pictures():
    """Small images of all formats and modes that can be written."""
    Image.init()
    found = {}
    for name, mode, number in itertools.product(FORMATS, MODES, range(len(SETTINGS))):
        with contextlib.suppress(OSError, ValueError, KeyError):
            found[_saved(name, mode, SETTINGS[number])] = None
    return list(found)


PICTURES = _pictures()


def files():
    return st.sampled_from(PICTURES).flatmap(damaged) | st.binary(max_size=200)


AVIF = _saved("AVIF", "RGB", {})


@examples(150)
@example(content=AVIF[: len(AVIF) // 2] + b"\xff" * 40 + AVIF[len(AVIF) // 2 + 40 :], size=None)
@given(content=files(), size=st.sampled_from((None, 16)))
def test_decoding(content, size, capfd):
    try:
        image = decode(io.BytesIO(content), "a/1.jpg", size)
    except UnreadableImageError as error:
        said = (error.where, error.reason, len(error.reason.splitlines()))
        assert said == ("a/1.jpg", error.reason, 1)  # noqa: PT017 - either end is right
    else:
        assert image.mode == "RGB"
        assert fit_square(image, 16).shape == (3, 16, 16)
    assert capfd.readouterr().out == ""


@examples(4)
@given(content=files().filter(lambda content: content[:2] not in (b"II", b"MM")))  # libtiff writes lines of its own
def test_class_folders(here, content):
    """One file of twenty; the rule allows none of so few, so that the command names it or takes it."""
    for number in range(20):
        folder = Path("images", "train", "ab"[number % 2])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(PICTURES[0])
    written("images/train/a/0.png", content)
    command = ("data", "prepare", "--study=demo", "--data=images", "--set=proxy.img_size=32", "--workers=1", "--json")
    result = here.ends_well(*command)
    if result.exit_code == 2:
        assert "0.png" in result.stderr
    else:
        assert json.loads(result.stdout)["skipped"] == []
