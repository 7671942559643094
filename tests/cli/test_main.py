import errno
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from edgenext_search import __version__
from edgenext_search.cli import main as group
from edgenext_search.errors import HostError, StudyFailedError, UserError
from edgenext_search.execution.processes import _to_send

from .helpers import ROOT, call, imported, imported_by

COMMANDS = [
    "audit", "cost", "dashboard", "data", "doctor", "evaluate", "export", "import", "latency", "report", "resume",
    "run", "scale", "space", "train",
]  # fmt: skip


def test_help_lists_every_command():
    result = call("--help")
    assert result.exit_code == 0
    assert sorted(group.commands) == COMMANDS
    for command in COMMANDS:
        assert f"\n  {command} " in result.stdout
        assert call(command, "--help").exit_code == 0
    assert "--budget 1.3M" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["cost", "edgenext_small", "--json"],
        ["space", "show", "--json"],
        ["space", "check", "edgenext", "--budget", "1.3M"],
        ["space", "size"],
        ["space", "schema"],
        ["space", "sample", "--budget", "1.3M", "-n", "2"],
    ],
    ids=" ".join,
)
def test_light_commands_import_nothing_heavy(arguments):
    assert imported(*arguments) == []


def test_help_imports_nothing_heavy():
    groups = [("latency", "measure"), ("scale", "study"), ("scale", "compare")]
    assert imported_by([("--help",), *((*command, "--help") for command in [*zip(COMMANDS), *groups])]) == []


def test_the_check_above_can_fail():
    assert "torch" in imported("cost", "edgenext_xx_small", "--verify")


def test_the_version():
    assert call("--version").stdout == f"edgenext-search, version {__version__}\n"


@pytest.mark.parametrize("launcher", [["cli.py"], ["-m", "edgenext_search"]])
def test_the_launchers_are_the_program(launcher):
    done = subprocess.run(
        [sys.executable, *launcher, "cost", "nothing"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 2
    assert done.stderr.startswith("Error: There is no 'nothing'")


def test_the_installed_command_is_the_program():
    script = Path(sys.executable).parent / "edgenext-search"
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert __version__ in done.stdout


def breaking(monkeypatch, error):
    def broken(*_):
        raise error

    monkeypatch.setattr("edgenext_search.models.find.find_candidate", broken)


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (UserError("--budget must be more."), 2, ["Error: --budget must be more."]),
        (StudyFailedError("All failed."), 1, ["Error: All failed."]),
        (HostError("No memory; free some."), 1, ["Error: No memory; free some."]),
        (OSError(errno.ENOSPC, "full", "a file"), 1, ["Error: a file: full; free some space."]),
        (
            PermissionError(errno.EACCES, "forbidden", "a file"),
            2,
            ["Error: a file: forbidden; allow it, or give another path."],
        ),
    ],
)
def test_errors_end_with_a_message_and_a_code(monkeypatch, error, code, lines):
    breaking(monkeypatch, error)
    result = call("cost", "edgenext_small")
    assert (result.exit_code, result.stdout, result.stderr.splitlines()) == (code, "", lines)


def test_a_bug_asks_for_a_report_and_writes_it(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["edgenext-search", "--storage", "postgresql://me:secret@host/db"])
    breaking(monkeypatch, ZeroDivisionError("oops"))
    result = call("cost", "edgenext_small")
    (file,) = tmp_path.iterdir()
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ZeroDivisionError: oops\nThis is a bug of edgenext-search. Please report")
    assert str(file) in result.stderr.replace("\n", "")
    text = file.read_text()
    assert "in broken" in text
    assert "torch: " in text
    assert "secret" not in text


def test_the_report_of_a_bug_has_the_traceback_of_the_process(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    try:
        {}["deep"]
    except KeyError as error:
        breaking(monkeypatch, pickle.loads(pickle.dumps(_to_send(error))))  # noqa: S301
    assert call("cost", "edgenext_small").stderr.startswith("Error: WorkerError: KeyError: 'deep'\n")
    (file,) = tmp_path.iterdir()
    assert '{}["deep"]' in file.read_text()


def test_a_bug_is_said_also_where_nothing_can_be_written(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    breaking(monkeypatch, ZeroDivisionError("oops"))
    assert call("cost", "edgenext_small").stderr.endswith("This is a bug of edgenext-search.\n")


def test_an_interrupted_command_ends_quietly(monkeypatch):
    breaking(monkeypatch, KeyboardInterrupt())
    result = call("cost", "edgenext_small")
    assert (result.exit_code, result.stderr) == (130, "")


def test_a_reader_that_goes_away_is_no_bug():
    command = f"{sys.executable} -m edgenext_search space sample --budget 1.3M -n 3000 --json | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_help_shows_the_two_commands_on_lines_of_their_own():
    lines = [line.strip() for line in call("--help").stdout.splitlines()]
    assert any(line.startswith("edgenext-search run --budget 1.3M --data FOLDER") for line in lines)
    assert "\\b" not in "".join(lines)


def test_debug_lets_the_exception_through(monkeypatch):
    error = UserError("x")
    breaking(monkeypatch, error)
    assert call("--debug", "cost", "edgenext_small").exception is error


def test_debug_shows_a_traceback():
    done = subprocess.run(
        [sys.executable, "-m", "edgenext_search", "--debug", "cost", "nothing"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert "UserError: There is no 'nothing'" in done.stderr


def test_unknown_commands_and_options_are_refused():
    for arguments in (["trian"], ["run", "--bugdet", "1M"], ["cost"], ["run", "--device", "tpu"]):
        result = call(*arguments)
        assert result.exit_code == 2
        assert "Error: " in result.stderr


def test_a_helper_process_of_multiprocessing_that_was_killed_is_replaced_without_a_word():
    code = (
        "import os, signal, time, sys\n"
        "from multiprocessing import resource_tracker as module\n"
        "from edgenext_search.cli import main\n"
        "main(['cost', 'edgenext_xx_small', '--json'], standalone_mode=False)\n"
        "tracker = module._resource_tracker\n"
        "tracker.ensure_running()\n"
        "os.kill(tracker._pid, signal.SIGKILL)\n"
        "os.waitid(os.P_PID, tracker._pid, os.WEXITED | os.WNOWAIT)\n"
        "tracker.ensure_running()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
