import fcntl
import subprocess
import sys

from edgenext_search.locks import exclusive, is_locked

HOLD = "import sys; from pathlib import Path; from edgenext_search.locks import exclusive\n"
HOLD += "with exclusive(Path(sys.argv[1])) as free: print(free, flush=True); sys.stdin.read()"


def test_one_process_at_a_time(tmp_path):
    path = tmp_path / ".lock"
    assert not is_locked(path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "True\n"
        assert is_locked(path)
        with exclusive(path, patience=0.15) as free:
            assert not free
        other.kill()
    assert not is_locked(path)  # a killed process holds nothing
    with exclusive(path) as free:
        assert free
        assert is_locked(path)
    assert not is_locked(path)


def test_a_file_system_without_locks_counts_as_free(tmp_path, monkeypatch):
    def none(*_):
        raise OSError("no locks")

    monkeypatch.setattr(fcntl, "flock", none)
    with exclusive(tmp_path / ".lock") as free:
        assert free
    assert not is_locked(tmp_path / ".lock")
