"""Groups of processes that do one task together: an executor's job, a full training, a probe.

Isolation
    Every process is forked from a server that has imported torch and timm once, before any device was touched. So it
    starts within a fraction of a second, and its end frees everything that it held.

Outcome
    A group has its result once all processes have returned, and fails once one of them has raised or died. The others
    then get some seconds to say why they fail, because the first to fail is often not the cause: where one process
    dies, the others fail for want of it. The error that is raised is the one nearest to the cause.

Death
    A process that ends without a word is noticed at once, whatever its own child processes still hold open. A process
    whose parent is gone ends too.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import multiprocessing.util
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from multiprocessing import connection, forkserver, parent_process
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from edgenext_search.errors import FailureKind, HostError, UserError
from edgenext_search.failures import classify, ran_out_of_memory
from edgenext_search.machine import without_main_module
from edgenext_search.signals import how_it_ended, when_parent_ends
from edgenext_search.temporary import temporary_folder
from edgenext_search.training.errors import PeerFailedError, TrainingDivergedError, TrainingInterruptedError

T = TypeVar("T")
Send = Callable[[object], None]
"""How a process reports progress: whatever can be pickled."""

POLL = 0.2  # seconds between two looks at whether to stop
LONGEST_REASON = 300  # characters
LONGEST_SOCKET_FOLDER = 36  # bytes: the path of a socket has at most 107, of which its folders and name take 71
_SHORT_FOLDER = "/tmp"  # noqa: S108 - a folder of its own is made there
_PRELOAD = ["edgenext_search.execution.preload"]
# Texts of gloo and NCCL in a process whose peer has gone: a consequence, whatever the cause.
_PEER_TEXTS = ("connection reset", "connection closed", "broken pipe", "connection refused", "nccl", "socket timeout")
# Signals by which the system or an operator ends a process; SIGBUS: memory that is mapped from a file is gone; and what
# multiprocessing says where the server of the processes died with them.
_FROM_OUTSIDE = {-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP, -signal.SIGBUS, 255}


class WorkerError(RuntimeError):
    """A process raised something unexpected.

    Args:
        message: What, beginning with the exception's type.
        trace: The traceback in the process.
    """

    def __init__(self, message: str, trace: str = "") -> None:
        super().__init__(message, trace)
        self.trace = trace

    def __str__(self) -> str:
        """The message alone."""
        return str(self.args[0])


class ProcessDiedError(RuntimeError):
    """A process ended without a result and without a reason.

    Args:
        process: Name of the process.
        exitcode: Its exit code; negative for the signal that killed it.
    """

    def __init__(self, process: str, exitcode: int) -> None:
        self.from_outside = exitcode in _FROM_OUTSIDE
        self.how = how_it_ended(exitcode)
        super().__init__(f"{process} {self.how}")


class StoppedError(RuntimeError):
    """The caller stopped waiting for the group."""


def start_server() -> None:
    """Let the server that processes are forked from import torch and timm while something else is done."""
    _context()
    forkserver.ensure_running()


class ProcessGroup(Generic[T]):
    """Processes that do one task together, one for each tuple of arguments; a context manager that ends them.

    Args:
        target: What each process calls, with its arguments and the keyword ``send``; importable by name.
        arguments: Arguments of each process, by its rank.
        name: Name of the first process; the others are known as ``NAME, rank N``.
        patience: Seconds that processes get to say why they fail, and to end once they have a result.
        interactive: Whether the processes answer signals themselves and may have child processes. Else they ignore
            those that ask to stop, which terminals and batch systems send to all: the parent decides.
    """

    def __init__(
        self,
        target: Callable[..., T],
        arguments: Sequence[tuple[Any, ...]],
        *,
        name: str,
        patience: float = 1.0,
        interactive: bool = False,
    ) -> None:
        self._patience = patience
        self._processes: list[_Process] = []
        for rank, given in enumerate(arguments):
            receiver, sender = _context().Pipe(duplex=False)
            process = _context().Process(
                target=_run,
                args=(target, given, sender, len(arguments) > 1, interactive),
                name=f"{name}, rank {rank}" if rank else name,
                daemon=not interactive,
            )
            try:
                with without_main_module():
                    process.start()
            except (EOFError, ConnectionError) as error:
                self.close()
                text = "The server that starts processes was killed; the system does so where memory is short."
                raise HostError(text) from error
            sender.close()
            self._processes.append(_Process(process, receiver))

    def __enter__(self) -> Self:
        """See :meth:`close`."""
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """See :meth:`close`."""
        self.close()

    @property
    def handles(self) -> list[Connection | int]:
        """What becomes ready, for :func:`multiprocessing.connection.wait`, when there is something to read."""
        return [handle for process in self._processes for handle in process.handles]

    def poll(self, on_message: Callable[[Any], None]) -> bool:
        """Read what there is to read; whether the task has ended, so that :meth:`results` may be called."""
        for process in self._processes:
            process.read(on_message)
        if not any(isinstance(process.outcome, Exception) for process in self._processes):
            return all(process.outcome is not None for process in self._processes)
        deadline = time.monotonic() + self._patience
        while (waiting := self.handles) and (left := deadline - time.monotonic()) > 0:
            connection.wait(waiting, left)
            for process in self._processes:
                process.read(on_message)
        return True

    def results(self) -> list[T]:
        """The result of each process, by rank.

        Raises:
            UserError, TrainingInterruptedError, TrainingDivergedError: Raised by a process, with its message.
            HostError: The host, a device or a library failed in a process.
            MemoryError: A process ran out of memory.
            ProcessDiedError: A process ended without a word.
            WorkerError: A process raised something else.
        """
        outcomes = [process.outcome for process in self._processes]
        if errors := [outcome for outcome in outcomes if isinstance(outcome, Exception)]:
            raise min(errors, key=_distance)
        return [outcome.value for outcome in outcomes if isinstance(outcome, _Result)]

    def wait(
        self,
        on_message: Callable[[Any], None] = lambda _: None,
        *,
        should_stop: Callable[[], bool] = lambda: False,
        timeout: float | None = None,
    ) -> list[T]:
        """Wait for the results; see :meth:`results`.

        Args:
            on_message: Called with whatever a process sends.
            should_stop: Asked often.
            timeout: Longest time to wait, in seconds; None for no limit.

        Raises:
            StoppedError: ``should_stop`` answered yes.
            TimeoutError: It took longer.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.poll(on_message):
            if should_stop():
                raise StoppedError("it was stopped")
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"it took longer than {timeout:g} s")
            connection.wait(self.handles, POLL)
        return self.results()

    def send_signal(self, number: int) -> None:
        """Send a signal to the processes that are alive."""
        for process in self._processes:
            process.send_signal(number)

    def close(self) -> None:
        """End all processes: at once, or with patience where they have a result."""
        for process in self._processes:
            process.close(self._patience)


@dataclass(frozen=True, slots=True)
class _Message:
    """Something that a process tells before its end."""

    value: object


@dataclass(frozen=True, slots=True)
class _Result:
    """What a process returns."""

    value: Any


@dataclass(slots=True)
class _Process:
    """One process, as seen by its parent."""

    process: ForkServerProcess
    messages: Connection
    outcome: _Result | Exception | None = None

    @property
    def handles(self) -> list[Connection | int]:
        return [self.messages, self.process.sentinel] if self.outcome is None else []

    def read(self, on_message: Callable[[Any], None]) -> None:
        if self.outcome is not None:
            return
        alive = self.process.is_alive()  # asked first, so that nothing it sent before its end is missed
        try:
            while self.messages.poll():
                received = self.messages.recv()
                if not isinstance(received, _Message):
                    self.outcome = received
                    return
                on_message(received.value)
        except (EOFError, OSError):
            self.process.join()
            alive = False
        if not alive:
            self.outcome = ProcessDiedError(self.process.name, self.process.exitcode or 0)

    def send_signal(self, number: int) -> None:
        if self.process.is_alive() and self.process.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    def close(self, patience: float) -> None:
        if isinstance(self.outcome, _Result):
            self.process.join(timeout=patience)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.messages.close()
        self.process.close()


def _context() -> ForkServerContext:
    _place_sockets()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    return context


@functools.cache
def _place_sockets() -> None:
    """Let multiprocessing keep its sockets in a folder that is removed even if this process is killed.

    It lies in ``/tmp`` where the folder of temporary files has too long a path for a socket.
    """
    usual = tempfile.gettempdir()
    parent = usual if len(os.fsencode(usual)) <= LONGEST_SOCKET_FOLDER else _SHORT_FOLDER
    if not os.access(parent, os.W_OK):
        return
    folder = contextlib.ExitStack()
    try:
        tempfile.tempdir = parent
        tempfile.tempdir = str(folder.enter_context(temporary_folder()))
        multiprocessing.util.get_temp_dir()  # which the process keeps
    finally:
        tempfile.tempdir = usual
    multiprocessing.util.Finalize(None, folder.close, exitpriority=-101)  # after multiprocessing's own, at -100


def _run(
    target: Callable[..., object], arguments: Iterable[Any], messages: Connection, several: bool, interactive: bool
) -> None:
    """The life of a process of a group."""
    from edgenext_search.execution import preload  # the server has it

    threading.Thread(target=_die_with_parent, daemon=True).start()
    if interactive:
        for number, handler in preload.FORMER.items():
            signal.signal(number, handler)
    else:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    multiprocessing.set_start_method(None, force=True)  # or loaders' workers would be started as this process was
    try:
        messages.send(_Result(target(*arguments, send=lambda value: messages.send(_Message(value)))))
    except BaseException as error:  # whatever it is, the parent says it
        messages.send(_to_send(error))
        if several:
            sys.stderr.flush()
            os._exit(1)  # leaving the other processes in an orderly way may wait for them


def _to_send(error: BaseException) -> Exception:
    """An exception as the parent raises it."""
    text = " ".join(str(error).split())[:LONGEST_REASON]
    if ran_out_of_memory(error):
        return MemoryError(text or type(error).__name__)
    for kind in (UserError, TrainingInterruptedError, TrainingDivergedError):
        if isinstance(error, kind):
            return kind(str(error))
    if isinstance(error, KeyboardInterrupt):
        return TrainingInterruptedError("Stopped.")
    if isinstance(error, PeerFailedError) or any(words in text.lower() for words in _PEER_TEXTS):
        return WorkerError(f"{type(error).__name__}: {text}")
    if (failure := classify(error)).kind is not FailureKind.OURS:
        return HostError(failure.message)
    return WorkerError(f"{type(error).__name__}: {text}", "".join(traceback.format_exception(error)))


def _distance(error: Exception) -> int:
    """How far an error is from the cause: when one process dies, the others fail for want of it."""
    if isinstance(error, UserError | TrainingInterruptedError | TrainingDivergedError | MemoryError):
        return 0
    return 1 if isinstance(error, ProcessDiedError | HostError) else 2


def _die_with_parent() -> None:
    """End this process as soon as its parent is gone; runs in a thread of its own."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def stop_with_parent() -> None:
    """From now on send this process a SIGTERM as soon as its parent is gone; for parents of another program."""
    when_parent_ends(os.getppid(), lambda: os.kill(os.getpid(), signal.SIGTERM))
