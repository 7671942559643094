import errno
import fcntl
import gc
import os
import subprocess
import sys
import time

import pytest

from edgenext_search.data.cache import locks
from edgenext_search.data.cache.locks import LOCK_FILE, alone, hold


def free(folder):
    with alone(folder) as yes:
        return yes


def test_a_held_folder_is_not_free_until_every_hold_is_gone(tmp_path):
    assert free(tmp_path)
    first, second = hold(tmp_path), hold(tmp_path)
    assert not free(tmp_path)
    first.close()
    first.close()
    assert not free(tmp_path)
    del second
    gc.collect()
    assert free(tmp_path)


def test_a_folder_that_is_not_there_cannot_be_held(tmp_path):
    assert hold(tmp_path / "none") is None
    (tmp_path / "file").write_text("")
    assert hold(tmp_path / "file") is None
    assert not free(tmp_path / "none")


def test_a_hold_waits_for_a_look(tmp_path, monkeypatch):
    with alone(tmp_path):
        monkeypatch.setattr(locks, "PATIENCE", 0.05)
        assert hold(tmp_path) is None
    assert hold(tmp_path) is not None


def test_a_folder_that_is_removed_while_it_is_locked_is_not_held(tmp_path, monkeypatch):
    folder = tmp_path / "entry"
    folder.mkdir()
    real = fcntl.flock

    def removing(handle, operation):
        real(handle, operation)
        (folder / LOCK_FILE).unlink()
        folder.rmdir()

    monkeypatch.setattr(fcntl, "flock", removing)
    assert hold(folder) is None


def test_the_kernel_drops_the_lock_of_a_killed_process(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from edgenext_search.data.cache.locks import hold\n"
        "held = hold(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        assert not free(tmp_path)
        process.kill()
        process.wait()
        assert free(tmp_path)


def test_without_locks_a_folder_can_be_held_and_is_never_free(tmp_path, monkeypatch):
    def none(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    assert hold(tmp_path) is not None
    assert not free(tmp_path)


@pytest.mark.parametrize("locked_before", [True, False])
def test_a_read_only_folder_can_be_held(tmp_path, monkeypatch, locked_before):
    if locked_before:
        hold(tmp_path).close()
    really_open = os.open

    def read_only(path, flags, *mode):
        if flags & (os.O_CREAT | os.O_RDWR):
            raise PermissionError(errno.EACCES, "Permission denied")
        return really_open(path, flags, *mode)

    monkeypatch.setattr(os, "open", read_only)
    held = hold(tmp_path)
    assert held is not None
    assert (held._handle is not None) == locked_before


def test_touching_notes_the_time(tmp_path):
    held = hold(tmp_path)
    os.utime(tmp_path / LOCK_FILE, (1, 1))
    held.touch()
    assert (tmp_path / LOCK_FILE).stat().st_mtime == pytest.approx(time.time(), abs=60)
    held.close()
    held.touch()
