from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from edgenext_search.data.images import UnreadableImageError, decode, fit_square, to_rgb


def encoded(image, image_format, **options):
    file = io.BytesIO()
    image.save(file, image_format, **options)
    file.seek(0)
    return file


def pixel(image, x=0, y=0):
    return image.getpixel((x, y))


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 77, (77, 77, 77)),
        ("1", 1, (255, 255, 255)),
        ("RGB", (10, 20, 30), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), (255, 255, 255)),
        ("LA", (40, 0), (255, 255, 255)),
        ("LA", (40, 255), (40, 40, 40)),
        ("I;16", 257 * 99, (99, 99, 99)),
        ("I", 65535, (255, 255, 255)),
    ],
)
def test_every_mode_becomes_rgb(mode, colour, expected):
    image = Image.new(mode, (4, 4), colour)
    for way in (to_rgb(image), decode(encoded(image, "PNG"), "x.png") if mode != "I" else to_rgb(image)):
        assert way.mode == "RGB"
        assert pixel(way) == expected


def test_half_transparent_is_laid_over_white():
    assert pixel(to_rgb(Image.new("RGBA", (2, 2), (0, 0, 0, 128)))) == (127, 127, 127)


def test_palettes_keep_their_colours_and_their_transparency():
    image = Image.new("P", (2, 1))
    image.putpalette([200, 10, 20, 1, 2, 3])
    image.putpixel((1, 0), 1)
    assert pixel(decode(encoded(image, "PNG"), "x")) == (200, 10, 20)
    image.info["transparency"] = 1
    transparent = decode(encoded(image, "PNG", transparency=1), "x")
    assert (pixel(transparent), pixel(transparent, 1)) == ((200, 10, 20), (255, 255, 255))


def test_cmyk_jpeg():
    image = decode(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"), "x.jpg")
    red, green, blue = pixel(image)
    assert red > 240
    assert max(green, blue) < 15


def test_exif_orientation_turns_the_image_upright():
    image = Image.new("RGB", (8, 4), "black")
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to view
    assert decode(encoded(image, "JPEG", exif=exif), "x.jpg").size == (4, 8)


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8\xff\xe0 cut"])
def test_bytes_that_are_no_image_say_where(content):
    with pytest.raises(UnreadableImageError) as caught:
        decode(io.BytesIO(content), "somewhere/x.jpg")
    assert caught.value.where == "somewhere/x.jpg"
    assert "\n" not in caught.value.reason


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_a_cut_file_is_unreadable(image_format):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    whole = encoded(noise, image_format).getvalue()
    with pytest.raises(UnreadableImageError):
        decode(io.BytesIO(whole[: len(whole) // 2]), "x")


def test_float_pixels_and_wide_integers_are_refused_with_the_reason():
    with pytest.raises(ValueError, match="no agreed range"):
        to_rgb(Image.new("F", (2, 2), 0.5))
    with pytest.raises(ValueError, match="from 70000 to 70000, beyond 16 bits"):
        to_rgb(Image.new("I", (2, 2), 70000))


def test_fit_square_scales_the_shorter_side_and_cuts_the_middle():
    wide = Image.new("RGB", (30, 10), "black")
    wide.paste("white", (10, 0, 20, 10))
    square = fit_square(wide, 5)
    assert (square.shape, square.dtype) == ((3, 5, 5), np.uint8)
    assert square[:, :, 1:-1].min() == 255
    assert square.min() > 200  # bicubic looks a little past the cut


def test_fit_square_leaves_pixels_of_the_right_size_alone():
    pixels = np.random.default_rng(0).integers(0, 255, (7, 7, 3), dtype=np.uint8)
    assert np.array_equal(fit_square(Image.fromarray(pixels), 7), pixels.transpose(2, 0, 1))
