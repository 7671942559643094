"""The program in odd environments: closed streams, lost terminals, other encodings."""

import errno
import logging
import os
import pty
import signal
import subprocess
import sys
import tempfile
import threading
import time

import pytest

from edgenext_search.cli import main
from edgenext_search.cli.environment import quiet_libraries
from edgenext_search.cli.failures import resumable
from edgenext_search.cli.streams import steady_streams
from edgenext_search.signals import handled

from .helpers import ROOT

PROGRAM = [sys.executable, "-m", "edgenext_search"]


def run(*words, cwd=ROOT, **variables):
    """Call the program with changed variables, None for those to remove."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    given = {name: value for name, value in environment.items() if value is not None}
    return subprocess.run([*PROGRAM, *words], env=given, cwd=cwd, capture_output=True, check=False, timeout=120)


@pytest.mark.parametrize(
    "variables",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"COLUMNS": "0"},
        {"COLUMNS": "abc", "TERM": "dumb"},
        {"HOME": "/nowhere", "TMPDIR": "/nowhere", "XDG_CACHE_HOME": "relative"},
        {"PYTHONWARNINGS": "error", "NO_COLOR": "1", "TERM": None},
        {"PATH": "", "HOME": None, "CUDA_VISIBLE_DEVICES": "abc", "OMP_NUM_THREADS": "abc"},
    ],
    ids=str,
)
def test_odd_variables(variables):
    done = run("space", "show", "edgenext", **variables)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout


@pytest.mark.parametrize("value", ["abc", "-3", "0", "", "1,x", "1.5"])
def test_openmp_says_nothing(value, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    monkeypatch.setenv("OMP_THREAD_LIMIT", "4")
    quiet_libraries()
    assert "OMP_NUM_THREADS" not in os.environ
    assert os.environ["OMP_THREAD_LIMIT"] == "4"


def test_libraries_say_nothing():
    """OpenMP of its variables, matplotlib of its cache of fonts."""
    quiet_libraries()
    assert logging.getLogger("matplotlib.font_manager").getEffectiveLevel() == logging.ERROR
    done = run("doctor", OMP_NUM_THREADS="abc", OMP_THREAD_LIMIT="-1")
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_undecodable_argument_is_shown(tmp_path):
    done = run("cost", b"caf\xe9", PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert rb"caf\udce9" in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(closed):
    line = f"{sys.executable} -m edgenext_search cost edgenext_small {closed}"
    assert subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("words", ["--version", "--help", "cost edgenext_small --json", "space schema"])
def test_results_that_cannot_be_written(words):
    line = f"{sys.executable} -m edgenext_search {words} > /dev/full"
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "Error: No space left on device; free some space.\n")


def test_messages_that_cannot_be_written():
    line = f"{sys.executable} -m edgenext_search cost nothing 2> /dev/full"
    assert subprocess.run(["bash", "-c", line], cwd=ROOT, check=False).returncode == 2


def test_a_working_directory_that_was_removed(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    line = f"rmdir {gone}; {sys.executable} -m edgenext_search cost edgenext_small"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", line], cwd=gone, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "change to another by `cd`" in done.stderr


def test_messages_to_a_closed_terminal_are_dropped(monkeypatch):
    ours, theirs = pty.openpty()
    with open(theirs, "w", encoding="utf-8") as terminal:  # noqa: PTH123 - a descriptor
        for name in ("stderr", "__stderr__"):
            monkeypatch.setattr(sys, name, terminal)
        steady_streams()
        sys.stderr.write("seen\n")
        assert os.read(ours, 100) == b"seen\r\n"
        os.close(ours)
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            os.write(theirs, b"x")
        sys.stderr.write("dropped\n")
        assert not sys.stderr.isatty()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_nothing_answers_ends_as_ctrl_c_does(number, capsys):
    with pytest.raises(KeyboardInterrupt), resumable("edgenext-search resume run"):
        signal.raise_signal(number)
    assert "Stopped. What was finished is kept: `edgenext-search resume run` goes on." in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_command_in_order(number, capfd, monkeypatch, tmp_path):
    left = []

    def work(name):
        with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
            left.append(folder)
            signal.raise_signal(number)

    monkeypatch.setattr("edgenext_search.models.find.find_candidate", work)
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as ended:
        main(["cost", "x"], standalone_mode=False)
    assert ended.value.code == 128 + number
    assert capfd.readouterr() == ("", f"Stopped by {number.name}.\n")
    assert left
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(number) == before


def test_a_message_may_come_while_another_is_written(monkeypatch, tmp_path):
    """A signal that comes while a pipe is full, whose handler has something to say."""
    reader, writer = os.pipe()
    with open(writer, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor
        for name in ("stderr", "__stderr__"):
            monkeypatch.setattr(sys, name, stream)
        steady_streams()
        said = []

        def answer(*_):
            threading.Thread(target=lambda: said.extend(iter(lambda: os.read(reader, 65536), b"")), daemon=True).start()
            sys.stderr.write("stopping\n")

        with handled((signal.SIGALRM,), answer):
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            sys.stderr.write("x" * 200_000 + "\n")
        sys.stderr.flush()
    while not b"".join(said).endswith(b"x\n") and b"stopping" not in b"".join(said):
        time.sleep(0.01)
