import contextlib
import fcntl
import os
import subprocess
import sys
import warnings

import pytest

from edgenext_search import temporary
from edgenext_search.files import write_text
from edgenext_search.temporary import SUFFIX, temporary_file, temporary_folder

HOLD = """
import sys
from pathlib import Path
from edgenext_search.temporary import temporary_file, temporary_folder
path = Path(sys.argv[1])
with temporary_file(path) as file, temporary_folder(path) as folder, temporary_folder() as own:
    file.write_text("half")
    (folder / "part").write_text("half")
    print(file, folder, own, flush=True)
    sys.stdin.read()
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def system(tmp_path, monkeypatch):
    """The system's folder of temporary files."""
    folder = tmp_path / "system"
    folder.mkdir()
    monkeypatch.setattr(temporary.tempfile, "tempdir", str(folder))
    return folder


def test_they_vanish_with_their_block(tmp_path, system):
    path = tmp_path / "results" / "table.csv"
    path.parent.mkdir()
    with temporary_file(path) as file, temporary_folder(path) as folder, temporary_folder() as own:
        assert (file.parent, folder.parent, own.parent) == (path.parent, path.parent, system)
        assert file.name.startswith(".table.csv.")
        (folder / "a").write_text("b")
        own.rmdir()  # whatever becomes of it meanwhile
        file.rename(path)
    assert names(path.parent) == ["table.csv"]
    assert names(system) == []


def test_a_forked_process_that_forgets_the_block_removes_nothing(tmp_path):
    """As multiprocessing does in a child: it clears what it would do at exit, and the block ends for want of users."""
    with contextlib.ExitStack() as blocks:
        file = blocks.enter_context(temporary_file(tmp_path / "file"))
        folder = blocks.enter_context(temporary_folder(tmp_path / "folder"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
            child = os.fork()
        if not child:
            try:
                blocks.close()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        assert file.exists()
        assert folder.exists()


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_uses_is_not(tmp_path, system):
    path = tmp_path / "results" / "table.csv"
    path.parent.mkdir()
    foreign = [".venv.12345678", ".table.csv.12345678.part", f"table{SUFFIX}"]
    for name in foreign:
        (path.parent / name).touch()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(system)},
    ) as other:  # fmt: skip
        held = other.stdout.readline().split()
        write_text(path, "whole")
        with temporary_folder():
            assert all(map(os.path.exists, held))
        other.kill()
        other.wait()
    assert all(map(os.path.exists, held))
    write_text(path, "whole")
    with temporary_folder():
        assert len(names(system)) == 1
    assert names(system) == []
    assert names(path.parent) == sorted([*foreign, "table.csv"])


def test_one_that_is_taken_for_a_leftover_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    flock, taken = fcntl.flock, []

    def take(handle, operation):
        if operation == fcntl.LOCK_SH and not taken:
            taken.extend(tmp_path.iterdir())
            taken[0].rmdir()
        flock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", take)
    with temporary_folder(tmp_path / "model") as folder:
        assert folder.is_dir()
        assert folder not in taken
    assert names(tmp_path) == []


def test_without_locks_nothing_of_others_is_removed(tmp_path, monkeypatch):
    def none(*_):
        raise OSError("no locks")

    other = tmp_path / f".a.12345678{SUFFIX}"
    other.touch()
    monkeypatch.setattr(fcntl, "flock", none)
    with temporary_file(tmp_path / "a") as file:
        assert file.exists()
    assert list(tmp_path.iterdir()) == [other]
