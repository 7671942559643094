"""What tests of several rooms share: a small set of real images, and its prepared form."""

from __future__ import annotations

import os
import signal

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as a run has it; small work is slow on threads that share cores

import numpy as np
import pytest
import strategies  # noqa: F401 - registers the profile that hypothesis runs with
from PIL import Image, ImageColor

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, and what is ignored stays so
PER_CLASS = 40


def pytest_collection_modifyitems(items):
    """Files with slow tests come first, so that no worker is left with one at the end while the other is idle."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def _pattern(kind: str, height: int, width: int, period: float) -> np.ndarray:
    y, x = np.mgrid[:height, :width] * 2 * np.pi / period
    centre = np.hypot(x - x.mean(), y - y.mean())
    return {"checks": np.sin(x) * np.sin(y), "columns": np.sin(x), "rings": np.sin(centre), "rows": np.sin(y)}[kind]


@pytest.fixture(scope="session")
def class_folder(tmp_path_factory):
    """A folder with train/ and val/: four classes of 40 JPEGs each, 32 to 48 px; val/ holds what must not be read."""
    root = tmp_path_factory.mktemp("images") / "patterns"
    rng = np.random.default_rng(0)
    for kind in ("checks", "columns", "rings", "rows"):
        folder = root / "train" / kind
        folder.mkdir(parents=True)
        for number in range(PER_CLASS):
            height, width = rng.integers(32, 49, 2)
            wave = _pattern(kind, height, width, rng.uniform(5, 9))[..., None]
            pixels = 128 + 80 * wave * rng.uniform(0.5, 1, 3) + rng.normal(0, 10, (height, width, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.jpg")
        (root / "val" / kind).mkdir(parents=True)
        (root / "val" / kind / "unreadable.jpg").write_bytes(b"nobody may open this")
    return root


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """A folder with train/ and val/: six classes of 9 and 5 JPEGs, 40 to 70 px, each class of a colour of its own."""
    root = tmp_path_factory.mktemp("images") / "photos"
    rng = np.random.default_rng(1)
    for kind in ("black", "blue", "green", "red", "white", "yellow"):
        for part, n in (("train", 9), ("val", 5)):
            folder = root / part / kind
            folder.mkdir(parents=True)
            for number in range(n):
                height, width = rng.integers(40, 71, 2)
                colour = ImageColor.getrgb(kind)
                pixels = np.array(colour) * 0.6 + 50 + rng.normal(0, 40, (height, width, 3))
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.jpg")
    return root


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory):
    """A cache of prepared images for the whole session."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def prepared(class_folder, cache_dir):
    """The class folder's images, stored at 37 px to be trained on at 32."""
    from edgenext_search.data import open_source, prepare

    return prepare(
        open_source(str(class_folder)),
        image_size=37,
        train_images=None,
        val_images=None,
        val_fraction=0.2,
        seed=0,
        cache_dir=cache_dir,
        workers=2,
    )
