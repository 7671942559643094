"""Training a batch of jobs while a listener hears of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenext_search.training.proxy.job import Trained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edgenext_search.execution.executor import Executor
    from edgenext_search.search.study.listener import Listener
    from edgenext_search.training.proxy.job import Outcome, TrainJob


def run_jobs(
    what: str,
    jobs: Sequence[TrainJob],
    *,
    since: int,
    executor: Executor,
    listener: Listener,
    should_stop: Callable[[], bool],
) -> Iterator[tuple[TrainJob, Outcome]]:
    """Train jobs, and give the outcome of each as soon as it is there.

    Args:
        what: What people know them by together, such as ``Finalists``.
        jobs: All trained until the same epoch.
        since: The epoch that they have reached.
        executor: Trains.
        listener: Hears of an outcome after whoever takes it from here has recorded it.
        should_stop: As in :meth:`~edgenext_search.execution.executor.Executor.run`.
    """
    if not jobs:
        return
    listener.jobs_started(what, [job.label for job in jobs], since=since, until=jobs[0].until)

    def on_progress(job: TrainJob, share: float) -> None:
        listener.job_progress(job.label, share)

    for job, outcome in executor.run(jobs, on_progress=on_progress, should_stop=should_stop):
        yield job, outcome
        if isinstance(outcome, Trained):
            if outcome.micro_batch is not None:
                listener.note(f"{job.label} ran out of memory, and went on with micro-batches of {outcome.micro_batch}")
            listener.job_finished(job.label, outcome.score, None)
        else:
            listener.job_finished(job.label, None, outcome.reason)
