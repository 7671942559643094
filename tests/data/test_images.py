import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

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


def png_of_16_bits(values):
    """A PNG as cameras of 10 and 12 bits write it; Pillow writes none in colour."""
    height, width, channels = values.shape

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_samples_of_fewer_bits_than_they_are_stored_in_are_not_dark(channels, bits):
    values = np.random.default_rng(0).integers(0, 1 << bits, (9, 7, channels))
    values[0, 0] = (1 << bits) - 1
    if channels == 4:
        values[..., 3] = 65535
    image = decode(png_of_16_bits(values), "x.png")
    expected = np.broadcast_to(values[..., :3] * 255 / ((1 << bits) - 1), (9, 7, 3))
    assert np.abs(np.asarray(image) - expected).max() <= (1 if bits == 16 else 0.5)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "it is a pointer of Git LFS"),
        (b"\n<!DOCTYPE html><html>404</html>", "it is a web page"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n", "cannot identify image file"),
        (b"text", "cannot identify image file"),
    ],
)
def test_what_is_no_image_is_told(content, reason):
    with pytest.raises(UnreadableImageError) as caught:
        decode(io.BytesIO(content), "x.jpg")
    assert caught.value.reason.startswith(reason)


def test_pillow_does_not_warn(monkeypatch):
    """Warnings are errors here; these would be printed without the name of the file."""
    image = Image.new("P", (2, 1))
    image.putpalette([200, 10, 20, 1, 2, 3])
    assert decode(encoded(image, "PNG", transparency=b"\x00\xff"), "x.png").mode == "RGB"
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert decode(encoded(Image.new("RGB", (4, 4)), "PNG"), "x.png").size == (4, 4)


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


def photograph(height, width, seed=0):
    """Smooth noise with the spectrum of photographs, and one sharp edge."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    spectrum = np.exp(2j * np.pi * rng.random((3, *frequency.shape))) / np.maximum(frequency, 1 / width) ** 1.2
    pixels = np.fft.irfft2(spectrum, s=(height, width))
    pixels = 118 + 45 * pixels / pixels.std()
    pixels[:, height // 3 :, : width // 4] -= 60
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8).transpose(1, 2, 0))


@pytest.mark.parametrize(("size", "scale"), [(200, 1), (151, 1), (150, 2), (76, 2), (75, 4), (37, 8), (5, 8)])
def test_a_large_jpeg_is_decoded_at_reduced_scale_but_twice_the_size_at_least(size, scale, monkeypatch):
    loaded = []
    real = JpegImageFile.load
    monkeypatch.setattr(JpegImageFile, "load", lambda image: (loaded.append(image.size), real(image))[1])
    image = decode(encoded(photograph(600, 800), "JPEG"), "x.jpg", size)
    assert loaded[0] == (800 // scale, 600 // scale)
    assert image.size == ((800, 600) if scale == 1 else (size, size))


@pytest.mark.parametrize("shape", [(600, 800), (603, 801), (1024, 768)])
@pytest.mark.parametrize("size", [37, 55, 73, 110])
def test_reduced_scale_hardly_shows(shape, size):
    file = encoded(photograph(*shape), "JPEG", quality=90)
    full = fit_square(decode(file, "x.jpg"), size).astype(float)
    file.seek(0)
    reduced = fit_square(decode(file, "x.jpg", size), size)
    assert 10 * np.log10(255**2 / ((full - reduced) ** 2).mean()) > 38  # dB, as of a JPEG of high quality


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_reduced_scale_keeps_the_picture_upright(orientation, mode):
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = encoded(photograph(403, 801).convert(mode), "JPEG", exif=exif, quality=90)
    full = fit_square(decode(file, "x.jpg"), 40).astype(float)
    file.seek(0)
    image = decode(file, "x.jpg", 40)
    assert (image.mode, image.size) == ("RGB", (40, 40))
    assert np.abs(full - fit_square(image, 40)).mean() < 4


@pytest.mark.parametrize("image_format", ["PNG", "BMP"])
def test_other_formats_are_decoded_in_full(image_format):
    assert decode(encoded(photograph(60, 80), image_format), "x", 5).size == (80, 60)
