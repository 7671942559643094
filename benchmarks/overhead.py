"""What the search itself costs a trial: ask, project, count, record and tell, with many trials in the storage.

A storage of SQLite is filled with told trials of random candidates and made-up scores. Then a cohort is asked for,
projected, counted, recorded, given a score at each rung and told, as the coordinator does it. Baseline: bare Optuna on
the same space and storage: ``study.ask(...)`` and ``study.tell(...)`` with its default sampler, TPE.

Figures are seconds a trial. ``share_at_1000`` is ours over a trial of 30 s, with 1,000 trials in the storage.

``start_seconds`` is the time from giving a job to the executor to the end of its first training step (48 px, batch 32,
the published XX-Small on one thread); the executor's server, which imports torch once, is up by then.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import conditions, emit, median, parser, seeded, significant

from edgenext_search.arch.cost import cost
from edgenext_search.arch.projection import Projection
from edgenext_search.execution.executor import Event, Finished
from edgenext_search.search.recipe import ResolvedRecipe
from edgenext_search.search.resolver import load_study
from edgenext_search.search.sampler.propose import distributions, encode
from edgenext_search.search.store.store import StudyStore
from edgenext_search.search.study.coordinator import Coordinator
from edgenext_search.search.study.listener import Listener
from edgenext_search.training.proxy.job import Trained, TrainJob

TRIAL_SECONDS = 30.0


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__)
    arguments.add_argument("--budget", default="1.3M")
    arguments.add_argument("--study", default="laptop")
    arguments.add_argument("--sampler", default=None, help="instead of the study's")
    arguments.add_argument("--trials", type=int, nargs="+", default=[0, 1000, 5000], help="trials in the storage")
    arguments.add_argument("--repetitions", type=int, default=3)
    options = arguments.parse_args()
    counts, repetitions = ([0, 100], 1) if options.quick else (options.trials, options.repetitions)
    flags = {"budget": options.budget, "search.sampler": options.sampler, "search.seed": options.seed}
    recipe = load_study(options.study, flags=flags)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        for count in counts:
            filled = _filled(recipe, count, Path(name) / f"{count}.db", options.seed)
            ours, bare = [], []
            for repetition in range(repetitions):
                for times, measure in ((ours, _ours), (bare, _bare)):
                    storage = Path(name) / f"{count}-{repetition}-{measure.__name__}.db"
                    shutil.copy(filled, storage)
                    times.append(measure(recipe, storage))
            figures[f"ours_at_{count}"] = significant(median(ours), 3)
            figures[f"optuna_at_{count}"] = significant(median(bare), 3)
            figures[f"share_at_{count}"] = significant(median(ours) / TRIAL_SECONDS, 3)
        figures["start_seconds"] = significant(median(_start_seconds(2 if options.quick else 9, Path(name))), 3)
    emit(
        "overhead",
        figures,
        conditions(
            "optuna", "numpy", "scipy", n=recipe.search.cohort, sampler=recipe.search.sampler, repetitions=repetitions,
            study=options.study, seed=options.seed, budget=options.budget, space=recipe.space.name,
            deployment=str(recipe.deployment), trial_seconds=TRIAL_SECONDS,
        ),
    )  # fmt: skip


def _start_seconds(jobs: int, folder: Path) -> list[float]:
    """Seconds from each job to the end of its first step, but for the first job, which starts the server."""
    from edgenext_search.arch.published import published_variant
    from edgenext_search.data import open_source, prepare
    from edgenext_search.execution.dispatch import outcomes
    from edgenext_search.execution.local import LocalExecutor
    from edgenext_search.training.proxy.job import Placement, TrainJob
    from edgenext_search.training.proxy.recipe import TrainRecipe

    data = prepare(
        open_source(None, None), image_size=55, train_images=64, val_images=16, val_fraction=0.2, seed=0,
        cache_dir=folder / "cache", workers=1,
    )  # fmt: skip
    executor = LocalExecutor([Placement()])
    seconds = []
    for index in range(jobs + 1):
        job = TrainJob(
            name=f"job-{index}", label="", candidate=published_variant("edgenext_xx_small").candidate,
            recipe=TrainRecipe(img_size=48, batch_size=32, epochs=1), data=data.folder, seed=0, until=1, folder=folder,
        )  # fmt: skip
        first: list[float] = []
        start = time.perf_counter()
        trained = outcomes(
            executor, [job], on_progress=lambda _job, _share, first=first: first.append(time.perf_counter())
        )
        assert all(isinstance(outcome, Trained) for _, outcome in trained)
        seconds.append(first[0] - start)
    return seconds[1:]


def _filled(recipe: ResolvedRecipe, count: int, path: Path, seed: int) -> Path:
    """A storage with told trials of whole cohorts; a third of them were stopped at the first rung."""
    import optuna

    projection, rng = _projection(recipe), seeded(seed)
    space, rungs = projection.space, recipe.proxy.rung_epochs
    store = StudyStore(f"sqlite:///{path}", recipe.name, space)
    trials = []
    for number in range(count):
        values = space.draw(rng)
        candidate = projection.candidate(values)
        epochs = rungs[:1] if number % 3 == 0 else rungs
        curve = {epoch: rng.gauss(0.5, 0.02) + 0.01 * index for index, epoch in enumerate(epochs)}
        attributes = {
            "cohort": number // recipe.search.cohort,
            "origin": "sampler",
            "candidate": candidate.to_dict(),
            "fingerprint": candidate.fingerprint,
            "cost": cost(candidate, projection.deployment).to_dict(),
            "seed": 0,
            "duplicate_of": None,
            **{f"seconds:{epoch}": 10.0 for epoch in epochs},
        }
        trials.append(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.COMPLETE if epochs == rungs else optuna.trial.TrialState.PRUNED,
                value=curve[rungs[-1]] if epochs == rungs else None,
                params=encode(space, values),
                distributions=distributions(space),
                intermediate_values=curve,
                user_attrs=attributes,
            )
        )
    store._study.add_trials(trials)
    return path


def _projection(recipe: ResolvedRecipe) -> Projection:
    return Projection(recipe.space, recipe.budget, recipe.deployment)


class _Untrained:
    """An executor whose trials cost nothing."""

    def __init__(self) -> None:
        self._jobs: list[TrainJob] = []

    def capacity(self) -> int:
        """One place."""
        return 1

    def reattach(self) -> list[TrainJob]:
        """Nothing is left of earlier runs."""
        return []

    def submit(self, job: TrainJob) -> None:
        """Done at once."""
        self._jobs.append(job)

    def cancel(self, job: TrainJob) -> None:
        """Nothing runs."""

    def close(self) -> None:
        """Nothing is held."""

    def events(self, _timeout: float) -> list[Event]:
        """A score for each job."""
        jobs, self._jobs = self._jobs, []
        return [Finished(job, Trained(score=_score_of(job), seconds=0.0)) for job in jobs]


def _score_of(job: TrainJob) -> float:
    return int(job.candidate.fingerprint, 16) % 1000 / 1000


def _ours(recipe: ResolvedRecipe, storage: Path) -> float:
    """Seconds a trial of one more cohort, by the coordinator; opening the storage is not in it."""
    projection = _projection(recipe)
    store = StudyStore(f"sqlite:///{storage}", recipe.name, projection.space)
    known = len(store.records())
    wanted = known + recipe.search.cohort
    recipe = replace(recipe, search=recipe.search.model_copy(update={"trials": wanted}))
    with tempfile.TemporaryDirectory() as scratch:
        coordinator = Coordinator(
            recipe=recipe,
            projection=projection,
            store=store,
            executor=_Untrained(),
            data=Path(scratch),
            scratch=Path(scratch),
            listener=Listener(),
            should_stop=lambda: False,
        )
        start = time.perf_counter()
        coordinator.search()
        seconds = time.perf_counter() - start
    assert len(store.records()) == wanted
    return seconds / (wanted - known)


def _bare(recipe: ResolvedRecipe, storage: Path) -> float:
    """Seconds of an ask and a tell of Optuna's own."""
    import optuna

    study = optuna.load_study(storage=f"sqlite:///{storage}", study_name=recipe.name)
    domains = distributions(recipe.space)
    start = time.perf_counter()
    for _ in range(recipe.search.cohort):
        study.tell(study.ask(domains), 0.5)
    return (time.perf_counter() - start) / recipe.search.cohort


if __name__ == "__main__":
    main()
