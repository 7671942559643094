import subprocess
import sys
import textwrap
import time

from PIL import Image

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


def test_nothing_is_left_to_read(tmp_path):
    from edgenext_search.data.loading.datasets import open_full_data
    from edgenext_search.data.loading.loaders import TrainLoader
    from edgenext_search.errors import UserError

    for name in ("a", "b"):
        for part in ("train", "val"):
            (tmp_path / part / name).mkdir(parents=True)
            Image.new("RGB", (32, 32)).save(tmp_path / part / name / "0.jpg")
    data = open_full_data(str(tmp_path))
    for file in tmp_path.rglob("*.jpg"):
        file.unlink()
    batches = TrainLoader(data.train, batch_size=2, img_size=32, seed=0).epoch(0)
    try:
        next(batches)
    except UserError as error:
        assert "100 images in a row cannot be decoded" in str(error)  # noqa: PT017
    else:
        raise AssertionError
