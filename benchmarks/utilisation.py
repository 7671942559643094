"""How busy are the workers of a study, and what does it cost that its cohorts overlap?

The project's own coordinator, proposals and storage (SQLite), with an executor on a virtual clock: a rung takes its
multiply-adds times its epochs, and a score is the true value of the candidate on a made-up landscape, with noise that
falls from 1.5 to 0.75 spreads from the first rung to the last. Study ``imagenet``; confirmation included.

``busy``: share of the workers' time in trainings that the result hangs on; what is trained ahead and not asked for does
not count (``wasted``). ``bound``: what no schedule can pass, from the work and the longest training of the search
followed by that of the confirmation. ``speedup``: over one worker, with the same cohorts. ``ms``: the coordinator's own
processor time a trial. ``chosen_loss``: true value of the winner at overlap 0 less that at the study's overlap, in
spreads, paired by landscapes; ``_se`` is its standard error.
"""

from __future__ import annotations

import heapq
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import conditions, emit, parser, significant
from landscapes import made_up

from edgenext_search.arch.cost import cost
from edgenext_search.arch.projection import Projection
from edgenext_search.execution.executor import Event, Finished
from edgenext_search.search.recipe import ResolvedRecipe
from edgenext_search.search.resolver import load_study
from edgenext_search.search.store.store import StudyStore
from edgenext_search.search.study import cohorts as cohorts_module
from edgenext_search.search.study.coordinator import Coordinator
from edgenext_search.search.study.finalists import finalists_of
from edgenext_search.search.study.listener import Listener
from edgenext_search.training.proxy.job import Trained, TrainJob

NOISE_FIRST, NOISE_LAST = 1.5, 0.75  # standard deviation of a score's noise at the first rung and the last, in spreads
SPREAD = 0.02  # of top-1
CELLS = [(workers, trials) for trials in (128, 1000, 4000) for workers in (1, 2, 4, 8, 16, 64, 256)]
LOSSES = {8: 128, 64: 4000}  # trials by workers


def main() -> None:
    """Simulate and print."""
    arguments = parser(__doc__)
    arguments.add_argument("--overlap", type=int, help="instead of the study's")
    arguments.add_argument("--trials", type=int, nargs="+", help="only these numbers of trials")
    arguments.add_argument("--workers", type=int, nargs="+", help="only these numbers of workers")
    arguments.add_argument("--seeds", type=int, default=16, help="landscapes for the losses (default: 16; 0: none)")
    options = arguments.parse_args()
    cells = [(8, 48)] if options.quick else CELLS
    cells = [
        (workers, trials)
        for workers, trials in cells
        if (not options.trials or trials in options.trials) and (not options.workers or workers in options.workers)
    ]
    figures: dict[str, Any] = {}
    for workers, trials in cells:
        recipe = _recipe(trials, workers, options.seed, overlap=options.overlap)
        measured = _measure(recipe, workers)
        one = measured if workers == 1 else _measure(recipe, 1)
        row = {**measured, "speedup": one["makespan"] / measured["makespan"]}
        name = f"{workers}" if (workers, trials) in {(8, 128), (64, 4000)} else f"{workers}_{trials}"
        for key in ("busy", "bound", "speedup", "wasted", "ms"):
            figures[f"{key}_{name}"] = significant(row[key], 3)
        print(f"{workers} workers, {trials} trials, cohorts of {recipe.search.cohort}:", row, flush=True)
    for workers, trials in LOSSES.items():
        seeds = 2 if options.quick else options.seeds
        if (options.workers and workers not in options.workers) or not seeds:
            continue
        size = 48 if options.quick else trials
        losses = []
        for seed in range(options.seed, options.seed + seeds):
            values = [
                _measure(_recipe(size, workers, seed, overlap=overlap), workers)["chosen"]
                for overlap in (0, options.overlap)
            ]
            losses.append(values[0] - values[1])
            print(f"loss at {workers} workers, seed {seed}: {losses[-1]:.3f}", flush=True)
        figures[f"chosen_loss_{workers}"] = round(statistics.fmean(losses), 3)
        if len(losses) > 1:
            figures[f"chosen_loss_{workers}_se"] = round(statistics.stdev(losses) / len(losses) ** 0.5, 3)
        if options.quick:
            break
    emit(
        "utilisation",
        figures,
        conditions(
            "optuna", "numpy", "scipy", n=options.seeds, seed=options.seed, budget="1.3M", study="imagenet",
            overlap=_recipe(128, 8, 0, overlap=options.overlap).search.overlap, deployment="1000 classes, 256 px",
        ),
    )  # fmt: skip


def _recipe(trials: int, workers: int, seed: int, *, overlap: int | None) -> ResolvedRecipe:
    """The study, with cohorts of two trials a worker, at least 16, at most an eighth of the trials."""
    cohort = max(16, min(2 * workers, trials // 8))
    flags = {"budget": "1.3M", "search.trials": trials, "search.cohort": cohort, "search.seed": seed}
    return load_study("imagenet", flags={**flags, "search.overlap": overlap})


class VirtualExecutor:
    """Workers on a virtual clock.

    Args:
        workers: Jobs at once.
        outcome: Score of a job.
        duration: Virtual time of a job.
    """

    def __init__(
        self, workers: int, outcome: Callable[[TrainJob], float], duration: Callable[[TrainJob], float]
    ) -> None:
        self._workers, self._outcome, self._duration = workers, outcome, duration
        self._running: list[tuple[float, int, TrainJob]] = []
        self._begun: dict[str, float] = {}
        self._order = 0
        self.now = 0.0
        self.work: dict[tuple[str, int, int], float] = {}  # by fingerprint, seed and epoch; what was cancelled too

    def capacity(self) -> int:
        """All workers."""
        return self._workers

    def reattach(self) -> list[TrainJob]:
        """Nothing is left of earlier runs."""
        return []

    def submit(self, job: TrainJob) -> None:
        """Begin now."""
        self._order += 1
        self._begun[job.attempt] = self.now
        heapq.heappush(self._running, (self.now + self._duration(job), self._order, job))

    def cancel(self, job: TrainJob) -> None:
        """The worker is free now."""
        self._running = [item for item in self._running if item[2] != job]
        heapq.heapify(self._running)
        self._count(job)

    def close(self) -> None:
        """Nothing is held."""

    def events(self, _timeout: float) -> list[Event]:
        """The next outcome, when it is time."""
        self.now, _, job = heapq.heappop(self._running)
        self._count(job)
        return [Finished(job, Trained(score=self._outcome(job), seconds=0.0))]

    def _count(self, job: TrainJob) -> None:
        key = (job.candidate.fingerprint, job.seed, job.until)
        self.work[key] = self.work.get(key, 0.0) + self.now - self._begun.pop(job.attempt)


_proposed: dict[tuple[Any, ...], Any] = {}  # what was proposed from the same knowledge before
_real_proposals = cohorts_module.proposals


def _remembered(recipe: ResolvedRecipe, projection: Projection, cohort: int, size: int, **others: Any) -> Any:  # noqa: ANN401
    key = (recipe.search.seed, cohort, size, tuple(trial.curve for trial in others["known"]))
    key = (*key, tuple(trial.candidate.fingerprint for trial in others["known"]))
    if hash(key) not in _proposed:
        start = time.process_time()
        _proposed[hash(key)] = (
            _real_proposals(recipe, projection, cohort, size, **others),
            time.process_time() - start,
        )
    else:
        _remembered_seconds.append(_proposed[hash(key)][1])
    return _proposed[hash(key)][0]


_remembered_seconds: list[float] = []  # of the proposals of a study that were not computed again


def _measure(recipe: ResolvedRecipe, workers: int) -> dict[str, float]:
    """Figures of one study on a number of workers."""
    projection = Projection(recipe.space, recipe.budget, recipe.deployment)
    landscape = made_up("edgenext", recipe.search.seed)
    rungs = recipe.proxy.rung_epochs
    truths: dict[str, float] = {}
    since = dict(zip(rungs, (0, *rungs), strict=False))

    def truth(job: TrainJob) -> float:
        fingerprint = job.candidate.fingerprint
        if fingerprint not in truths:
            values = coordinator._trials.values[coordinator._trials.number_of(job.candidate)]
            truths[fingerprint] = float(landscape.value([values])[0])
        return truths[fingerprint]

    def outcome(job: TrainJob) -> float:
        rung = rungs.index(job.until) / max(len(rungs) - 1, 1)
        noise = NOISE_FIRST * (NOISE_LAST / NOISE_FIRST) ** rung
        draw = np.random.default_rng([int(job.candidate.fingerprint, 16), job.seed, job.until, 7])
        return 0.5 + 0.1 * rung + SPREAD * (truth(job) + noise * float(draw.normal()))

    def duration(job: TrainJob) -> float:
        fresh = job.seed != recipe.search.seed
        epochs = job.until - (0 if fresh else since[job.until])
        return cost(job.candidate, recipe.deployment).madds * epochs

    cohorts_module.proposals = _remembered
    _remembered_seconds.clear()
    executor = VirtualExecutor(workers, outcome, duration)
    with tempfile.TemporaryDirectory() as folder:
        store = StudyStore(Path(folder) / "study.db", "study", recipe.space)
        coordinator = Coordinator(
            recipe=recipe,
            projection=projection,
            store=store,
            executor=executor,
            data=Path(folder),
            scratch=Path(folder),
            listener=Listener(),
            should_stop=lambda: False,
        )
        start = time.process_time()
        coordinator.search()
        coordinator.rescore()
        own = time.process_time() - start
        winner = finalists_of(store, recipe)[0]
        wanted = {(fingerprint, seed) for fingerprint, seed in store.rescores()}
    useful = sum(
        spent for (fp, seed, _), spent in executor.work.items() if seed == recipe.search.seed or (fp, seed) in wanted
    )
    longest = max(trial.cost.madds for trial in coordinator._trials.records if trial.epochs == rungs[-1])
    chain = (longest + 2 * winner.madds) * rungs[-1]  # search, choice, re-match
    seconds = own + sum(_remembered_seconds)
    return {
        "makespan": executor.now,
        "busy": useful / (workers * executor.now),
        "bound": min(1.0, useful / (workers * max(chain, useful / workers))),
        "wasted": (sum(executor.work.values()) - useful) / (workers * executor.now),
        "ms": 1e3 * seconds / len(coordinator._trials.records),
        "chosen": truths[winner.fingerprint],
    }


if __name__ == "__main__":
    main()
