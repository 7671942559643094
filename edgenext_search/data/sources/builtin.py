"""The built-in images: a small task that needs local texture and global layout at once.

Three discs of one texture form a layout on a plain ground; a fourth disc of another texture stands somewhere beside
them. The class is (texture of the three, layout they form): 4 x 4 = 16. To tell it, a network has to recognise textures
locally and compare places across the image. Colours, contrast, scale, phase, position and noise are drawn alike for all
classes, so they say nothing about the class; nor does the mean colour, since every texture has mean 0 and variance 1.
Textures and layouts are symmetric under a left-right flip and discs reach the border at most with their rim, so that
flips and small crops keep the label.

The set exists so that the program can be tried without data; scores on it say nothing about a user's task. It is tuned
so that an EdgeNeXt learns it from a few thousand images: thin bright lines on dark rather than sine waves, whose two
signs cancel in a network that starts out nearly linear (EdgeNeXt's layer scale begins at 1e-6), and muted ground
colours, which the first layer norm would otherwise see instead of the textures.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

TEXTURES = ("bars", "dots", "grid", "stripes")
LAYOUTS = ("pillar", "roof", "row", "valley")
N_IMAGES = 4096
"""Images of the set as `open_source(None)` gives it: drawn in a few seconds, and 230 of each class to learn from."""
SIZE = 64
"""Side of an image in pixels."""
GENERATOR = 1
"""Version of the pictures drawn: part of the fingerprint."""

_SCALE = (18.0, 20.0)  # distance of neighbouring discs in a layout
_JITTER = 1.0  # of each disc's place
_SHIFT = 2.0  # of the whole layout
_RADIUS = (8.0, 9.5)
_PERIOD = (7.0, 9.0)  # of the textures
_CONTRAST = (44.0, 58.0)  # standard deviation of a texture, in grey levels
_HUE = 0.3  # spread of a texture's three channels about grey
_TINT = 5.0  # of a disc against the ground
_GROUND = 8.0  # spread of the ground's three channels
_NOISE = (2.0, 5.0)
_GREY = 104.0
_PATCH = 12  # half the side of the square that a disc is drawn in
_MARGIN = 16  # of the canvas beyond the image, so that no disc needs clipping

# Centres of the three discs about the layout's own centre, in units of the scale: (y, x). Neighbours are 1 apart in the
# pillar and the row; roof and valley have the height 2/sqrt(3).
_SLOPE = 3**-0.5
_FORMS = np.array(
    [
        [(-1, 0), (0, 0), (1, 0)],
        [(-_SLOPE, 0), (_SLOPE, -1), (_SLOPE, 1)],
        [(0, -1), (0, 0), (0, 1)],
        [(_SLOPE, 0), (-_SLOPE, -1), (-_SLOPE, 1)],
    ]
)


class BuiltinSource:
    """The built-in set: image i depends on (seed, i) alone, so sets of different n share their images.

    Args:
        n: Number of images.
        seed: Which images are drawn.
    """

    name = "built-in"
    demonstration = True
    notes: tuple[str, ...] = ()
    classes = tuple(f"{texture} in a {layout}" for texture in TEXTURES for layout in LAYOUTS)

    def __init__(self, n: int = N_IMAGES, seed: int = 0) -> None:
        self._seed = seed
        self.labels: npt.NDArray[np.int64] = np.arange(n, dtype=np.int64) % len(self.classes)

    def image_name(self, index: int) -> str:
        """The image's number."""
        return str(index)

    def fingerprint(self, rows: npt.NDArray[np.int64] | None = None) -> str:
        """Digest of the generator's version, the image size, n and the seed."""
        digest = hashlib.sha256(f"builtin {GENERATOR} {SIZE} {len(self.labels)} {self._seed}".encode())
        digest.update(b"" if rows is None else rows.tobytes())
        return digest.hexdigest()[:16]

    def former_fingerprint(self) -> str:
        """The same."""
        return self.fingerprint()

    def load(self, index: int, size: int | None = None) -> Image.Image:  # noqa: ARG002 - drawn at one size
        """Draw one image: RGB, 64 x 64 pixels, in under a millisecond."""
        texture, layout = divmod(int(self.labels[index]), len(LAYOUTS))
        return Image.fromarray(_draw(texture, layout, np.random.default_rng((self._seed, index))))


def _draw(texture: int, layout: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """One image, uint8 [64, 64, 3]."""
    canvas = np.empty((SIZE + 2 * _MARGIN, SIZE + 2 * _MARGIN, 3), dtype=np.float32)
    canvas[:] = _GREY + rng.uniform(-_GROUND, _GROUND, 3)
    other = (texture + rng.integers(1, len(TEXTURES))) % len(TEXTURES)
    for kind, centre in zip((texture, texture, texture, int(other)), _places(layout, rng), strict=True):
        top, left = np.floor(centre).astype(int) + _MARGIN - _PATCH
        disc = canvas[top : top + 2 * _PATCH, left : left + 2 * _PATCH]
        disc += _disc(kind, centre % 1, rng)
    image = canvas[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    image += rng.standard_normal(image.shape, dtype=np.float32) * np.float32(rng.uniform(*_NOISE))
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _places(layout: int, rng: np.random.Generator) -> Floats:
    """Centres of the three discs of the layout and of the fourth, (y, x) in pixels, [4, 2]."""
    form = _FORMS[layout] * rng.uniform(*_SCALE)
    middle = (SIZE - 1 - form.min(0) - form.max(0)) / 2  # of the image, for the form's bounding box
    form = form + middle + rng.uniform(-_SHIFT, _SHIFT, 2) + rng.uniform(-_JITTER, _JITTER, form.shape)
    # The fourth disc takes the first of 32 random places that is clear of the three, or the clearest of them.
    candidates = rng.uniform(_RADIUS[1], SIZE - 1 - _RADIUS[1], (32, 2))
    distance = np.linalg.norm(candidates[:, None] - form, axis=2).min(1)
    return np.vstack([form, candidates[np.argmax(np.minimum(distance, 2 * _RADIUS[1]))]])


def _disc(kind: int, offset: Floats, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """What one disc adds to the ground, [2 * _PATCH, 2 * _PATCH, 3]; `offset` is its centre's fraction of a pixel."""
    along = np.arange(-_PATCH, _PATCH)
    down, across = along[:, None] - offset[0], along[None, :] - offset[1]
    inside = np.clip(rng.uniform(*_RADIUS) - np.hypot(down, across) + 0.5, 0, 1)
    step = 2 * np.pi / rng.uniform(*_PERIOD)
    phases = rng.uniform(0, 2 * np.pi, 2)
    pattern = _pattern(kind, _lines(step * down + phases[0]), _lines(step * across + phases[1]))
    mean, std = _MOMENTS[kind]
    colour = 1 + rng.normal(0, _HUE, 3)
    colour *= rng.uniform(*_CONTRAST) * np.sqrt(3) / np.linalg.norm(colour)
    tint = rng.uniform(-_TINT, _TINT, 3)
    added: Floats = inside[..., None] * (tint + ((pattern - mean) / std)[..., None] * colour)
    return added.astype(np.float32)


def _lines(angle: Floats) -> Floats:
    """Periodic bright lines in (0, 1]: a von Mises bump, about a third of the period wide."""
    return np.asarray(np.exp(1.5 * (np.cos(angle) - 1)))


def _pattern(kind: int, down: Floats, across: Floats) -> Floats:
    """Texture number `kind` from lines that vary down [h, 1] and across [1, w]: broadcasts to [h, w]."""
    if kind == 0:
        return across + 0 * down
    if kind == 1:
        return across * down
    if kind == 2:
        return np.maximum(across, down)
    return down + 0 * across


_PERIOD_ONCE = _lines(np.linspace(0, 2 * np.pi, 64, endpoint=False))
_MOMENTS = [
    (float(p.mean()), float(p.std()))
    for p in (_pattern(kind, _PERIOD_ONCE[:, None], _PERIOD_ONCE[None, :]) for kind in range(len(TEXTURES)))
]
"""Mean and standard deviation of each texture over a period."""
