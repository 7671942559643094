"""Who trains: the protocol that the coordinator speaks, and the executor of this host."""

from __future__ import annotations

import collections
import multiprocessing
import os
import signal
import time
from dataclasses import dataclass
from multiprocessing import connection
from typing import TYPE_CHECKING, Protocol

from edgenext_search.errors import UserError
from edgenext_search.training.job import Failed, Trained
from edgenext_search.training.worker import run_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess

    from edgenext_search.training.job import Outcome, TrainJob

POLL = 0.2  # seconds between two looks at whether to stop


class Executor(Protocol):
    """Trains jobs and knows nothing of the study they belong to."""

    def run(
        self,
        jobs: Sequence[TrainJob],
        *,
        on_progress: Callable[[TrainJob, float], None],
        should_stop: Callable[[], bool],
    ) -> Iterator[tuple[TrainJob, Outcome]]:
        """Train all jobs, each in isolation, and give each one's outcome as soon as it is there, in any order.

        Args:
            jobs: What to train.
            on_progress: Called with a job and the share of it that is done, in [0, 1].
            should_stop: Asked often; once it answers yes, running jobs are ended and no outcome follows.
        """
        ...


@dataclass(slots=True)
class _Running:
    job: TrainJob
    slot: str
    process: ForkServerProcess
    messages: Connection
    started: float

    @property
    def handles(self) -> tuple[Connection, int]:
        """What becomes ready when the process has something to say, or is gone."""
        return self.messages, self.process.sentinel

    def read(self, on_progress: Callable[[TrainJob, float], None]) -> Outcome | None:
        """What the process sent: its outcome, the failure that its death stands for, or None if it works on."""
        alive = self.process.is_alive()  # asked first, so that nothing it sent before its end is missed
        try:
            while self.messages.poll():
                message = self.messages.recv()
                if not isinstance(message, float):
                    outcome: Outcome = message
                    return outcome
                on_progress(self.job, message)
        except (EOFError, OSError):
            self.process.join()
            alive = False
        if alive:
            return None
        return Failed(reason=_death(self.process.exitcode))

    def end(self, patience: float = 0.0) -> None:
        """Make sure that the process is gone; give one that has sent its score ``patience`` seconds to end."""
        if patience:
            self.process.join(timeout=patience)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.messages.close()
        self.process.close()


class LocalExecutor:
    """Trains on this host: one process a job, one job a slot; a slot is a GPU, or a share of the CPU.

    Processes are forked from a server that has imported torch and timm once, before any device was touched, so a
    job starts within a fraction of a second and its death frees everything that it held.

    Args:
        slots: Device of each slot; two jobs share a device that stands twice.
        threads: CPU threads of each job.
        timeout: Seconds after which a job is ended and fails; None for no limit.
    """

    def __init__(self, slots: Sequence[str], *, threads: int, timeout: float | None = None) -> None:
        self.slots = tuple(slots)
        self.threads = threads
        self.timeout = timeout
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["edgenext_search.training.preload"])

    def run(
        self,
        jobs: Sequence[TrainJob],
        *,
        on_progress: Callable[[TrainJob, float], None],
        should_stop: Callable[[], bool],
    ) -> Iterator[tuple[TrainJob, Outcome]]:
        """See :class:`Executor`."""
        waiting = collections.deque(jobs)
        free = collections.deque(self.slots)
        running: list[_Running] = []
        try:
            while (waiting or running) and not should_stop():
                while waiting and free:
                    running.append(self._start(waiting.popleft(), free.popleft()))
                ready = set(connection.wait([handle for item in running for handle in item.handles], POLL))
                for item in list(running):
                    outcome = item.read(on_progress) if ready.intersection(item.handles) else None
                    if outcome is None and self.timeout and time.monotonic() - item.started > self.timeout:
                        outcome = Failed(reason=f"timed out after {self.timeout:g} s")
                    if outcome is not None:
                        item.end(patience=1.0 if isinstance(outcome, Trained) else 0.0)
                        running.remove(item)
                        free.append(item.slot)
                        yield item.job, outcome
        finally:
            for item in running:
                item.end()

    def _start(self, job: TrainJob, slot: str) -> _Running:
        receiver, sender = self._context.Pipe(duplex=False)
        arguments = (job.on(slot, self.threads), sender)
        process = self._context.Process(target=run_worker, args=arguments, name=job.name, daemon=True)
        process.start()
        sender.close()
        return _Running(job=job, slot=slot, process=process, messages=receiver, started=time.monotonic())


def _death(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        hint = "; the system kills a process that takes too much memory" if name == "SIGKILL" else ""
        return f"the process was killed by {name}{hint}"
    return f"the process ended with exit code {exitcode} before it had a score"


def local_slots(device: str, parallel: int | None) -> list[str]:
    """The slots of this host.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``; ``auto`` takes the GPUs where there are any.
        parallel: Jobs at once; None for one on each GPU, or on each CPU core.

    Raises:
        UserError: The device is not there, or ``parallel`` is not positive.
    """
    if parallel is not None and parallel < 1:
        raise UserError(f"--parallel must be >= 1, but got {parallel}.")
    gpus = 0
    if device in ("auto", "cuda"):
        import torch

        gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "cuda" and not gpus:
        raise UserError("--device cuda needs a CUDA GPU, but torch finds none; `edgenext-search doctor` says more.")
    if gpus:
        return [f"cuda:{index % gpus}" for index in range(parallel or gpus)]
    return ["cpu"] * (parallel or len(os.sched_getaffinity(0)))
