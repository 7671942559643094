"""The executor of this host."""

from __future__ import annotations

import collections
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing import connection
from pathlib import Path

from edgenext_search.errors import HostError, UserError
from edgenext_search.execution.executor import Event, Finished, Lost, Progress
from edgenext_search.execution.processes import (
    LONGEST_REASON,
    POLL,
    ProcessDiedError,
    ProcessGroup,
    Send,
    WorkerError,
)
from edgenext_search.temporary import temporary_folder
from edgenext_search.training.proxy.job import Failed, Outcome, OutOfMemory, Placement, Trained, TrainJob

REPORT_EVERY = 0.2  # seconds between two messages of progress


class LocalExecutor:
    """Trains on this host: one job a place, one process for each device of the place.

    A job that runs out of memory starts again with micro-batches half as large, as often as there is anything to halve.
    A job whose process is killed starts again as it was; if it is killed again, that counts as too little memory.
    All processes end with that of the coordinator.

    Args:
        places: Where jobs are trained at the same time; two jobs share a device that stands in two places.
        timeout: Seconds after which a job is ended and fails; None for no limit.
    """

    def __init__(self, places: Sequence[Placement], *, timeout: float | None = None) -> None:
        self.places = tuple(places)
        self.timeout = timeout
        self._free = collections.deque(self.places)
        self._running: dict[str, _Running] = {}  # by the job's name
        self._micro_batches: dict[str, int] = {}  # of jobs that ran out of memory, so that their next rung knows
        self._killed: set[str] = set()  # names of jobs whose process was killed

    def capacity(self) -> int:
        """See :class:`~edgenext_search.execution.executor.Executor`."""
        return len(self.places)

    def submit(self, job: TrainJob) -> None:
        """See :class:`~edgenext_search.execution.executor.Executor`."""
        self._start(job, self._free.popleft())

    def events(self, timeout: float) -> list[Event]:
        """See :class:`~edgenext_search.execution.executor.Executor`."""
        handles = [handle for running in self._running.values() for handle in running.group.handles]
        ready = set(connection.wait(handles, min(timeout, POLL)))
        events: list[Event] = []
        for running in list(self._running.values()):
            ending = running.read(events) if ready.intersection(running.group.handles) else None
            if ending is None and self.timeout and time.monotonic() - running.started > self.timeout:
                ending = Failed(reason=f"timed out after {self.timeout:g} s")
            if ending is not None:
                events += self._end(running, ending)
        return events

    def cancel(self, job: TrainJob) -> None:
        """See :class:`~edgenext_search.execution.executor.Executor`."""
        running = self._running.get(job.name)
        if running is not None and running.job == job:
            self._free.append(self._close(running))

    def reattach(self) -> list[TrainJob]:
        """See :class:`~edgenext_search.execution.executor.Executor`."""
        return []

    def close(self) -> None:
        """See :class:`~edgenext_search.execution.executor.Executor`."""
        for running in list(self._running.values()):
            self.cancel(running.job)

    def _start(self, job: TrainJob, place: Placement) -> None:
        placed = self._sized(job, place)
        scratch = contextlib.ExitStack()
        rendezvous = scratch.enter_context(temporary_folder()) / "rendezvous"
        arguments = [(placed, rank, rendezvous) for rank in range(len(place.devices))]
        group = ProcessGroup(train, arguments, name=job.name)
        self._running[job.name] = _Running(job, place, group, scratch, started=time.monotonic())

    def _close(self, running: _Running) -> Placement:
        """End the processes of a job; its place, which is free now."""
        del self._running[running.job.name]
        running.group.close()
        running.scratch.close()
        return running.place

    def _end(self, running: _Running, ending: Outcome | _Gone) -> list[Event]:
        """Start a job again that has ended, where that may help, or tell its end."""
        job, place = running.job, self._close(running)
        if isinstance(ending, Trained):
            self._killed.discard(job.name)
        if self._may_retry(job, place, ending):
            self._start(job, place)
            return []
        self._free.append(place)
        return [Lost(job, ending.reason) if isinstance(ending, _Gone) else Finished(job, ending)]

    def _may_retry(self, job: TrainJob, place: Placement, ending: Outcome | _Gone) -> bool:
        """Whether a job starts again, changed where that is needed."""
        killed = isinstance(ending, _Gone) and ending.killed
        if killed and job.name not in self._killed:
            self._killed.add(job.name)
            return True
        return (killed or isinstance(ending, OutOfMemory)) and self._halve(job, place)

    def _halve(self, job: TrainJob, place: Placement) -> bool:
        """Give a job half the memory from now on; whether that is possible."""
        micro_batch = self._sized(job, place).halved_micro_batch()
        if micro_batch is not None:
            self._micro_batches[job.name] = micro_batch
        return micro_batch is not None

    def _sized(self, job: TrainJob, place: Placement) -> TrainJob:
        return replace(job, placement=place, micro_batch=self._micro_batches.get(job.name))


def train(job: TrainJob, rank: int, rendezvous: Path, *, send: Send) -> Trained:
    """Train a process's share of a job.

    Args:
        job: The job.
        rank: Which of the job's devices this process has.
        rendezvous: File in which the processes of the job meet.
        send: Called now and then by the first process, with the share of the job that is done.
    """
    from edgenext_search.training.proxy.rung import train_rung

    last = 0.0

    def on_step(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if rank == 0 and now - last >= REPORT_EVERY:
            last = now
            send(done / total)

    return train_rung(job, on_step, rank=rank, rendezvous=rendezvous)


@dataclass(frozen=True, slots=True)
class _Gone:
    """The end of a job for which the host is the reason.

    Attributes:
        reason: The reason, for people.
        killed: Whether its process was ended from outside, most often because memory ran out.
    """

    reason: str
    killed: bool = False


@dataclass(slots=True)
class _Running:
    job: TrainJob
    place: Placement
    group: ProcessGroup[Trained]
    scratch: contextlib.ExitStack
    started: float

    def read(self, events: list[Event]) -> Outcome | _Gone | None:
        """How the job has ended, once it has; progress is added to the events."""
        if not self.group.poll(lambda share: events.append(Progress(self.job, share))):
            return None
        ending: Outcome | _Gone
        try:
            ending = self.group.results()[0]
        except MemoryError as error:
            ending = OutOfMemory(reason=f"out of memory: {error}")
        except ProcessDiedError as error:
            reason = f"the process {error.how}"
            ending = _Gone(reason, killed=True) if error.from_outside else Failed(reason=reason)
        except (HostError, UserError) as error:  # the candidate has no part in it
            ending = _Gone(str(error))
        except WorkerError as error:
            ending = Failed(reason=str(error))
        except Exception as error:  # one of those that a process sends as they are
            ending = Failed(reason=f"{type(error).__name__}: {' '.join(str(error).split())[:LONGEST_REASON]}")
        return ending
