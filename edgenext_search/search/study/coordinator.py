"""The one that asks, projects, decides and tells. Executors only train."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edgenext_search.arch.cost import cost
from edgenext_search.search.objectives import costs_in
from edgenext_search.search.ranking.metric import ranking_scores
from edgenext_search.search.sampler.propose import Observation, propose
from edgenext_search.search.store.records import BASELINE, Losses, StudyFacts
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
from edgenext_search.search.study.jobs import run_jobs
from edgenext_search.search.study.series import check_start
from edgenext_search.training.engine.numerics import Numerics
from edgenext_search.training.proxy.job import Trained, TrainJob

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from edgenext_search.arch.candidate import Candidate
    from edgenext_search.arch.parameter import Value
    from edgenext_search.arch.projection import Projection
    from edgenext_search.execution.executor import Executor
    from edgenext_search.search.recipe import ResolvedRecipe
    from edgenext_search.search.store.records import Expected, TrialRecord, TrialState
    from edgenext_search.search.store.store import StudyStore
    from edgenext_search.search.study.listener import Listener
    from edgenext_search.training.proxy.job import Outcome

SPARE = 4  # times as many as there will be finalists keep their weights: later trials change what is expected


class Coordinator:
    """Moves a study in cohorts, from its storage alone: called again after a crash, it goes on where it was.

    Args:
        recipe: The study.
        projection: Turns assignments into candidates that hold the budget.
        store: The study's record.
        executor: Trains.
        numerics: Precision, memory layout and compilation of all trainings.
        data: Folder of the prepared images.
        scratch: Where jobs keep the state between rungs.
        listener: Whoever watches.
        should_stop: Asked often; once it answers yes, :meth:`search` and :meth:`rescore` return soon.
        measure: Records the latency of trials' candidates on the device, and says whether it did; None where latency
            is not asked for.
    """

    def __init__(
        self,
        recipe: ResolvedRecipe,
        *,
        projection: Projection,
        store: StudyStore,
        executor: Executor,
        numerics: Numerics | None = None,
        data: Path,
        scratch: Path,
        listener: Listener,
        should_stop: Callable[[], bool],
        measure: Callable[[Sequence[TrialRecord]], bool] | None = None,
    ) -> None:
        self._recipe = recipe
        self._projection = projection
        self._store = store
        self._executor = executor
        self._numerics = numerics or Numerics()
        self._data = data
        self._scratch = scratch
        self._listener = listener
        self._should_stop = should_stop
        self._measure = measure
        self._rungs = recipe.proxy.rung_epochs

    def search(self) -> None:
        """Score candidates until the study has its trials, its time is up, or it should stop.

        Raises:
            StudyFailedError: The first trials all failed; the message has their reason.
        """
        self._forget_failures()
        begun, spent = time.monotonic(), self._store.facts().search_seconds
        while not self._should_stop():
            records = self._store.records()
            cohort = max((record.cohort for record in records), default=0)
            if all(record.state != "open" for record in records):
                limit = self._recipe.time_limit
                late = limit is not None and spent + time.monotonic() - begun >= limit
                if late or len(records) >= self._recipe.search.trials:
                    break
                cohort = cohort + 1 if records else 0
            self._ask(cohort)
            self._train(cohort)
            self._store.record_facts(StudyFacts(search_seconds=spent + time.monotonic() - begun))

    def rescore(self) -> None:
        """Train the best candidates and the baseline again with fresh seeds, as far as that is not done yet.

        Once they have chosen a winner other than the baseline, further seeds of both say how much better it is.
        """
        search = self._recipe.search
        expected = expectations(self._store, self._recipe)
        chosen = self._choose(expected)
        if self._should_stop():
            return
        self._rescore("Finalists", {record.number: record.candidate for record in chosen}, choosing_seeds(search))
        if self._should_stop():
            return
        ranked = rank_finalists(
            chosen,
            self._store.rescores(),
            expected,
            search.objectives,
            seeds=choosing_seeds(search),
            measured=measured_of(self._store, self._recipe),
        )
        sides = {f.trial: f.candidate for f in ranked if f is ranked[0] or f.trial == BASELINE}
        if len(sides) == 2:
            self._rescore("Re-match", sides, rematch_seeds(search))

    def _choose(self, expected: Mapping[int, Expected]) -> list[TrialRecord]:
        """The finalists; those that the device refuses are replaced by the next best."""
        search = self._recipe.search
        while True:
            measured = measured_of(self._store, self._recipe)
            chosen = choose_finalists(self._store.records(), search.finalists, expected, search.objectives, measured)
            missing = [record for record in chosen if record.candidate.fingerprint not in measured]
            if self._measure is None or not missing or not self._measure(missing):
                return chosen

    def _rescore(self, what: str, candidates: Mapping[int, Candidate], seeds: Sequence[int]) -> None:
        """Train the candidates of some trials with each of the seeds, as far as that is not done yet."""
        known = self._store.rescores()
        jobs = [
            self.job(candidate, seed=seed, until=self._rungs[-1], label=f"trial {number}, seed {index + 1}")
            for index, seed in enumerate(seeds)
            for number, candidate in candidates.items()
            if (candidate.fingerprint, seed) not in known
        ]
        for job, outcome in self._run(what, jobs, since=0):
            result = outcome.score if isinstance(outcome, Trained) else outcome.reason
            self._store.add_rescore(job.candidate.fingerprint, job.seed, result)

    def job(self, candidate: Candidate, *, seed: int, until: int, label: str = "") -> TrainJob:
        """The job that trains a candidate up to an epoch."""
        return TrainJob(
            name=f"{candidate.fingerprint}-{seed}",
            label=label,
            candidate=candidate,
            recipe=self._recipe.proxy,
            data=self._data,
            seed=seed,
            until=until,
            folder=self._scratch,
            numerics=self._numerics,
        )

    def _ask(self, cohort: int) -> None:
        """Record the cohort's trials that are not recorded yet.

        What it proposes depends on the cohorts before alone, so a cohort that a crash cut off is completed as it
        would have been.
        """
        records = self._store.records()
        before = [record for record in records if record.cohort < cohort]
        size = min(self._recipe.search.cohort, self._recipe.search.trials - len(before))
        asked = len(records) - len(before)
        told = any(record.state != "open" for record in records if record.cohort == cohort)
        if asked < size and not told:  # told in part, then given more trials: those come in the next cohort
            seen = {record.candidate.fingerprint: record.number for record in reversed(records)}
            for origin, values, candidate in self._proposals(cohort, before, size)[asked:]:
                number = seen.get(candidate.fingerprint)
                self._store.add(
                    cohort=cohort,
                    origin=origin,
                    values=values,
                    candidate=candidate,
                    cost=cost(candidate, self._projection.deployment),
                    seed=self._recipe.search.seed,
                    duplicate_of=number,
                )
                seen.setdefault(candidate.fingerprint, len(before) + asked)
                asked += 1

    def _proposals(
        self, cohort: int, before: list[TrialRecord], size: int
    ) -> list[tuple[str, dict[str, Value], Candidate]]:
        """Origin, assignment and candidate of each trial of a cohort.

        The study begins with the baseline and what is enqueued, in as many cohorts as that takes; the other published
        shapes follow as far as the first cohort has room.
        """
        space, search = self._projection.space, self._recipe.search
        firm, others = starts(self._projection, self._recipe.enqueued)
        proposals = [*firm, *(others if cohort == 0 else [])][len(before) : len(before) + size]
        estimates = estimated_scores(before, self._rungs, search.rank_by)
        values = self._store.values()
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
        return [*proposals, *(("sampler", values, self._projection.candidate(values)) for values in sampled)]

    def _costs_of(self, values: Mapping[str, Value]) -> tuple[int, ...]:
        """The costs among the objectives that an assignment will have."""
        candidate = self._projection.candidate(values)
        return costs_in(cost(candidate, self._projection.deployment), self._recipe.search.objectives)

    def _train(self, cohort: int) -> None:
        """Train a cohort rung by rung, the weaker half stopping at each, and tell its trials in order."""
        members = self._members(cohort)
        self._listener.cohort_started(members, self._recipe.search.trials)
        alive = {record.number for record in members if record.duplicate_of is None}
        for rung, epoch in enumerate(self._rungs):
            self._train_rung(cohort, alive, rung)
            if self._should_stop():
                return
            going = [record for record in self._members(cohort) if record.number in alive and record.epochs >= epoch]
            scores = {
                number: curve[epoch] for number, curve in ranking_scores(going, self._recipe.search.rank_by).items()
            }
            costs = {record.number: costs_in(record.cost, self._recipe.search.objectives) for record in members}
            alive = survivors(scores, costs, always={BASELINE}) if epoch != self._rungs[-1] else set(scores)
        self._tell(cohort)
        self._clean_scratch()

    def _train_rung(self, cohort: int, alive: set[int], rung: int) -> None:
        """Bring the trials of a cohort that are still alive through a rung, but for those that are there or failed."""
        since, epoch = (0, *self._rungs)[rung : rung + 2]
        what = f"Cohort {cohort}, rung {rung + 1} of {len(self._rungs)}"
        members = sorted(self._members(cohort), key=lambda record: -record.cost.madds)  # long ones first: few wait
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
                self._store.report(number, epoch=epoch, score=outcome.score, seconds=outcome.seconds, losses=losses)
            else:
                self._store.fail(number, outcome.reason)
                self._check_start()

    def _run(self, what: str, jobs: list[TrainJob], *, since: int) -> Iterator[tuple[TrainJob, Outcome]]:
        """Train jobs while the listener hears of them."""
        return run_jobs(
            what,
            jobs,
            since=since,
            executor=self._executor,
            listener=self._listener,
            should_stop=self._should_stop,
        )

    def _tell(self, cohort: int) -> None:
        """Close the trials of a cohort in the order of their numbers."""
        for record in self._members(cohort):
            if record.state != "open":
                continue  # told before an interruption
            state, curve = self._verdict(record), record.curve
            if record.duplicate_of is not None:
                original = self._store.records()[record.duplicate_of]
                state, curve = original.state, original.curve
                for epoch, score in curve[len(record.curve) :]:  # less what it was given before an interruption
                    losses = dict(original.losses).get(epoch)
                    self._store.report(record.number, epoch=epoch, score=score, seconds=0.0, losses=losses)
                if original.reason:
                    self._store.fail(record.number, original.reason)
            self._store.tell(record.number, state)

    def _verdict(self, record: TrialRecord) -> TrialState:
        if record.reason is not None:
            return "failed"
        return "complete" if record.epochs == self._rungs[-1] else "pruned"

    def _members(self, cohort: int) -> list[TrialRecord]:
        return [record for record in self._store.records() if record.cohort == cohort]

    def _forget_failures(self) -> None:
        """Try trials again that failed before any had a score: whatever stopped the study then is mended now."""
        records = self._store.records()
        if not any(record.curve for record in records):
            for record in records:
                if record.reason is not None and record.state == "open":
                    self._store.fail(record.number, None)

    def _check_start(self) -> None:
        """Give up when nothing but failures has come back from the first trials: the rest would fail too.

        Raises:
            StudyFailedError: With the reason of the last one.
        """
        records = self._store.records()
        reasons = [record.reason for record in records if record.reason]
        check_start(reasons, scored=any(record.curve for record in records), trainings="trials")

    def _clean_scratch(self) -> None:
        """Remove the files of trials that are told, but for the weights of those that may become finalists."""
        records = [record for record in self._store.records() if record.duplicate_of is None]
        n, objectives = SPARE * self._recipe.search.finalists, self._recipe.search.objectives
        kept = choose_finalists(records, n, expectations(self._store, self._recipe), objectives)
        best = {record.number for record in kept}
        for record in records:
            if record.state != "open":
                job = self.job(record.candidate, seed=record.seed, until=self._rungs[-1])
                job.state_file.unlink(missing_ok=True)
                if record.number not in best:
                    job.weights_file.unlink(missing_ok=True)
