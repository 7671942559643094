"""The protocol between a coordinator, which decides what is trained, and an executor, which trains.

Attempts
    A job is submitted with a token (``job.attempt``) that no other submission has, of the same job or of any other
    coordinator. The files that an attempt writes bear the token, so a process that nobody waits for any more can
    overwrite nothing. Once the outcome is delivered, these files are in ``job.folder``, where the coordinator gives
    them their final names; see :mod:`edgenext_search.execution.attempts`. The state that a job continues from has its
    final name before the job is submitted.

Isolation
    Each job is trained in processes of its own. Whatever happens to them, neither other jobs nor the coordinator are
    harmed, and memory and devices are free again once the attempt has ended. A score depends on the job and on the
    place alone, neither on the order of the jobs nor on what is trained beside it.

Events
    Each attempt ends with one event, :class:`Finished` or :class:`Lost`, in any order; a decision that must not depend
    on speed has to wait for all that it needs. An event may be delivered again, or come from an attempt that an earlier
    coordinator has submitted or this one has cancelled: its token says so. What was delivered may be forgotten by the
    executor once it is asked for events again.

Failures
    Nothing that goes wrong in a job is raised. Where the candidate is the reason, the outcome is a
    :class:`~edgenext_search.training.proxy.job.Failed` with a reason of one line: an exception, a loss that is not
    finite, too little memory for a single image, a time limit. Where the place is the reason, the attempt is
    :class:`Lost`: preempted, ended from outside, a node that is gone or silent, no disk, no data. A lost job says
    nothing of its candidate, and is submitted again. What an executor can mend, as by smaller micro-batches where
    memory runs out, it mends before it gives up. A place that falls silent is noticed by the executor: progress is its
    heartbeat.

Restarts
    When the coordinator dies, its jobs may die too, or they may go on: :meth:`Executor.reattach` says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from edgenext_search.training.proxy.job import Outcome, TrainJob


@dataclass(frozen=True, slots=True)
class Progress:
    """A running attempt has completed a share in [0, 1] of its training."""

    job: TrainJob
    share: float


@dataclass(frozen=True, slots=True)
class Finished:
    """An attempt has ended, and the candidate is judged by its outcome."""

    job: TrainJob
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Lost:
    """An attempt has ended for a reason that is not the candidate's; the reason is one line for people."""

    job: TrainJob
    reason: str


@dataclass(frozen=True, slots=True)
class PlaceGained:
    """There is room for more jobs; ``place`` is for people, such as the name of a node."""

    place: str


@dataclass(frozen=True, slots=True)
class PlaceGone:
    """There is room for fewer jobs. What was trained there is lost by an event of its own."""

    place: str
    reason: str


Event = Progress | Finished | Lost | PlaceGained | PlaceGone


class Executor(Protocol):
    """Trains jobs and knows nothing of the study that they belong to; the promises are at the head of the module.

    One thread calls. An executor raises :class:`~edgenext_search.errors.HostError` from any method when it can train
    nothing any more.
    """

    def capacity(self) -> int:
        """Number of jobs that may be under way at once, at present; 0 while it waits for its first place."""
        ...

    def submit(self, job: TrainJob) -> None:
        """Begin an attempt of a job; at most :meth:`capacity` are under way, with unique names."""
        ...

    def events(self, timeout: float) -> Sequence[Event]:
        """What has happened since the last call, in order; waits for at most ``timeout`` seconds for the first event.

        The job of an event equals the one that was submitted.
        """
        ...

    def cancel(self, job: TrainJob) -> None:
        """End an attempt within seconds; no event of it has to follow. What earlier rungs have saved stays."""
        ...

    def reattach(self) -> Sequence[TrainJob]:
        """Attempts that an earlier coordinator has submitted here and whose end was not delivered; called first.

        Their events follow as if this coordinator had submitted them.
        """
        ...

    def close(self) -> None:
        """Free everything that this process holds; called once, after all attempts have ended or are cancelled."""
        ...
