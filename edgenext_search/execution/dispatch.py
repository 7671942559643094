"""Jobs on their way through an executor: in order of urgency, again where they are lost, each outcome once."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from edgenext_search.errors import HostError, UserError
from edgenext_search.execution.attempts import accept, discard, new_attempt
from edgenext_search.execution.executor import Event, Executor, Finished, Lost, PlaceGained, PlaceGone, Progress
from edgenext_search.training.proxy.job import Outcome, Place, Trained, TrainJob
from edgenext_search.versions import PACKAGE, installed

ATTEMPTS = 3  # of a job that is lost again and again
POLL = 0.2  # seconds between two looks at whether to stop
Urgency = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class _Running:
    """A job under way, as it was added and as it was submitted."""

    urgency: Urgency
    job: TrainJob
    attempt: TrainJob


class Dispatcher:
    """Keeps an executor busy with the most urgent jobs; a context manager that cancels what is under way.

    A lost job is submitted again, before all others, at most :data:`ATTEMPTS` times in all. Of each job one outcome is
    given, that of its latest attempt; late and repeated deliveries are dropped, with their files.

    Args:
        executor: Executor of the jobs.
        note: Called with what a person should know: lost jobs, places that come and go, another kind of device.
        known: Places of the scores so far.
    """

    def __init__(self, executor: Executor, *, note: Callable[[str], None], known: Collection[Place] = ()) -> None:
        self._executor = executor
        self._note = note
        self._devices = {place.device for place in known}
        self._versions = _versions(installed(PACKAGE), installed("torch"))
        if former := {_versions(place.package, place.torch) for place in known} - {self._versions}:
            note(f"Note: earlier scores are of {', '.join(sorted(former))}; this host has {self._versions}.")
        self._waiting: list[tuple[Urgency, int, TrainJob]] = []
        self._running: dict[str, _Running] = {}  # by the job's name
        self._tries: Counter[str] = Counter()
        self._order = 0
        self._error: HostError | UserError | None = None
        self._attached = {attempt.name: attempt for attempt in executor.reattach()}

    def __enter__(self) -> Self:
        """See :meth:`__exit__`."""
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Cancel what is under way."""
        self.cancel_all()

    def cancel_all(self) -> None:
        """Train nothing further."""
        for attempt in [*(running.attempt for running in self._running.values()), *self._attached.values()]:
            self._executor.cancel(attempt)
        self._waiting.clear()
        self._running.clear()
        self._attached.clear()

    @property
    def under_way(self) -> int:
        """Number of jobs without an outcome, with one that was given up."""
        return len(self._running) + len(self._waiting) + (self._error is not None)

    @property
    def idle(self) -> int:
        """Number of places for which there is no job."""
        return max(0, self._executor.capacity() - self.under_way)

    def add(self, job: TrainJob, urgency: Urgency = ()) -> None:
        """Train a job as soon as there is a place and no other is more urgent, the lowest first, then in order."""
        attempt = self._attached.pop(job.name, None)
        if attempt is not None and attempt.until == job.until:
            self._running[job.name] = _Running(urgency, job, attempt)
            return
        if attempt is not None:  # of a rung that was recorded before the coordinator died
            self._executor.cancel(attempt)
        self._order += 1
        heapq.heappush(self._waiting, (urgency, self._order, job))

    def cancel(self, name: str) -> None:
        """Train a job no further, if it is waiting or running."""
        self._waiting = [item for item in self._waiting if item[2].name != name]
        heapq.heapify(self._waiting)
        if running := self._running.pop(name, None):
            self._executor.cancel(running.attempt)

    def poll(self, timeout: float = POLL) -> list[Progress | Finished]:
        """Submit what there is room for, and give what has happened, of each job as it was added.

        Raises:
            HostError: A job was lost too often.
            UserError: A place has other versions than this process.
        """
        if self._error:
            raise self._error
        while self._waiting and len(self._running) < self._executor.capacity():
            urgency, _, job = heapq.heappop(self._waiting)
            self._tries[job.name] += 1
            attempt = new_attempt(job, self._tries[job.name])
            self._running[job.name] = _Running(urgency, job, attempt)
            self._executor.submit(attempt)
        return [told for event in self._executor.events(timeout) if (told := self._read(event))]

    def _read(self, event: Event) -> Progress | Finished | None:
        """What to give of an event."""
        if isinstance(event, PlaceGained):
            self._note(f"{event.place} has joined")
        elif isinstance(event, PlaceGone):
            self._note(f"{event.place} is gone: {event.reason}")
        elif (running := self._running.get(event.job.name)) and running.attempt == event.job:
            if isinstance(event, Progress):
                return Progress(running.job, event.share)
            return self._ended(self._running.pop(event.job.name), event)
        elif not isinstance(event, Progress):
            discard(event.job)
        return None

    def _ended(self, running: _Running, event: Finished | Lost) -> Finished | None:
        """The outcome of the latest attempt of a job, if it has one that counts."""
        if isinstance(event, Lost):
            self._submit_again(running, event.reason)
        elif not (isinstance(event.outcome, Trained) and event.outcome.place and self._refuse(event.outcome.place)):
            accept(running.attempt)
            self._tries.pop(running.job.name, None)
            return Finished(running.job, event.outcome)
        discard(running.attempt)
        return None

    def _submit_again(self, running: _Running, reason: str) -> None:
        """Submit a lost job again, or give up with the next poll, so that what came with the loss is recorded."""
        job = running.job
        if self._tries[job.name] >= ATTEMPTS:
            self._error = HostError(f"{job.label[:1].upper()}{job.label[1:]} could not be trained: {reason}")
            return
        self._note(f"{job.label} was lost and is trained again: {reason}")
        self._order += 1
        heapq.heappush(self._waiting, (running.urgency, -self._order, job))

    def _refuse(self, place: Place) -> bool:
        """Whether a place has other versions than this process, whose scores would not be comparable."""
        there = _versions(place.package, place.torch)
        if there != self._versions:
            self._error = UserError(
                f"{place.host} has {there}, but this host has {self._versions}, so scores would not be comparable; "
                "install the same versions, or leave that host out."
            )
            return True
        if self._devices and place.device not in self._devices:
            others = ", ".join(sorted(self._devices))
            self._note(f"Note: {place.host} trains on {place.device}, others on {others}: scores differ by rounding.")
        self._devices.add(place.device)
        return False


def _versions(package: str | None, torch: str | None) -> str:
    return f"{PACKAGE} {package} and torch {torch}"


def outcomes(
    executor: Executor,
    jobs: Sequence[TrainJob],
    *,
    note: Callable[[str], None] = lambda _: None,
    on_progress: Callable[[TrainJob, float], None] = lambda _job, _share: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[TrainJob, Outcome]]:
    """Train jobs with unique names, and yield the outcome of each as soon as it is known.

    Once ``should_stop`` answers yes or the iterator is closed, running jobs are cancelled, and no more is asked for.

    Args:
        executor: Executor of the jobs.
        jobs: Jobs, the first of them first.
        note: As for :class:`Dispatcher`.
        on_progress: Called with a running job and the share of it that is done, in [0, 1].
        should_stop: Asked often, at least every second.

    Raises:
        HostError: A job was lost too often.
        UserError: A place has other versions than this process.
    """
    with Dispatcher(executor, note=note) as dispatcher:
        for job in jobs:
            dispatcher.add(job)
        while dispatcher.under_way and not should_stop():
            for event in dispatcher.poll():
                if isinstance(event, Progress):
                    on_progress(event.job, event.share)
                else:
                    yield event.job, event.outcome
