"""From a candidate to a job, and from a list of jobs to the executor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgenext_search.arch.candidate import Candidate
from edgenext_search.execution.dispatch import Dispatcher, Urgency
from edgenext_search.search.study.listener import Listener
from edgenext_search.training.engine.numerics import Numerics
from edgenext_search.training.proxy.job import TrainJob
from edgenext_search.training.proxy.recipe import TrainRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where the trainings of a study are ordered.

    Attributes:
        recipe: How every candidate is trained.
        numerics: Precision, memory layout and compilation of all trainings.
        data: Folder of the prepared images.
        scratch: Folder of the states and weights of trainings.
        dispatcher: Jobs under way.
        listener: Listener to the study's progress.
    """

    recipe: TrainRecipe
    numerics: Numerics
    data: Path
    scratch: Path
    dispatcher: Dispatcher
    listener: Listener

    def job(self, candidate: Candidate, *, seed: int, until: int, label: str = "") -> TrainJob:
        """The job that trains a candidate until an epoch."""
        return TrainJob(
            name=f"{candidate.fingerprint}-{seed}",
            label=label,
            candidate=candidate,
            recipe=self.recipe,
            data=self.data,
            seed=seed,
            until=until,
            folder=self.scratch,
            numerics=self.numerics,
        )

    def order(self, what: str, jobs: Sequence[TrainJob], *, since: int, urgency: Urgency) -> None:
        """Have jobs trained that have the same epochs to do, the first of them first."""
        if jobs:
            self.listener.jobs_started(what, [job.label for job in jobs], since=since, until=jobs[0].until)
        for job in jobs:
            self.dispatcher.add(job, urgency)
