"""Small studies without training: a scripted executor, recipes, and a laboratory that runs them."""

from __future__ import annotations

import functools
import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
from strategies import ByMadds, tiny

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.projection import Projection
from edgenext_search.execution.executor import Event, Finished, Lost, Progress
from edgenext_search.latency.measurement import Measurement
from edgenext_search.search.recipe import ResolvedRecipe
from edgenext_search.search.resolver import load_study
from edgenext_search.search.results import Finalist
from edgenext_search.search.store.records import TrialRecord
from edgenext_search.search.store.store import StudyStore
from edgenext_search.search.study.coordinator import Coordinator
from edgenext_search.search.study.finalists import finalists_of
from edgenext_search.search.study.listener import Listener
from edgenext_search.training.proxy.job import Failed, Outcome, Trained, TrainJob
from edgenext_search.training.proxy.recipe import TrainRecipe

FLAGS = {"budget": "60k", "deployment.num_classes": 10, "deployment.img_size": 64}
AS_THE_HOST_LIKES = ("proxy.precision=auto", "proxy.channels_last=null", "proxy.compile=null")  # the demo fixes them
FIRST = "edgenext_xx_small"  # nearest to the budget of FLAGS, so trial 0

MANY_DUPLICATES: dict[str, Any] = {
    "name": "eight",
    "description": "Eight candidates, so that proposals repeat.",
    "width_multiple": 8,
    "expand_ratio": 3,
    "stages": [
        {"depth": 1, "kernel_size": 3, "sdta_blocks": 0},
        {"width_ratio": 1.5, "depth": 1, "kernel_size": [3, 5], "sdta_blocks": 0},
        {"width_ratio": 1.5, "depth": [1, 2], "kernel_size": 3, "sdta_blocks": 0},
        {"width_ratio": 1.5, "depth": 1, "kernel_size": [3, 5], "sdta_blocks": 0},
    ],
}
"""A space so small that proposals repeat."""


class Killed(BaseException):
    """kill -9: whatever was not written is lost."""


def a_recipe(*, space: Any = None, rungs: Sequence[float] = (0.5, 1.0), **search: Any) -> ResolvedRecipe:
    """The tiny study; the keyword arguments are keys of ``search``."""
    keys = {
        "trials": 8,
        "cohort": 4,
        "finalists": 2,
        "rescore_seeds": 2,
        "rematch_seeds": 2,
        "sampler": "random",
        **search,
    }
    flags = {**FLAGS, **{f"search.{key}": value for key, value in keys.items()}}
    if space is not None:
        flags["space"] = space
    return load_study(
        "demo", flags=flags, settings=[*AS_THE_HOST_LIKES, "proxy.epochs=4", f"proxy.rungs={list(rungs)}"]
    )


def with_data(recipe: ResolvedRecipe, folder: Path) -> ResolvedRecipe:
    """The study on the images of a folder, at 32 px."""
    data = recipe.data.model_copy(update={"source": str(folder)})
    proxy = recipe.proxy.model_copy(update={"img_size": 32})
    return replace(recipe, data=data, proxy=proxy)


def score_of(job: TrainJob) -> float:
    """A score that hangs on candidate, seed and epoch alone; it grows from rung to rung."""
    text = f"{job.candidate.fingerprint}:{job.seed}:{job.until}"
    luck = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32
    return round(0.1 * job.until + 0.4 * luck, 6)


class FakeExecutor:
    """Trains nothing: outcomes are a script.

    Args:
        outcome: What comes of a job, or that it is lost; by default its :func:`score_of`.
        shuffle: In which order outcomes come; None for the order of the jobs.
        killed_at: Dies before it gives its k-th outcome, counted from 1.
        places: Jobs at once.
    """

    def __init__(
        self,
        outcome: Callable[[TrainJob], Outcome | Lost] | None = None,
        *,
        shuffle: random.Random | None = None,
        killed_at: int | None = None,
        places: int = 1,
    ) -> None:
        self._outcome = outcome or (lambda job: Trained(score=score_of(job), seconds=0.5))
        self._shuffle = shuffle
        self._killed_at = killed_at
        self._places = places
        self._under_way: list[TrainJob] = []
        self.given: list[tuple[str, int, int]] = []
        self.jobs: list[TrainJob] = []

    def capacity(self) -> int:
        return self._places

    def reattach(self) -> list[TrainJob]:
        return []

    def submit(self, job: TrainJob) -> None:
        assert job.attempt
        assert job.name not in [other.name for other in self._under_way], "two jobs under way share their files"
        self._under_way.append(job)
        assert len(self._under_way) <= self._places

    def cancel(self, job: TrainJob) -> None:
        self._under_way = [other for other in self._under_way if other != job]

    def close(self) -> None:
        assert not self._under_way

    def events(self, _timeout: float) -> list[Event]:
        """The end of one job."""
        if not self._under_way:
            return []
        job = self._under_way[self._shuffle.randrange(len(self._under_way)) if self._shuffle else 0]
        if len(self.given) + 1 == self._killed_at:
            raise Killed
        self._under_way.remove(job)
        self.given.append((job.candidate.fingerprint, job.seed, job.until))
        self.jobs.append(job)
        ending = self._outcome(job)
        self.after_outcome(job)
        return [Progress(job, 0.5), ending if isinstance(ending, Lost) else Finished(job, ending)]

    def forget(self) -> None:
        """The coordinator has died, and its jobs with it."""
        self._under_way.clear()

    def after_outcome(self, job: TrainJob) -> None:
        """Called as the outcome of a job is about to be given."""


def fails_for(*fingerprints: str, reason: str = "ValueError: no luck") -> Callable[[TrainJob], Outcome]:
    """Outcomes where the training of some candidates fails."""

    def outcome(job: TrainJob) -> Outcome:
        if job.candidate.fingerprint in fingerprints:
            return Failed(reason=reason)
        return Trained(score=score_of(job), seconds=0.5)

    return outcome


_PROJECTIONS: dict[str, Projection] = {}


def projection_of(recipe: ResolvedRecipe) -> Projection:
    """The projection of a recipe, made once for all that share space, budget and deployment."""
    deployment = recipe.deployment
    if recipe.needs_latency:
        deployment = replace(deployment, latency_model=ByMadds(rate=1000, img_size=64))
        return Projection(recipe.space, recipe.budget, deployment)
    key = f"{recipe.space.to_dict()} {recipe.budget} {deployment}"
    if key not in _PROJECTIONS:
        _PROJECTIONS[key] = Projection(recipe.space, recipe.budget, deployment)
    return _PROJECTIONS[key]


class Lab:
    """One study in one storage; each session is a coordinator of its own, as after a restart."""

    def __init__(self, recipe: ResolvedRecipe, storage: Any = None, *, scratch: Path = Path("nowhere")) -> None:
        self.recipe = recipe
        self.storage = storage if storage is not None else optuna.storages.InMemoryStorage()
        self.scratch = scratch

    def store(self) -> StudyStore:
        """A fresh look at the storage."""
        return StudyStore(self.storage, "study", self.recipe.space, objectives=self.recipe.search.objectives)

    def coordinator(
        self, executor: Any, *, listener: Any = None, should_stop: Any = None, measure: Any = None
    ) -> Coordinator:
        return Coordinator(
            recipe=self.recipe,
            projection=projection_of(self.recipe),
            store=self.store(),
            executor=executor,
            data=Path("data"),
            scratch=self.scratch,
            listener=listener or Listener(),
            should_stop=should_stop or (lambda: False),
            measure=measure and functools.partial(measure, self.store()),
        )

    def run(self, executor: Any = None, **others: Any) -> Any:
        """A session from here to the end of the study, or to where it is stopped; gives its executor."""
        executor = executor or FakeExecutor()
        coordinator = self.coordinator(executor, **others)
        coordinator.search()
        coordinator.rescore()
        return executor

    def trials(self) -> list[TrialRecord]:
        return self.store().records()

    def finalists(self) -> list[Finalist]:
        return finalists_of(self.store(), self.recipe)

    def result(self) -> tuple[Any, ...]:
        """All that has to be the same whatever happened on the way."""
        return tuple(self.trials()), tuple(self.finalists()), tuple(sorted(self.store().rescores().items()))


def a_measurement(p50: float, *, width: float = 0.01) -> Measurement:
    """A latency in microseconds, its interval reaching ``width`` of it to either side."""
    return Measurement(
        p50=p50, p90=1.1 * p50, min=(1 - 2 * width) * p50, low=(1 - width) * p50, high=(1 + width) * p50, n=100,
        conditions={"device": "host", "threads": 1},
    )  # fmt: skip


def a_record(number: int, *, scores: Sequence[float] = (0.5,), rungs: Sequence[int] = (2, 4), **changes: Any) -> Any:
    """A trial with a curve."""
    candidate = changes.pop("candidate", None) or a_candidate(number)
    values: dict[str, Any] = {
        "number": number,
        "state": "complete" if len(scores) == len(rungs) else "pruned",
        "cohort": 0,
        "origin": "sampler",
        "candidate": candidate,
        "cost": cost(candidate, Deployment()),
        "curve": tuple(zip(rungs, scores, strict=False)),
        "seconds": 1.0,
        "seed": 0,
    }
    return TrialRecord(**{**values, **changes})


def a_job(**changes: Any) -> TrainJob:
    """A training that nobody runs."""
    values: dict[str, Any] = {
        "name": "abc-0",
        "label": "trial 0",
        "candidate": tiny(),
        "recipe": TrainRecipe(),
        "data": Path("data"),
        "seed": 0,
        "until": 2,
        "folder": Path("scratch"),
    }
    return TrainJob(**{**values, **changes})


def a_candidate(number: int) -> Candidate:
    """A candidate of its own for every number."""
    return Candidate(
        widths=(8 + 8 * (number % 12), 16, 24 + 8 * (number // 12), 32),
        depths=(1, 1, 1, 1),
        kernel_sizes=(3, 3, 3, 3),
        sdta_splits=(2, 2, 2, 2),
        sdta_blocks=(0, 0, 0, 0),
        heads=(4, 4, 4, 4),
    )


def some_values(space: Any, seed: int) -> dict[str, Any]:
    """A random assignment of a space."""
    return space.draw(random.Random(seed))
