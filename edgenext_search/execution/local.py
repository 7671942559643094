"""The executor of this host."""

from __future__ import annotations

import collections
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing import connection
from pathlib import Path

from edgenext_search.errors import HostError, UserError
from edgenext_search.execution.processes import (
    LONGEST_REASON,
    POLL,
    ProcessDiedError,
    ProcessGroup,
    Send,
    WorkerError,
)
from edgenext_search.temporary import temporary_folder
from edgenext_search.training.proxy.job import (
    Failed,
    HostFailed,
    Killed,
    Outcome,
    OutOfMemory,
    Placement,
    Trained,
    TrainJob,
)

REPORT_EVERY = 0.2  # seconds between two messages of progress


class LocalExecutor:
    """Trains on this host: one job a place, one process for each device of the place.

    A job that runs out of memory starts again with micro-batches half as large, as often as there is anything to halve.
    A job whose process is killed starts again as it was; if it is killed again, that counts as too little memory.

    Args:
        places: Where jobs are trained at the same time; two jobs share a device that stands in two places.
        timeout: Seconds after which a job is ended and fails; None for no limit.
    """

    def __init__(self, places: Sequence[Placement], *, timeout: float | None = None) -> None:
        self.places = tuple(places)
        self.timeout = timeout
        self._micro_batches: dict[str, int] = {}  # of jobs that ran out of memory, so that their next rung knows
        self._killed: set[str] = set()  # names of jobs whose process was killed

    def run(
        self,
        jobs: Sequence[TrainJob],
        *,
        on_progress: Callable[[TrainJob, float], None],
        should_stop: Callable[[], bool],
    ) -> Iterator[tuple[TrainJob, Outcome]]:
        """See :class:`~edgenext_search.execution.executor.Executor`."""
        waiting = collections.deque(jobs)
        free = collections.deque(self.places)
        running: list[_Running] = []
        with temporary_folder() as scratch:
            try:
                while (waiting or running) and not should_stop():
                    while waiting and free:
                        running.append(self._start(waiting.popleft(), free.popleft(), scratch))
                    ready = set(connection.wait([handle for item in running for handle in item.group.handles], POLL))
                    for item in list(running):
                        outcome = item.read(on_progress) if ready.intersection(item.group.handles) else None
                        if outcome is None and self.timeout and time.monotonic() - item.started > self.timeout:
                            outcome = Failed(reason=f"timed out after {self.timeout:g} s")
                        if outcome is None:
                            continue
                        item.group.close()
                        running.remove(item)
                        free.append(item.place)
                        if self._may_retry(item.job, item.place, outcome):
                            waiting.appendleft(item.job)
                        else:
                            yield item.job, outcome
            finally:
                for item in running:
                    item.group.close()

    def _may_retry(self, job: TrainJob, place: Placement, outcome: Outcome) -> bool:
        """Whether a job starts again, changed where that is needed."""
        if isinstance(outcome, Trained):
            self._killed.discard(job.name)
        if isinstance(outcome, Killed) and job.name not in self._killed:
            self._killed.add(job.name)
            return True
        return isinstance(outcome, OutOfMemory | Killed) and self._halve(job, place)

    def _halve(self, job: TrainJob, place: Placement) -> bool:
        """Give a job half the memory from now on; whether that is possible."""
        micro_batch = self._sized(job, place).halved_micro_batch()
        if micro_batch is not None:
            self._micro_batches[job.name] = micro_batch
        return micro_batch is not None

    def _sized(self, job: TrainJob, place: Placement) -> TrainJob:
        return replace(job, placement=place, micro_batch=self._micro_batches.get(job.name))

    def _start(self, job: TrainJob, place: Placement, scratch: Path) -> _Running:
        placed = self._sized(job, place)
        rendezvous = scratch / f"{job.name}-{time.monotonic_ns()}"
        arguments = [(placed, rank, rendezvous) for rank in range(len(place.devices))]
        return _Running(job, place, ProcessGroup(train, arguments, name=job.name), started=time.monotonic())


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


@dataclass(slots=True)
class _Running:
    job: TrainJob
    place: Placement
    group: ProcessGroup[Trained]
    started: float

    def read(self, on_progress: Callable[[TrainJob, float], None]) -> Outcome | None:
        """The job's outcome, once there is one."""
        if not self.group.poll(lambda share: on_progress(self.job, share)):
            return None
        outcome: Outcome
        try:
            outcome = self.group.results()[0]
        except MemoryError as error:
            outcome = OutOfMemory(reason=f"out of memory: {error}")
        except ProcessDiedError as error:
            outcome = (Killed if error.from_outside else Failed)(reason=f"the process {error.how}")
        except (HostError, UserError) as error:  # the candidate has no part in it
            outcome = HostFailed(reason=str(error))
        except WorkerError as error:
            outcome = Failed(reason=str(error))
        except Exception as error:  # one of those that a process sends as they are
            outcome = Failed(reason=f"{type(error).__name__}: {' '.join(str(error).split())[:LONGEST_REASON]}")
        return outcome
