"""Who trains: the protocol that the coordinator speaks, and the executor of this host."""

from __future__ import annotations

import collections
import multiprocessing
import signal
import tempfile
import time
from dataclasses import dataclass, replace
from multiprocessing import connection, forkserver
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edgenext_search.execution.worker import run_worker
from edgenext_search.training.proxy.job import Failed, OutOfMemory, Trained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess

    from edgenext_search.training.proxy.job import Outcome, Placement, TrainJob

PRELOAD = ["edgenext_search.execution.preload"]
POLL = 0.2  # seconds between two looks at whether to stop
PATIENCE = 1.0  # seconds that processes get to end by themselves, or to say why they end


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
class _Rank:
    """One process of a job."""

    process: ForkServerProcess
    messages: Connection
    outcome: Outcome | None = None

    def read(self, on_progress: Callable[[float], None]) -> None:
        """Take in what the process sent: its outcome, or the failure that its death stands for."""
        if self.outcome is not None:
            return
        alive = self.process.is_alive()  # asked first, so that nothing it sent before its end is missed
        try:
            while self.messages.poll():
                message = self.messages.recv()
                if not isinstance(message, float):
                    self.outcome = message
                    return
                on_progress(message)
        except (EOFError, OSError):
            self.process.join()
            alive = False
        if not alive:
            self.outcome = Failed(reason=_death(self.process.exitcode))

    @property
    def was_killed(self) -> bool:
        """Whether a signal ended it."""
        return self.process.exitcode is not None and self.process.exitcode < 0


@dataclass(slots=True)
class _Running:
    job: TrainJob
    place: Placement
    ranks: list[_Rank]
    started: float

    @property
    def handles(self) -> list[Connection | int]:
        """What becomes ready when a process has something to say, or is gone."""
        return [
            handle for rank in self.ranks if rank.outcome is None for handle in (rank.messages, rank.process.sentinel)
        ]

    def read(self, on_progress: Callable[[TrainJob, float], None]) -> Outcome | None:
        """The job's outcome once all its processes have theirs, or one has failed."""
        for rank in self.ranks:
            rank.read(lambda share: on_progress(self.job, share))
        outcomes = [rank.outcome for rank in self.ranks]
        if any(isinstance(outcome, Failed) for outcome in outcomes):
            return self._failure()
        return None if None in outcomes else outcomes[0]

    def _failure(self) -> Outcome:
        """Why the job failed: when one process dies, the others fail for want of it."""
        deadline = time.monotonic() + PATIENCE
        while len(self.ranks) > 1 and (waiting := self.handles) and time.monotonic() < deadline:
            connection.wait(waiting, deadline - time.monotonic())
            for rank in self.ranks:
                rank.read(lambda _share: None)

        def order(rank: _Rank) -> tuple[bool, bool]:
            return not rank.was_killed, not isinstance(rank.outcome, OutOfMemory)

        cause = min((rank for rank in self.ranks if isinstance(rank.outcome, Failed)), key=order)
        assert cause.outcome is not None  # noqa: S101 - it was chosen for it
        return cause.outcome

    def end(self, patience: float = 0.0) -> None:
        """Make sure that the processes are gone; give those that have sent a score ``patience`` seconds to end."""
        for rank in self.ranks:
            if patience:
                rank.process.join(timeout=patience)
            if rank.process.is_alive():
                rank.process.kill()
                rank.process.join()
            rank.messages.close()
            rank.process.close()


class LocalExecutor:
    """Trains on this host: one job a place, one process for each device of the place.

    Processes are forked from a server that has imported torch and timm once, before any device was touched, so a
    job starts within a fraction of a second and its death frees everything that it held. A job that runs out of memory
    starts again with micro-batches half as large, as often as there is anything to halve.

    Args:
        places: Where jobs are trained at the same time; two jobs share a device that stands in two places.
        timeout: Seconds after which a job is ended and fails; None for no limit.
    """

    def __init__(self, places: Sequence[Placement], *, timeout: float | None = None) -> None:
        self.places = tuple(places)
        self.timeout = timeout
        self._micro_batches: dict[str, int] = {}  # of jobs that ran out of memory, so that their next rung knows
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOAD)

    def run(
        self,
        jobs: Sequence[TrainJob],
        *,
        on_progress: Callable[[TrainJob, float], None],
        should_stop: Callable[[], bool],
    ) -> Iterator[tuple[TrainJob, Outcome]]:
        """See :class:`Executor`."""
        waiting = collections.deque(jobs)
        free = collections.deque(self.places)
        running: list[_Running] = []
        with tempfile.TemporaryDirectory(prefix="edgenext-search-") as meetings:
            try:
                while (waiting or running) and not should_stop():
                    while waiting and free:
                        running.append(self._start(waiting.popleft(), free.popleft(), Path(meetings)))
                    ready = set(connection.wait([handle for item in running for handle in item.handles], POLL))
                    for item in list(running):
                        outcome = item.read(on_progress) if ready.intersection(item.handles) else None
                        if outcome is None and self.timeout and time.monotonic() - item.started > self.timeout:
                            outcome = Failed(reason=f"timed out after {self.timeout:g} s")
                        if outcome is None:
                            continue
                        item.end(patience=PATIENCE if isinstance(outcome, Trained) else 0.0)
                        running.remove(item)
                        free.append(item.place)
                        if isinstance(outcome, OutOfMemory) and self._halve(item.job, item.place):
                            waiting.appendleft(item.job)
                        else:
                            yield item.job, outcome
            finally:
                for item in running:
                    item.end()

    def _halve(self, job: TrainJob, place: Placement) -> bool:
        """Give a job half the memory from now on; whether that is possible."""
        micro_batch = self._sized(job, place).halved_micro_batch()
        if micro_batch is not None:
            self._micro_batches[job.name] = micro_batch
        return micro_batch is not None

    def _sized(self, job: TrainJob, place: Placement) -> TrainJob:
        return replace(job, placement=place, micro_batch=self._micro_batches.get(job.name))

    def _start(self, job: TrainJob, place: Placement, meetings: Path) -> _Running:
        placed = self._sized(job, place)
        several = len(place.devices) > 1
        meeting = meetings / f"{job.name}-{time.monotonic_ns()}" if several else None
        ranks = [self._fork(placed, rank, meeting) for rank in range(len(place.devices))]
        return _Running(job=job, place=place, ranks=ranks, started=time.monotonic())

    def _fork(self, job: TrainJob, rank: int, meeting: Path | None) -> _Rank:
        receiver, sender = self._context.Pipe(duplex=False)
        name = job.name if rank == 0 else f"{job.name}, rank {rank}"
        process = self._context.Process(target=run_worker, args=(job, sender, rank, meeting), name=name, daemon=True)
        process.start()
        sender.close()
        return _Rank(process=process, messages=receiver)


def start_server() -> None:
    """Let the server that processes are forked from import torch and timm while something else is done."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOAD)
    forkserver.ensure_running()


def _death(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        hint = "; the system kills a process that takes too much memory" if name == "SIGKILL" else ""
        return f"the process was killed by {name}{hint}"
    return f"the process ended with exit code {exitcode} before it had a score"
