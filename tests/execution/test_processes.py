import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
from multiprocessing import connection
from pathlib import Path

import pytest
import torch
import worker_stubs

from edgenext_search.errors import HostError, UserError
from edgenext_search.execution.processes import (
    ProcessDiedError,
    ProcessGroup,
    StoppedError,
    WorkerError,
    _to_send,
)
from edgenext_search.training.engine.distributed import FirstRefusedError
from edgenext_search.training.errors import TrainingDivergedError, TrainingInterruptedError


def group(target, *arguments, **options):
    return ProcessGroup(target, arguments, **{"name": "task"} | options)


def outcome(target, *arguments, **options):
    with group(target, *arguments, **options) as processes:
        return processes.wait()


def test_results_by_rank_and_messages():
    messages = []
    with group(worker_stubs.returns, ("a",), ("b",), patience=20) as processes:
        assert processes.wait(messages.append) == ["a", "b"]
    assert messages == ["on the way"] * 2


def test_a_server_that_is_killed_is_no_bug(monkeypatch):
    def killed(_process):
        raise EOFError("unexpected EOF")

    monkeypatch.setattr("multiprocessing.process.BaseProcess.start", killed)
    with pytest.raises(HostError, match="server that starts processes was killed"):
        group(worker_stubs.returns, ("a",))


def in_a_program(folder, *, then=""):
    """A group in a program of its own, whose folder of temporary files is given."""
    code = (
        "import os, worker_stubs; from edgenext_search.execution.processes import ProcessGroup\n"
        "if __name__ == '__main__':\n"
        "    with ProcessGroup(worker_stubs.returns, [('a',)], name='task') as group: print(group.wait(), flush=True)\n"
        f"    {then or 'pass'}"
    )
    paths = os.pathsep.join([str(Path(__file__).parents[2]), str(Path(worker_stubs.__file__).parent)])
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "['a']\n", done.stderr


def test_a_folder_of_temporary_files_with_a_long_path(tmp_path):
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    in_a_program(folder)


def test_sockets_are_removed_where_the_program_was_killed():
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        in_a_program(folder, then="os.kill(os.getpid(), 9)")
        assert len([*Path(folder).iterdir()]) == 1
        in_a_program(folder)
        assert [*Path(folder).iterdir()] == []


def test_a_message_sent_just_before_the_end_is_read():
    with group(worker_stubs.returns, (5,)) as processes:
        connection.wait([processes.handles[1]])  # the process is gone
        messages = []
        assert processes.poll(messages.append)
        assert (processes.results(), messages) == ([5], ["on the way"])


@pytest.mark.parametrize(
    ("error", "raised", "text"),
    [
        (UserError("no images"), UserError, "no images"),
        (FirstRefusedError("no images"), UserError, "no images"),
        (TrainingInterruptedError("saved"), TrainingInterruptedError, "saved"),
        (TrainingDivergedError("nan"), TrainingDivergedError, "nan"),
        (KeyboardInterrupt(), TrainingInterruptedError, "Stopped."),
        (OSError(errno.ENOSPC, "disk full", "file"), HostError, "file: disk full; free some space."),
        (RuntimeError("Connection closed by peer [127.0.0.1]"), WorkerError, "RuntimeError: Connection closed"),
        (ValueError("two\n  lines"), WorkerError, "ValueError: two lines"),
        (KeyError("x"), WorkerError, "KeyError: 'x'"),
        (AssertionError(), WorkerError, "AssertionError: "),
        (RuntimeError("CUDA out of memory. Tried"), MemoryError, "CUDA out of memory. Tried"),
        (torch.OutOfMemoryError("HIP out of memory"), MemoryError, "HIP out of memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory"), MemoryError, "[enforce"),
        (MemoryError(), MemoryError, "MemoryError"),
        (ValueError("x" * 10_000), WorkerError, "ValueError: xxx"),
    ],
)
def test_errors_as_the_parent_raises_them(error, raised, text):
    sent = _to_send(error)
    assert type(sent) is raised
    assert str(sent).startswith(text)
    assert len(str(sent)) < 400


def test_torchs_own_lack_of_memory_is_known_as_one():
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        torch.empty(2**50)
    assert isinstance(_to_send(caught.value), MemoryError)


def test_an_error_is_raised_in_the_parent():
    with pytest.raises(UserError, match="no images"):
        outcome(worker_stubs.raises, (UserError("no images"),))


@pytest.mark.parametrize(
    ("target", "arguments", "how"),
    [
        (worker_stubs.is_killed, (), "was killed by SIGKILL; the system kills a process that takes too much memory"),
        (worker_stubs.exits, (3,), "ended with exit code 3"),
        (worker_stubs.exits, (0,), "ended with exit code 0"),
    ],
)
def test_a_process_that_ends_without_a_reason(target, arguments, how):
    with pytest.raises(ProcessDiedError) as caught:
        outcome(target, arguments)
    assert caught.value.how == how
    assert str(caught.value) == f"task {how}"


@pytest.mark.parametrize(
    ("cause", "error"),
    [
        ((worker_stubs.raises, UserError("no images")), UserError),
        ((worker_stubs.is_killed,), ProcessDiedError),
    ],
)
def test_the_error_nearest_to_the_cause_is_raised(cause, error):
    """One process hangs, one fails for want of another, and that one is the cause."""
    arguments = [(rank, cause) for rank in range(3)]
    with pytest.raises(error):
        outcome(worker_stubs.one_causes_the_failure_of_others, *arguments, patience=2.0)


def test_ctrl_c_is_answered_by_the_parent():
    assert outcome(worker_stubs.ignores_ctrl_c, ()) == [True]


def test_waiting_ends_by_timeout_and_by_request():
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=r"longer than 0\.5 s"), group(worker_stubs.hangs, ()) as processes:
        processes.wait(timeout=0.5)
    hanging = []
    with pytest.raises(StoppedError), group(worker_stubs.hangs, ()) as processes:
        processes.wait(hanging.append, should_stop=lambda: bool(hanging))
    assert time.monotonic() - started < 30


def test_a_signal_is_passed_on():
    with pytest.raises(ProcessDiedError, match="SIGUSR1"), group(worker_stubs.hangs, ()) as processes:
        processes.wait(lambda _: processes.send_signal(signal.SIGUSR1))


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
@pytest.mark.parametrize("interactive", [False, True])
def test_what_asks_all_processes_to_stop_is_left_to_the_parent(number, interactive):
    died = number.name if interactive else "SIGUSR1"

    def hang_up(_):
        processes.send_signal(number)
        time.sleep(0.5)
        processes.send_signal(signal.SIGUSR1)

    with (
        pytest.raises(ProcessDiedError, match=died),
        group(worker_stubs.hangs, (), interactive=interactive) as processes,
    ):
        processes.wait(hang_up)


ORPHAN = """
import os, signal, time
from edgenext_search.execution.processes import stop_with_parent
signal.signal(signal.SIGTERM, lambda *_: (print("asked to stop", flush=True), os._exit(0)))
stop_with_parent()
print("at work", flush=True)
time.sleep(30)
print("nobody asked", flush=True)
"""
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], start_new_session=True)"


def test_a_process_whose_parent_is_gone_is_asked_to_stop():
    """As where torchrun dies of a signal that it does not handle; its processes have sessions of their own."""
    with subprocess.Popen([sys.executable, "-c", PARENT, ORPHAN], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "at work\n"
        parent.send_signal(signal.SIGUSR1)
        assert parent.stdout.read() == "asked to stop\n"
