"""Progress of a study: what a listener hears, and trainings that report to one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenext_search.execution.dispatch import outcomes
from edgenext_search.training.proxy.job import Trained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edgenext_search.execution.executor import Executor
    from edgenext_search.search.store.records import TrialRecord
    from edgenext_search.training.proxy.job import Outcome, TrainJob


class Listener:
    """Called as a study makes progress; a display or a log overrides the methods that it shows. None may raise."""

    def study_started(self, *, resumed: bool) -> None:
        """All checks have passed, and the work begins."""

    def data_progress(self, done: int, total: int) -> None:
        """``done`` of ``total`` images are in the cache."""

    def measured(self, what: str, done: int, total: int) -> None:
        """``done`` of ``total`` networks or blocks are measured on the device."""

    def cohort_started(self, trials: Sequence[TrialRecord], total_trials: int) -> None:
        """A cohort begins, or is resumed."""

    def jobs_started(self, what: str, jobs: Sequence[str], *, since: int, until: int) -> None:
        """Jobs are about to be trained from one epoch to another: a rung of a cohort, or the finalists."""

    def job_progress(self, job: str, share: float) -> None:
        """A job has completed a share in [0, 1] of its training."""

    def job_finished(self, job: str, score: float | None, reason: str | None) -> None:
        """A job has a score, or the reason of its failure."""

    def note(self, text: str) -> None:
        """A message for the user."""


class Listeners(Listener):
    """Passes each call on to several listeners, in order."""

    def __init__(self, *others: Listener) -> None:
        self._others = others


def _pass_on(name: str) -> Callable[..., None]:
    def call(self: Listeners, *args: object, **kwargs: object) -> None:
        for other in self._others:
            getattr(other, name)(*args, **kwargs)

    return call


for _name in [name for name in vars(Listener) if not name.startswith("_")]:
    setattr(Listeners, _name, _pass_on(_name))


def run_jobs(
    what: str,
    jobs: Sequence[TrainJob],
    *,
    since: int,
    executor: Executor,
    listener: Listener,
    should_stop: Callable[[], bool],
) -> Iterator[tuple[TrainJob, Outcome]]:
    """Train jobs, and yield the outcome of each as soon as it is known.

    Args:
        what: Name of the jobs together, such as ``Finalists``.
        jobs: Jobs, all trained until the same epoch.
        since: Epoch that the jobs have reached.
        executor: Executor of the jobs.
        listener: Listener, which hears of an outcome after the caller has recorded it.
        should_stop: Whether to stop, as in :func:`~edgenext_search.execution.dispatch.outcomes`.

    Raises:
        HostError: A job was lost too often. Nothing is recorded of it, so that it is trained again once the cause is
            mended.
        UserError: A place has other versions than this process.
    """
    if not jobs:
        return
    listener.jobs_started(what, [job.label for job in jobs], since=since, until=jobs[0].until)

    def on_progress(job: TrainJob, share: float) -> None:
        listener.job_progress(job.label, share)

    for job, outcome in outcomes(executor, jobs, note=listener.note, on_progress=on_progress, should_stop=should_stop):
        yield job, outcome
        tell_outcome(listener, job, outcome)


def tell_outcome(listener: Listener, job: TrainJob, outcome: Outcome) -> None:
    """Tell a listener of the outcome of a job, after it is recorded."""
    if not isinstance(outcome, Trained):
        listener.job_finished(job.label, None, outcome.reason)
        return
    if outcome.place is not None and outcome.place.micro_batch is not None:
        listener.note(f"{job.label} ran out of memory and continued with micro-batches of {outcome.place.micro_batch}")
    listener.job_finished(job.label, outcome.score, None)
