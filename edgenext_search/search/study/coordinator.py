"""The one that asks, projects, decides and tells. Executors only train."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import cost
from edgenext_search.arch.projection import Projection
from edgenext_search.arch.spaces.parameter import Value
from edgenext_search.execution.executor import Executor
from edgenext_search.search.objectives import costs_in
from edgenext_search.search.ranking.metric import ranking_scores
from edgenext_search.search.recipe import ResolvedRecipe
from edgenext_search.search.sampler.propose import Observation, propose
from edgenext_search.search.store.records import BASELINE, Expected, Losses, StudyFacts, TrialRecord, TrialState
from edgenext_search.search.store.store import StudyStore
from edgenext_search.search.study.enqueue import starts
from edgenext_search.search.study.expectation import expectations
from edgenext_search.search.study.finalists import (
    choose_finalists,
    choosing_seeds,
    measured_of,
    rank_finalists,
    rematch_seeds,
)
from edgenext_search.search.study.halving import estimated_scores, survivors
from edgenext_search.search.study.listener import Listener, run_jobs
from edgenext_search.search.study.series import check_start
from edgenext_search.training.engine.numerics import Numerics
from edgenext_search.training.proxy.job import Outcome, Trained, TrainJob

SPARE = 4  # weights kept for each finalist: later trials may change which candidates become finalists


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinator:
    """Proposes, trains and tells the trials of a study, a cohort at once.

    All decisions follow from the recipe and the record, so a study that was killed is resumed where it stopped.

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

    @property
    def rungs(self) -> tuple[int, ...]:
        """Epoch of each rung."""
        return self.recipe.proxy.rung_epochs

    def search(self) -> None:
        """Train cohorts until the study has all its trials, its time is over, or it should stop.

        Raises:
            StudyFailedError: The first trials all failed; the message has their reason.
        """
        self._retry_failures_at_start()
        begun, spent = time.monotonic(), self.store.facts().search_seconds
        while not self.should_stop():
            records = self.store.records()
            cohort = max((record.cohort for record in records), default=0)
            if all(record.state != "open" for record in records):
                limit = self.recipe.time_limit
                late = limit is not None and spent + time.monotonic() - begun >= limit
                if late or len(records) >= self.recipe.search.trials:
                    break
                cohort = cohort + 1 if records else 0
            self._propose_cohort(cohort)
            self._train_cohort(cohort)
            self.store.record_facts(StudyFacts(search_seconds=spent + time.monotonic() - begun))

    def rescore(self) -> None:
        """Train the best candidates and the baseline again with fresh seeds, except for what is recorded already.

        If that chooses a winner other than the baseline, both are trained with further seeds, to estimate its gain.
        """
        search = self.recipe.search
        expected = expectations(self.store, self.recipe)
        chosen = self._choose_finalists(expected)
        if self.should_stop():
            return
        self._train_with_seeds(
            "Finalists", {record.number: record.candidate for record in chosen}, choosing_seeds(search)
        )
        if self.should_stop():
            return
        ranked = rank_finalists(
            chosen,
            self.store.rescores(),
            expected,
            search.objectives,
            seeds=choosing_seeds(search),
            measured=measured_of(self.store, self.recipe),
        )
        sides = {f.trial: f.candidate for f in ranked if f is ranked[0] or f.trial == BASELINE}
        if len(sides) == 2:
            self._train_with_seeds("Re-match", sides, rematch_seeds(search))

    def _choose_finalists(self, expected: Mapping[int, Expected]) -> list[TrialRecord]:
        """The finalists, measured on the device; those that do not hold the cap are replaced by the next best."""
        search = self.recipe.search
        while True:
            measured = measured_of(self.store, self.recipe)
            chosen = choose_finalists(self.store.records(), search.finalists, expected, search.objectives, measured)
            missing = [record for record in chosen if record.candidate.fingerprint not in measured]
            if self.measure is None or not missing or not self.measure(missing):
                return chosen

    def _train_with_seeds(self, what: str, candidates: Mapping[int, Candidate], seeds: Sequence[int]) -> None:
        """Train the candidates of some trials with each of the seeds, except for what is recorded already."""
        recorded = self.store.rescores()
        jobs = [
            self.job(candidate, seed=seed, until=self.rungs[-1], label=f"trial {number}, seed {index + 1}")
            for index, seed in enumerate(seeds)
            for number, candidate in candidates.items()
            if (candidate.fingerprint, seed) not in recorded
        ]
        for job, outcome in self._run(what, jobs, since=0):
            result = outcome.score if isinstance(outcome, Trained) else outcome.reason
            self.store.add_rescore(job.candidate.fingerprint, job.seed, result)

    def job(self, candidate: Candidate, *, seed: int, until: int, label: str = "") -> TrainJob:
        """The job that trains a candidate until an epoch."""
        return TrainJob(
            name=f"{candidate.fingerprint}-{seed}",
            label=label,
            candidate=candidate,
            recipe=self.recipe.proxy,
            data=self.data,
            seed=seed,
            until=until,
            folder=self.scratch,
            numerics=self.numerics,
        )

    def _propose_cohort(self, cohort: int) -> None:
        """Record the cohort's trials that are not recorded yet.

        Proposals depend on earlier cohorts only, so an interrupted cohort is completed with the same trials.
        """
        records = self.store.records()
        before = [record for record in records if record.cohort < cohort]
        size = min(self.recipe.search.cohort, self.recipe.search.trials - len(before))
        asked = len(records) - len(before)
        told = any(record.state != "open" for record in records if record.cohort == cohort)
        if asked < size and not told:  # else trials were added after it was told; they belong to the next cohort
            seen = {record.candidate.fingerprint: record.number for record in reversed(records)}
            for origin, values, candidate in self._proposals(cohort, before, size)[asked:]:
                number = seen.get(candidate.fingerprint)
                self.store.add(
                    cohort=cohort,
                    origin=origin,
                    values=values,
                    candidate=candidate,
                    cost=cost(candidate, self.projection.deployment),
                    seed=self.recipe.search.seed,
                    duplicate_of=number,
                )
                seen.setdefault(candidate.fingerprint, len(before) + asked)
                asked += 1

    def _proposals(
        self, cohort: int, before: list[TrialRecord], size: int
    ) -> list[tuple[str, dict[str, Value], Candidate]]:
        """Origin, assignment and candidate of each trial of a cohort.

        A study begins with the baseline and the enqueued candidates, in as many cohorts as they need; the other
        published shapes fill up the first cohort.
        """
        space, search = self.projection.space, self.recipe.search
        firm, others = starts(self.projection, self.recipe.enqueued)
        proposals = [*firm, *(others if cohort == 0 else [])][len(before) : len(before) + size]
        estimates = estimated_scores(before, self.rungs, search.rank_by)
        values = self.store.values()
        observed = [
            Observation(values=values[number], score=score, costs=costs_in(before[number].cost, search.objectives))
            for number, score in sorted(estimates.items())
        ]
        sampled = propose(
            space,
            observed,
            size - len(proposals),
            sampler=search.sampler,
            startup=search.cohort,
            seed=(search.seed * 100_003 + cohort) % 2**32,
            cost_fn=self._costs_of if len(search.objectives) > 1 else None,
        )
        return [*proposals, *(("sampler", values, self.projection.candidate(values)) for values in sampled)]

    def _costs_of(self, values: Mapping[str, Value]) -> tuple[int, ...]:
        """The costs among the objectives of an assignment's candidate."""
        candidate = self.projection.candidate(values)
        return costs_in(cost(candidate, self.projection.deployment), self.recipe.search.objectives)

    def _train_cohort(self, cohort: int) -> None:
        """Train a cohort rung by rung, stop the weaker half at each, and tell its trials in order."""
        members = self._trials_of(cohort)
        self.listener.cohort_started(members, self.recipe.search.trials)
        alive = {record.number for record in members if record.duplicate_of is None}
        for rung, epoch in enumerate(self.rungs):
            self._train_rung(cohort, alive, rung)
            if self.should_stop():
                return
            going = [record for record in self._trials_of(cohort) if record.number in alive and record.epochs >= epoch]
            curves = ranking_scores(going, self.recipe.search.rank_by)
            scores = {number: curve[epoch] for number, curve in curves.items()}
            costs = {record.number: costs_in(record.cost, self.recipe.search.objectives) for record in members}
            alive = survivors(scores, costs, always={BASELINE}) if epoch != self.rungs[-1] else set(scores)
        self._tell_cohort(cohort)
        self._clean_scratch()

    def _train_rung(self, cohort: int, alive: set[int], rung: int) -> None:
        """Train the surviving trials of a cohort through a rung, except for those that have passed it or failed."""
        since, epoch = (0, *self.rungs)[rung : rung + 2]
        what = f"Cohort {cohort}, rung {rung + 1} of {len(self.rungs)}"
        members = sorted(
            self._trials_of(cohort), key=lambda record: -record.cost.madds
        )  # longest first, so that fewer devices idle at the end
        waiting = {
            job.name: (job, record.number)
            for record in members
            if record.number in alive and record.reason is None and record.epochs < epoch
            for job in (self.job(record.candidate, seed=record.seed, until=epoch, label=f"trial {record.number}"),)
        }
        for job, outcome in self._run(what, [job for job, _ in waiting.values()], since=since):
            _, number = waiting[job.name]
            if isinstance(outcome, Trained):
                losses = Losses(held_out=outcome.loss, train=outcome.train_loss)
                self.store.report(
                    number,
                    epoch=epoch,
                    score=outcome.score,
                    seconds=outcome.seconds,
                    losses=losses,
                    place=outcome.place,
                )
            else:
                self.store.fail(number, outcome.reason)
                self._check_start()

    def _run(self, what: str, jobs: list[TrainJob], *, since: int) -> Iterator[tuple[TrainJob, Outcome]]:
        """Train jobs and report them to the listener."""
        return run_jobs(
            what,
            jobs,
            since=since,
            executor=self.executor,
            listener=self.listener,
            should_stop=self.should_stop,
        )

    def _tell_cohort(self, cohort: int) -> None:
        """Close the trials of a cohort in the order of their numbers."""
        for record in self._trials_of(cohort):
            if record.state != "open":
                continue  # told before an interruption
            state, curve = self._final_state(record), record.curve
            if record.duplicate_of is not None:
                original = self.store.records()[record.duplicate_of]
                state, curve = original.state, original.curve
                for epoch, score in curve[len(record.curve) :]:  # except those recorded before an interruption
                    losses = dict(original.losses).get(epoch)
                    self.store.report(record.number, epoch=epoch, score=score, seconds=0.0, losses=losses)
                if original.reason:
                    self.store.fail(record.number, original.reason)
            self.store.tell(record.number, state)

    def _final_state(self, record: TrialRecord) -> TrialState:
        if record.reason is not None:
            return "failed"
        return "complete" if record.epochs == self.rungs[-1] else "pruned"

    def _trials_of(self, cohort: int) -> list[TrialRecord]:
        return [record for record in self.store.records() if record.cohort == cohort]

    def _retry_failures_at_start(self) -> None:
        """Train trials again that failed before any had a score: their common cause has probably been removed."""
        records = self.store.records()
        if not any(record.curve for record in records):
            for record in records:
                if record.reason is not None and record.state == "open":
                    self.store.fail(record.number, None)

    def _check_start(self) -> None:
        """Give up if the first trials have all failed, as the others would fail too.

        Raises:
            StudyFailedError: The first trials all failed; the message has the last reason.
        """
        records = self.store.records()
        reasons = [record.reason for record in records if record.reason]
        check_start(reasons, scored=any(record.curve for record in records), trainings="trials")

    def _clean_scratch(self) -> None:
        """Remove the files of told trials, except for the weights of possible finalists."""
        records = [record for record in self.store.records() if record.duplicate_of is None]
        n, objectives = SPARE * self.recipe.search.finalists, self.recipe.search.objectives
        kept = choose_finalists(records, n, expectations(self.store, self.recipe), objectives)
        best = {record.number for record in kept}
        for record in records:
            if record.state != "open":
                job = self.job(record.candidate, seed=record.seed, until=self.rungs[-1])
                job.state_file.unlink(missing_ok=True)
                if record.number not in best:
                    job.weights_file.unlink(missing_ok=True)
