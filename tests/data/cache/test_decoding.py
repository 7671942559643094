import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgenext_search.data.cache.decoding import decoder, tasks
from edgenext_search.data.images import UnreadableImageError, fit_square
from edgenext_search.data.sources.builtin import BuiltinSource
from edgenext_search.data.sources.class_folders import FolderSource
from edgenext_search.errors import HostError

SIZE = 16


class Unpicklable(BuiltinSource):
    def __init__(self, n):
        super().__init__(n)
        self.lock = threading.Lock()


def decoded(source, indices, tmp_path, *, workers, stop_at=None):
    path = tmp_path / "images.npy"
    np.save(path, np.zeros((len(indices), 3, SIZE, SIZE), dtype=np.uint8))
    done = []
    with decoder(source, workers=workers, images=len(indices)) as run:
        for result in run(tasks(path, np.asarray(indices))):
            done.append(result)
            if len(done) == stop_at:
                raise KeyboardInterrupt
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["images.npy"]
    return np.load(path), done


@pytest.mark.parametrize("source", [BuiltinSource(n=200), Unpicklable(n=200)], ids=["picklable", "not picklable"])
def test_workers_do_not_change_a_pixel(tmp_path, source):
    indices = np.random.default_rng(0).permutation(200)[:130]
    expected = np.stack([fit_square(source.load(i), SIZE) for i in indices])
    for workers in (1, 2, 3):
        images, done = decoded(source, indices, tmp_path, workers=workers)
        assert np.array_equal(images, expected)
        assert [(d.images, d.unreadable) for d in done] == [(16, [])] * 8 + [(2, [])]


@pytest.mark.parametrize("workers", [1, 2])
def test_unreadable_images_are_told_by_row_and_reason(tmp_path, workers, class_folder):
    folder = tmp_path / "source" / "train"
    for name in "ab":
        (folder / name).mkdir(parents=True)
        for number in range(40):
            Image.new("RGB", (20, 20), (number, 0, 0)).save(folder / name / f"{number}.png")
    (folder / "a" / "7.png").write_bytes(b"torn")
    source = FolderSource(folder.parent)
    images, done = decoded(source, np.arange(80), tmp_path, workers=workers)
    assert [d.images for d in done] == [16] * 5
    ((row, where, reason),) = done[0].unreadable
    assert (row, where) == (7, str(folder / "a" / "7.png"))
    assert "cannot identify image file" in reason
    assert images[:, 0, 0, 0].tolist() == [*range(7), 0, *range(8, 40), *range(40)]
    with pytest.raises(UnreadableImageError):
        source.load(7)


def test_killed_processes_are_one_clear_error_and_leaves_no_other(tmp_path):
    path = tmp_path / "images.npy"
    np.save(path, np.zeros((4000, 3, SIZE, SIZE), dtype=np.uint8))

    before = set(multiprocessing.active_children())

    def kill_them():
        with decoder(BuiltinSource(4000), workers=2, images=4000) as run:
            for number, _ in enumerate(run(tasks(path, np.arange(4000)))):
                if number == 0:
                    for child in set(multiprocessing.active_children()) - before:
                        child.kill()

    with pytest.raises(HostError, match=r"A process that reads images of built-in was killed by SIGKILL.*--workers 2"):
        kill_them()
    assert set(multiprocessing.active_children()) <= before


def test_an_early_end_leaves_no_process(tmp_path):
    before = set(multiprocessing.active_children())
    with pytest.raises(KeyboardInterrupt):
        decoded(BuiltinSource(4000), np.arange(4000), tmp_path, workers=2, stop_at=2)
    assert set(multiprocessing.active_children()) <= before


CODE = """
import signal
import sys
from pathlib import Path
from edgenext_search.data import prepare
from edgenext_search.data.sources.builtin import BuiltinSource
def progress(done, total):
    print(done, flush=True)
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which shells take away from what they start with &
    prepare(BuiltinSource(n=40_000), image_size=32, train_images=None, val_images=None, val_fraction=0.25,
            seed=0, cache_dir=Path(sys.argv[1]), workers=2, progress=progress)
"""


@pytest.fixture
def preparing(tmp_path):
    """A process in a group of its own, in the middle of its work."""
    script = tmp_path / "script.py"
    script.write_text(CODE)
    cache = tmp_path / "cache"
    with subprocess.Popen(
        [sys.executable, script, cache],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        process.cache = cache
        assert process.stdout.readline() == "16\n"
        yield process
        process.kill()


def members(session):
    """Living processes of a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, its_session, *_ = path.read_text().rpartition(")")[2].split()
            if int(its_session) == session and state != "Z":
                found.append(path.parent.name)
    return found


def wait_for_none(session):
    deadline = time.monotonic() + 20
    while members(session):
        assert time.monotonic() < deadline, members(session)
        time.sleep(0.05)


def test_ctrl_c_ends_all_with_one_traceback_and_leaves_nothing(preparing):
    os.killpg(preparing.pid, signal.SIGINT)
    _, errors = preparing.communicate(timeout=60)
    assert preparing.returncode == -signal.SIGINT
    assert errors.count("Traceback") == 1, errors
    assert errors.rstrip().endswith("KeyboardInterrupt")
    wait_for_none(preparing.pid)
    assert list(preparing.cache.iterdir()) == []


def test_decoding_processes_die_with_a_killed_parent(preparing):
    assert len(members(preparing.pid)) >= 3
    preparing.kill()
    preparing.communicate()
    wait_for_none(preparing.pid)
