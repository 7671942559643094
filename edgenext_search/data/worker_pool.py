"""Processes that read images: the batches of a loader, or the images of the cache.

Memory
    Messages go through pipes, and pixels through memory that forked processes share and no file system backs. So
    /dev/shm, which has 64 MB in a container unless it is told otherwise, and which others fill too, is never needed.

Waiting
    The caller's thread itself waits for a result; there is no other. So a signal whose handler raises ends the wait at
    once, and an exception of a process is raised where its result was expected. A process that dies is noticed at once,
    one that gets nowhere after :data:`PATIENCE`.

End
    The processes leave signals to this one and end with it, however it ends.
"""

from __future__ import annotations

import contextlib
import mmap
import multiprocessing
import os
import pickle
import signal
import sys
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess, SpawnProcess
from multiprocessing.util import Finalize
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from edgenext_search.data.sources.source import Source
from edgenext_search.errors import HostError
from edgenext_search.machine import without_main_module
from edgenext_search.signals import how_it_ended, when_parent_ends
from edgenext_search.texts import printable

PATIENCE = 300.0
"""Seconds without a result after which a process counts as stuck; of several ranks, the others wait twice as long."""
START_METHOD = "fork" if sys.platform == "linux" else "spawn"
"""Elsewhere forking is unsafe, because libraries of the system have threads."""
_LONGEST_END = 5.0  # seconds that a killed process may take; only a driver that hangs keeps it longer
_LEFT_TO_PARENT = {
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name)
}

_own_place: list[npt.NDArray[np.int64]] = []  # where this process notes what it reads

Task = TypeVar("Task")
Done = TypeVar("Done")


class WorkerPool(Generic[Task, Done]):
    """Processes that do tasks in turn and hand over the results in order.

    Args:
        work: What is done with a task. Where processes are spawned, it must be picklable.
        workers: Number of processes, at least 1.
        ahead: Tasks given out before the first result is taken. Those of one process together must be less than 64 kB.
        source: The images that are read, for messages; the work tells by :func:`reading` which one is next.
        remedy: What helps where memory runs short: ``give fewer --workers``.
        begin: Called once in each process.

    Raises:
        HostError: The system starts no more processes.
    """

    def __init__(
        self,
        work: Callable[[Task], Done],
        *,
        workers: int,
        ahead: int,
        source: Source,
        remedy: str,
        begin: Callable[[], object] = lambda: None,
    ) -> None:
        self._ahead, self._source, self._remedy = ahead, source, remedy
        self._reads = f"images of {source.name}"
        self._now = np.frombuffer(mmap.mmap(-1, 8 * workers), dtype=np.int64)  # what each process reads
        self._now[:] = -1
        self._workers: list[_Worker] = []
        self._under_way: deque[_Worker] = deque()
        self._end = Finalize(self, _end, (self._workers,), exitpriority=1)  # at exit, before multiprocessing waits
        try:
            for number in range(workers):
                self._workers.append(_start(work, begin, self._now[number : number + 1]))
        except OSError as error:
            started = len(self._workers)
            self.close()
            raise HostError(
                f"Only {started} of {workers} processes that read {self._reads} could be started "
                f"({error.strerror or error}): {remedy}, or raise the limit of processes."
            ) from error

    @property
    def ready(self) -> bool:
        """Whether it is open and has nothing to do."""
        return bool(self._workers) and not self._under_way

    def map(self, tasks: Iterable[Task]) -> Iterator[Done]:
        """The results of tasks, in their order; one that is given up early closes the pool.

        Raises:
            HostError: A process died or is stuck.
            Exception: Whatever the work raises.
        """
        coming = iter(tasks)
        under_way = self._under_way = deque()
        given = 0
        try:
            while True:
                for task in coming:
                    worker = self._workers[given % len(self._workers)]
                    self._send(worker, task)
                    under_way.append(worker)
                    given += 1
                    if len(under_way) == self._ahead:
                        break
                if not under_way:
                    return
                yield self._receive(under_way.popleft())
        except GeneratorExit:
            if under_way:
                self.close()
            raise
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End all processes, whatever they do."""
        self._end()

    def _send(self, worker: _Worker, task: Task) -> None:
        try:
            worker.tasks.send(task)
        except (BrokenPipeError, ConnectionResetError):
            raise self._died(worker) from None

    def _receive(self, worker: _Worker) -> Done:
        deadline = time.monotonic() + PATIENCE
        sentinels = {other.process.sentinel: other for other in self._workers}
        while True:
            ready = connection.wait([worker.results, *sentinels], max(0.0, deadline - time.monotonic()))
            if worker.results in ready:
                break
            if ready:
                raise self._died(sentinels[ready[0]])  # type: ignore[index]  # a sentinel
            raise self._stuck(worker)
        try:
            result = worker.results.recv()
        except (EOFError, OSError):
            raise self._died(worker) from None
        if isinstance(result, _Failure):
            raise result.error from _RemoteError(result.traceback)
        return result  # type: ignore[no-any-return]

    def _stuck(self, worker: _Worker) -> HostError:
        index = int(worker.now[0])
        name = f"image {printable(self._source.image_name(index))}" if index >= 0 else "nothing"
        return HostError(
            f"Reading {self._reads} is stuck: {name} {'has not come' if index >= 0 else 'came'} in {PATIENCE / 60:g} "
            "minutes. Is the drive or network that they lie on there?"
        )

    def _died(self, worker: _Worker) -> HostError:
        worker.process.join(_LONGEST_END)
        code = worker.process.exitcode
        if code is not None and -code in (signal.SIGKILL, signal.SIGBUS):
            return HostError(
                f"A process that reads {self._reads} was killed by {signal.Signals(-code).name}, as the system does "
                f"where memory runs short: free some, or {self._remedy}."
            )
        how = "ended" if code is None else how_it_ended(code)
        return HostError(
            f"A process that reads {self._reads} {how}. The same command may succeed; else {self._remedy}."
        )


class _RemoteError(Exception):
    """The traceback in a process, as the cause of what it raised."""


@dataclass(frozen=True, slots=True)
class _Worker:
    """A process, as seen by its parent."""

    process: ForkProcess | SpawnProcess
    tasks: Connection
    results: Connection
    now: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Failure:
    """What a process raised."""

    error: Exception
    traceback: str


def reading(index: int) -> None:
    """Note which image of the source this process reads next; nothing in a process of no pool."""
    for place in _own_place:
        place[0] = index


def _start(work: Callable[[Task], Done], begin: Callable[[], object], now: npt.NDArray[np.int64]) -> _Worker:
    context = multiprocessing.get_context(START_METHOD)
    given, tasks = context.Pipe(duplex=False)
    results, done = context.Pipe(duplex=False)
    process = context.Process(  # type: ignore[attr-defined]
        target=_serve,
        args=(work, begin),
        kwargs={"tasks": given, "results": done, "parent": os.getpid(), "now": now},
        name="images",
        daemon=True,
    )
    try:
        with _left_to_parent(), without_main_module(), warnings.catch_warnings():
            # Python warns of forking beside threads; the work takes no lock that a thread of the parent may hold.
            warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)
            process.start()
    finally:
        given.close()
        done.close()
    return _Worker(process, tasks, results, now)


def _end(workers: list[_Worker]) -> None:
    for worker in workers:
        worker.process.kill()
    for worker in workers:
        worker.process.join(_LONGEST_END)
        worker.tasks.close()
        worker.results.close()
    workers.clear()


def _serve(
    work: Callable[[Task], Done],
    begin: Callable[[], object],
    *,
    tasks: Connection,
    results: Connection,
    parent: int,
    now: npt.NDArray[np.int64],
) -> None:
    """The life of a process."""
    _own_place[:] = [now]
    try:
        when_parent_ends(parent, lambda: os._exit(1))
        begin()
    except Exception as error:  # the parent says it
        results.send(_failure(error))
    while True:
        try:
            task = tasks.recv()
        except EOFError:
            return
        try:
            result: Done | _Failure = work(task)
        except Exception as error:  # the parent raises it
            result = _failure(error)
        results.send(result)


def _failure(error: Exception) -> _Failure:
    text = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - as the parent will
    except Exception:  # an exception may need other arguments than it keeps
        error = RuntimeError(f"{type(error).__name__}: {error}")
    return _Failure(error, f'\n"""\n{text}"""')


@contextlib.contextmanager
def _left_to_parent() -> Iterator[None]:
    """Let signals wait that ask to stop: here, and for good in the processes that are started meanwhile.

    Terminals and batch systems send them to every process; the parent decides what is saved first.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _LEFT_TO_PARENT)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
