"""Finalists and baseline with fresh seeds, and what can be trained of that before it is known who the finalists are.

What is trained ahead changes no decision: its results are recorded apart, and count once they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from edgenext_search.search.recipe import ResolvedRecipe, SearchKeys
from edgenext_search.search.store.records import BASELINE, Expected, TrialRecord
from edgenext_search.search.store.store import StudyStore
from edgenext_search.search.study.cohort.desk import Desk
from edgenext_search.search.study.finalists import choose_finalists, choosing_seeds, rematch_seeds
from edgenext_search.training.proxy.job import Outcome, Trained, TrainJob

LEAST_URGENT = (float("inf"),)
Training = tuple[TrialRecord, int]
"""A trial whose candidate is trained again, and the fresh seed."""


def choosing(finalists: Sequence[TrialRecord], search: SearchKeys) -> list[Training]:
    """The trainings that choose the winner: all finalists with one seed before any has two."""
    return [(trial, seed) for seed in choosing_seeds(search) for trial in finalists]


def rematch(sides: Sequence[TrialRecord], search: SearchKeys) -> list[Training]:
    """The trainings of winner and baseline on further seeds."""
    return [(trial, seed) for seed in rematch_seeds(search) for trial in sides]


def ahead(finalists: Sequence[TrialRecord], leader: int | None, search: SearchKeys) -> list[Training]:
    """The trainings of the confirmation if these were the finalists, the likeliest first.

    The baseline is a finalist in any case, and meets whoever wins.

    Args:
        finalists: Trials that would be the finalists now.
        leader: Number of the trial that wins by the fresh seeds so far; None before there are any.
        search: Keys of the search.
    """
    baseline = [trial for trial in finalists if trial.number == BASELINE]
    others = [trial for trial in finalists if trial.number != BASELINE]
    winner = [trial for trial in others if trial.number == leader]
    return [
        *choosing(baseline, search),
        *rematch(baseline, search),
        *choosing(others, search),
        *rematch(winner, search),
    ]


def likely_finalists(
    trials: Sequence[TrialRecord], expected: Mapping[int, Expected], recipe: ResolvedRecipe
) -> list[TrialRecord]:
    """Who would be the finalists if the search ended with what is known of the trials, told or not."""
    last = recipe.proxy.rung_epochs[-1]
    complete = [replace(trial, state="complete") for trial in trials if trial.reason is None and trial.epochs == last]
    return choose_finalists(complete, recipe.search.finalists, expected, recipe.search.objectives)


class Confirmation:
    """The trainings with fresh seeds.

    Args:
        recipe: Resolved study.
        store: Record of the study.
        desk: Where trainings are ordered.

    Attributes:
        rescores: Results that count.
    """

    def __init__(self, recipe: ResolvedRecipe, store: StudyStore, desk: Desk) -> None:
        self._recipe = recipe
        self._store = store
        self._desk = desk
        self.rescores = store.rescores()
        self._early = store.rescores(early=True)
        self._wanted: set[str] = set()  # names of jobs under way that are asked for
        self._ahead: set[str] = set()  # and of those that are not

    def order(self, what: str, trainings: Sequence[Training]) -> Callable[[], bool]:
        """Have trials trained with fresh seeds, except for what is known already; gives whether some are missing."""
        keys = [(trial.candidate.fingerprint, seed) for trial, seed in trainings]
        for key in keys:
            if key in self._early and key not in self.rescores:
                self._keep(key, self._early[key])
        jobs = [self._job(training) for training, key in zip(trainings, keys, strict=True) if key not in self.rescores]
        names = {job.name for job in jobs}
        for name in self._ahead - names:
            self._desk.dispatcher.cancel(name)
        new = [job for job in jobs if job.name not in self._ahead]
        self._wanted, self._ahead = names, set()
        self._desk.order(what, new, since=0, urgency=(0,))
        return lambda: any(key not in self.rescores for key in keys)

    def work_ahead(self, trainings: Callable[[], Sequence[Training]]) -> None:
        """Fill idle places with trainings that are likely to be asked for.

        Args:
            trainings: Gives them, the likeliest first; called only if places are idle.
        """
        idle = self._desk.dispatcher.idle if self._recipe.overlap else 0
        if not idle:
            return
        known = self.rescores.keys() | self._early.keys()
        jobs = [self._job((t, seed)) for t, seed in trainings() if (t.candidate.fingerprint, seed) not in known]
        jobs = [job for job in jobs if job.name not in self._wanted | self._ahead][:idle]
        self._ahead |= {job.name for job in jobs}
        self._desk.order("Ahead of the finalists", jobs, since=0, urgency=LEAST_URGENT)

    def record(self, job: TrainJob, outcome: Outcome) -> None:
        """Record the result of a training, apart as long as nobody has asked for it."""
        key = (job.candidate.fingerprint, job.seed)
        result = outcome.score if isinstance(outcome, Trained) else outcome.reason
        if job.name in self._wanted:
            self._wanted.discard(job.name)
            self._keep(key, result)
        else:
            self._ahead.discard(job.name)
            self._store.add_rescore(*key, result, early=True)
            self._early[key] = result

    def _keep(self, key: tuple[str, int], result: float | str) -> None:
        self._store.add_rescore(*key, result)
        self.rescores[key] = result

    def _job(self, training: Training) -> TrainJob:
        trial, seed = training
        index = [*choosing_seeds(self._recipe.search), *rematch_seeds(self._recipe.search)].index(seed)
        label = f"trial {trial.number}, seed {index + 1}"
        return self._desk.job(trial.candidate, seed=seed, until=self._recipe.proxy.rung_epochs[-1], label=label)
