"""The one that asks, projects, decides and tells. Executors only train."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.projection import Projection
from edgenext_search.execution.dispatch import Dispatcher
from edgenext_search.execution.executor import Executor, Progress
from edgenext_search.search.recipe import ResolvedRecipe
from edgenext_search.search.store.records import BASELINE, StudyFacts, TrialRecord
from edgenext_search.search.store.store import StudyStore
from edgenext_search.search.study.cohort.desk import Desk
from edgenext_search.search.study.cohort.trials import Trials
from edgenext_search.search.study.cohorts import Cohorts
from edgenext_search.search.study.confirmation import (
    Confirmation,
    Training,
    ahead,
    choosing,
    likely_finalists,
    rematch,
)
from edgenext_search.search.study.expectation import expectations_of
from edgenext_search.search.study.finalists import choose_finalists, choosing_seeds, measured_of, rank_finalists
from edgenext_search.search.study.listener import Listener, tell_outcome
from edgenext_search.search.study.series import check_start
from edgenext_search.training.engine.numerics import Numerics
from edgenext_search.training.proxy.job import Failed, TrainJob


@dataclass(kw_only=True, eq=False)
class Coordinator:
    """Proposes, trains and tells the trials of a study, in cohorts that may overlap, and confirms the winner.

    All decisions follow from the recipe and the record, so a study that was killed is resumed where it stopped. What
    each of them may know is fixed by :mod:`~edgenext_search.search.study.cohort.schedule`; here is the loop that
    decides what can be decided, keeps the executor busy, and records what comes back.

    Attributes:
        recipe: Resolved study.
        projection: Projection of assignments to candidates within the budget.
        store: Record of the study.
        executor: Executor of the trainings.
        numerics: Precision, memory layout and compilation of all trainings.
        data: Folder of the prepared images.
        scratch: Folder of the states and weights of trainings.
        listener: Listener to the study's progress.
        should_stop: Whether to stop; once true, :meth:`search` and :meth:`rescore` return soon.
        measure: Measures the latency of trials' candidates on the device and records it; returns False where it could
            not. None where the study does not ask for latency.
    """

    recipe: ResolvedRecipe
    projection: Projection
    store: StudyStore
    executor: Executor
    numerics: Numerics = field(default_factory=Numerics)
    data: Path
    scratch: Path
    listener: Listener
    should_stop: Callable[[], bool]
    measure: Callable[[Sequence[TrialRecord]], bool] | None = None

    def search(self) -> None:
        """Train cohorts until the study has all its trials, its time is over, or it should stop.

        Raises:
            StudyFailedError: The first trials all failed; the message has their reason.
            HostError: A training was lost too often.
            UserError: A place has other versions than this process.
        """
        self._retry_failures_at_start()
        begun, spent = time.monotonic(), self.store.facts().search_seconds
        limit = self.recipe.time_limit

        def seconds() -> float:
            return spent + time.monotonic() - begun

        @functools.lru_cache(maxsize=1)
        def likely(_told: int) -> list[Training]:
            return self._likely()

        with self._cancelling():
            cohorts = Cohorts(
                self.recipe,
                self.projection,
                self._trials,
                self._desk,
                late=lambda: limit is not None and seconds() >= limit,
                on_told=lambda: self.store.record_facts(StudyFacts(search_seconds=seconds())),
            )
            while not self.should_stop() and cohorts.advance():
                if cohorts.all_proposed:
                    self._confirmation.work_ahead(lambda: likely(cohorts.told))
                self._work(cohorts)
        self.store.record_facts(StudyFacts(search_seconds=seconds()))

    def rescore(self) -> None:
        """Train the best candidates and the baseline again with fresh seeds, except for what is recorded already.

        If that chooses a winner other than the baseline, both are trained with further seeds, to estimate its gain.
        """
        search = self.recipe.search
        with self._cancelling():
            chosen = self._choose_finalists()
            self._confirm("Finalists", choosing(chosen, search), chosen)
            if self.should_stop():
                return
            sides = [trial for trial in chosen if trial.number in (self._leader(chosen), BASELINE)]
            if len(sides) == 2:
                self._confirm("Re-match", rematch(sides, search), chosen)

    def job(self, candidate: Candidate, *, seed: int, until: int, label: str = "") -> TrainJob:
        """The job that trains a candidate until an epoch."""
        return self._desk.job(candidate, seed=seed, until=until, label=label)

    @functools.cached_property
    def _trials(self) -> Trials:
        return Trials(self.store)

    @functools.cached_property
    def _desk(self) -> Desk:
        return Desk(
            recipe=self.recipe.proxy,
            numerics=self.numerics,
            data=self.data,
            scratch=self.scratch,
            dispatcher=Dispatcher(self.executor, note=self.listener.note, known=self._trials.places),
            listener=self.listener,
        )

    @functools.cached_property
    def _confirmation(self) -> Confirmation:
        return Confirmation(self.recipe, self.store, self._desk)

    @contextlib.contextmanager
    def _cancelling(self) -> Iterator[None]:
        """Cancel what is under way when the study stops or fails; what is trained ahead outlives the search."""
        try:
            yield
        except BaseException:
            self._desk.dispatcher.cancel_all()
            raise
        if self.should_stop():
            self._desk.dispatcher.cancel_all()

    def _work(self, cohorts: Cohorts | None = None) -> None:
        """Wait for what happens, and record it."""
        for event in self._desk.dispatcher.poll():
            if isinstance(event, Progress):
                self.listener.job_progress(event.job.label, event.share)
                continue
            if cohorts is not None and event.job.seed == self.recipe.search.seed:
                cohorts.record(event.job, event.outcome)
                if isinstance(event.outcome, Failed):
                    self._check_start()
            else:
                self._confirmation.record(event.job, event.outcome)
            tell_outcome(self.listener, event.job, event.outcome)

    def _retry_failures_at_start(self) -> None:
        """Train trials again that failed before any had a score: their common cause has probably been removed."""
        if not any(trial.curve for trial in self._trials.records):
            for trial in self._trials.records:
                if trial.reason is not None and trial.state == "open":
                    self._trials.fail(trial.number, None)

    def _check_start(self) -> None:
        """Give up if the first trials have all failed, as the others would fail too.

        Raises:
            StudyFailedError: The first trials all failed; the message has the last reason.
        """
        records = self._trials.records
        reasons = [record.reason for record in records if record.reason]
        check_start(reasons, scored=any(record.curve for record in records), trainings="trials")

    def _likely(self) -> list[Training]:
        """The trainings of the confirmation that will be asked for if no other trial is better."""
        records = self._trials.records
        expected = expectations_of(self.recipe, records, self._trials.values)
        return ahead(likely_finalists(records, expected, self.recipe), None, self.recipe.search)

    def _choose_finalists(self) -> list[TrialRecord]:
        """The finalists, measured on the device; those that do not hold the cap are replaced by the next best."""
        search, records = self.recipe.search, self._trials.records
        expected = expectations_of(self.recipe, records, self._trials.values)
        while True:
            measured = measured_of(self.store, self.recipe)
            chosen = choose_finalists(records, search.finalists, expected, search.objectives, measured)
            missing = [record for record in chosen if record.candidate.fingerprint not in measured]
            if self.measure is None or not missing or not self.measure(missing):
                return chosen

    def _confirm(self, what: str, trainings: Sequence[Training], chosen: Sequence[TrialRecord]) -> None:
        """Train finalists with fresh seeds, and in idle places what will be asked for next."""
        if self.should_stop():
            return
        missing = self._confirmation.order(what, trainings)
        while not self.should_stop() and missing():
            self._confirmation.work_ahead(lambda: ahead(chosen, self._leader(chosen), self.recipe.search))
            self._work()

    def _leader(self, chosen: Sequence[TrialRecord]) -> int | None:
        """Number of the trial that wins by the fresh seeds so far; None before there is any."""
        ranked = rank_finalists(
            chosen,
            self._confirmation.rescores,
            objectives=self.recipe.search.objectives,
            seeds=choosing_seeds(self.recipe.search),
            measured=measured_of(self.store, self.recipe),
        )
        return ranked[0].trial if ranked else None
