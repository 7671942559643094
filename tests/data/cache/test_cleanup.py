import subprocess
import sys

from edgenext_search.data.cache import cleanup
from edgenext_search.data.cache.cleanup import entries, leftovers, remove, size_of, sweep, used
from edgenext_search.data.cache.locks import hold

NAME = "0123456789abcdef0123"


def a_folder(path):
    path.mkdir(parents=True)
    (path / "file").write_bytes(b"x" * 1000)
    return path


def a_leftover(cache, purpose="building", digit="a"):
    return a_folder(cache / f".{purpose}-{digit * 32}")


def test_leftovers_of_the_dead_are_swept_and_nothing_else(tmp_path):
    for purpose in ("building", "damaged", "removing"):
        a_leftover(tmp_path, purpose)
    alive = a_leftover(tmp_path, digit="b")
    others = [a_folder(tmp_path / name) for name in (NAME, ".building-by-hand", "photos", ".git")]
    held = hold(alive)
    assert leftovers(tmp_path) == sorted([alive, *(tmp_path / f".{p}-{'a' * 32}" for p in cleanup._PURPOSES)])
    assert sweep(tmp_path) == 3000
    assert sorted(tmp_path.iterdir()) == sorted([alive, *others])
    held.close()
    assert sweep(tmp_path) == 1000
    assert not alive.exists()


def test_a_cache_that_is_not_there_holds_nothing(tmp_path):
    assert (entries(tmp_path / "none"), leftovers(tmp_path / "none"), sweep(tmp_path / "none")) == ([], [], 0)


def test_an_entry_in_use_is_not_removed(tmp_path):
    entry = a_folder(tmp_path / NAME)
    assert entries(tmp_path) == [entry]
    held = hold(entry)
    assert used(entry)
    assert remove(entry) is None
    assert size_of(entry) == 1000
    held.close()
    assert not used(entry)
    assert remove(entry) == 1000
    assert not list(tmp_path.iterdir())
    assert remove(entry) is None


def test_a_removal_that_is_cut_off_is_finished_by_a_sweep(tmp_path, monkeypatch):
    entry = a_folder(tmp_path / NAME)
    monkeypatch.setattr(cleanup.shutil, "rmtree", lambda *_, **__: None)
    remove(entry)
    monkeypatch.undo()
    assert entries(tmp_path) == []
    assert len(leftovers(tmp_path)) == 1
    sweep(tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_a_killed_builder_left_is_swept_by_the_next_prepare(tmp_path):
    """A process dies in the middle of building; until then its folder stays, whatever others prepare."""
    code = (
        "import sys; from pathlib import Path\n"
        "from edgenext_search.data import prepare\n"
        "from edgenext_search.data.sources.builtin import BuiltinSource\n"
        "def progress(done, total):\n"
        "    if len(sys.argv) > 2 and done > 20: print('half', flush=True); sys.stdin.read()\n"
        "prepare(BuiltinSource(n=64), image_size=32, train_images=None, val_images=None, val_fraction=0.25,\n"
        "        seed=len(sys.argv), cache_dir=Path(sys.argv[1]), workers=1, progress=progress)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen([*command, "stop"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "half\n"
        subprocess.run(command, check=True)
        assert len(leftovers(tmp_path)) == 1
        process.kill()
        process.wait()
        assert len(leftovers(tmp_path)) == 1
        subprocess.run(command, check=True)
    assert leftovers(tmp_path) == []
    assert len(entries(tmp_path)) == 1
