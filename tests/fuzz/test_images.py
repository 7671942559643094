"""Whatever bytes an image file holds, it is decoded or counted and named: nothing else happens."""

import io
import json
from pathlib import Path

import numpy as np
from hypothesis import given
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


def _pictures():
    """Small images of all formats and modes that can be written."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    found = []
    Image.init()
    for name in FORMATS:
        for mode in MODES:
            for options in SETTINGS:
                file = io.BytesIO()
                try:
                    image = (
                        Image.fromarray(pixels).convert("L").convert(mode)
                        if mode == "I;16"
                        else Image.fromarray(pixels).convert(mode)
                    )
                    image.save(file, name, **options)
                except (OSError, ValueError, KeyError):
                    continue
                if file.getvalue() not in found:
                    found.append(file.getvalue())
    return found


PICTURES = _pictures()


def files():
    return st.sampled_from(PICTURES).flatmap(damaged) | st.binary(max_size=200)


@examples(150)
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


@examples(10)
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
