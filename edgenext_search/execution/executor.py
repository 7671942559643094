"""The protocol between a coordinator, which decides what is trained, and an executor, which trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from edgenext_search.training.proxy.job import Outcome, TrainJob


class Executor(Protocol):
    """Trains jobs and knows nothing of the study that they belong to.

    Isolation
        Each job is trained in processes of its own. Whatever happens to them, neither other jobs nor the coordinator
        are harmed, and memory and devices are free again once the job has an outcome. A score depends on the job
        alone, neither on the order of the jobs nor on what is trained beside it.

    Order of outcomes
        Each job has exactly one outcome, given with the job as it was passed. Outcomes come as soon as they are known,
        in any order; a decision that must not depend on speed has to wait for all that it needs.

    Stopping
        Once ``should_stop`` answers yes, or the iterator is closed, running jobs are ended within seconds and no
        outcome follows. What earlier rungs have saved stays, so the same job may be run again later.

    Failures
        Nothing that goes wrong in a job is raised: its outcome is a
        :class:`~edgenext_search.training.proxy.job.Failed` with a reason of one line. What an executor can mend, as by
        smaller micro-batches where memory runs out, it mends before it gives up. Where disk, files, devices or the
        operator are the reason, and not the candidate, the outcome is a
        :class:`~edgenext_search.training.proxy.job.HostFailed`.
    """

    def run(
        self,
        jobs: Sequence[TrainJob],
        *,
        on_progress: Callable[[TrainJob, float], None],
        should_stop: Callable[[], bool],
    ) -> Iterator[tuple[TrainJob, Outcome]]:
        """Train all jobs and give each one's outcome.

        Args:
            jobs: The jobs; their names are unique.
            on_progress: Called with a running job and the share of it that is done, in [0, 1].
            should_stop: Asked often, at least every second.
        """
        ...
