import resource
import subprocess
import sys
import textwrap
import time

import pytest
import torch
from PIL import Image

from edgenext_search.data.augment.transforms import Preprocessing
from edgenext_search.data.loading import workers
from edgenext_search.data.loading.datasets import open_full_data
from edgenext_search.data.loading.loaders import TrainLoader, ValLoader
from edgenext_search.errors import UserError

SCRIPT = """
    import sys
    from edgenext_search.data.augment.transforms import Preprocessing
    from edgenext_search.data.loading.datasets import open_full_data
    from edgenext_search.data.loading.loaders import TrainLoader, ValLoader

    data = open_full_data(sys.argv[1])
    train = TrainLoader(data.train, batch_size=4, img_size=32, seed=0, workers=2)
    batches = train.epoch(0)
    next(batches)
    val = iter(ValLoader(data.val, Preprocessing(img_size=32), batch_size=2, workers=1))
    next(val)
    print("begun", flush=True)
"""


def test_a_program_that_ends_in_the_middle_of_an_epoch_ends_at_once(photos):
    """Workers leave SIGTERM to their parent, so multiprocessing alone could not end them."""
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(photos)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "begun\n"
    assert done.stderr == ""
    assert time.monotonic() - start < 50


@pytest.fixture
def no_file_grows():
    """As on a /dev/shm and disk that are full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_dev_shm_does_not_matter(photos, no_file_grows):
    data = open_full_data(str(photos))
    val = ValLoader(data.val, Preprocessing(img_size=32), batch_size=7, workers=2)
    train = TrainLoader(data.train, batch_size=40, img_size=32, sizes=[32, 64], seed=0, workers=2)
    assert sum(len(labels) for _, labels in val) == 30
    assert sum(len(labels) for _, labels in train.epoch(0)) == sum(train.batch_sizes(0))
    val.close()
    train.close()


def test_without_shared_memory_batches_are_the_same(photos, monkeypatch):
    data = open_full_data(str(photos))

    def batches():
        loader = ValLoader(data.val, Preprocessing(img_size=32), batch_size=40, workers=2)
        images, labels = map(torch.cat, zip(*loader, strict=True))
        loader.close()
        return images, labels

    forked = batches()
    monkeypatch.setattr(workers, "_shared", lambda _slots, _size: [])
    assert all(map(torch.equal, batches(), forked))


def test_a_loader_that_is_asked_again_before_its_end_begins_anew(photos):
    data = open_full_data(str(photos))
    loader = TrainLoader(data.train, batch_size=4, img_size=32, seed=0, workers=2)
    begun = loader.epoch(0)
    next(begun)
    for (images, _), (expected, _) in zip(
        loader.epoch(1), TrainLoader(data.train, batch_size=4, img_size=32, seed=0).epoch(1), strict=True
    ):
        assert torch.equal(images, expected)
    loader.close()


def test_nothing_is_left_to_read(tmp_path):
    for name in ("a", "b"):
        for part, colour in (("train", "red"), ("val", "blue")):
            (tmp_path / part / name).mkdir(parents=True)
            Image.new("RGB", (32, 32), colour).save(tmp_path / part / name / "0.jpg")
    data = open_full_data(str(tmp_path))
    for file in tmp_path.rglob("*.jpg"):
        file.unlink()
    batches = TrainLoader(data.train, batch_size=2, img_size=32, seed=0).epoch(0)
    with pytest.raises(UserError, match="100 images in a row cannot be decoded"):
        next(batches)
