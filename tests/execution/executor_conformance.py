"""What every executor has to do: inherit, give the fixtures, and the tests come for free."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import replace

import pytest

from edgenext_search.errors import HostError
from edgenext_search.execution.attempts import new_attempt
from edgenext_search.execution.dispatch import ATTEMPTS, Dispatcher, outcomes
from edgenext_search.execution.executor import Finished, Lost, Progress
from edgenext_search.training.proxy.job import Failed, OutOfMemory, Trained


def endings(executor, attempts, *, seconds=60.0):
    """The last event of each of some attempts, by name, once all have ended."""
    found, deadline = {}, time.monotonic() + seconds
    while len(found) < len(attempts) and time.monotonic() < deadline:
        for event in executor.events(0.2):
            if isinstance(event, Finished | Lost):
                assert event.job in attempts
                found[event.job.name] = event
    return found


class ExecutorConformance:
    """The promises of :mod:`edgenext_search.execution.executor`.

    A subclass gives the fixtures ``executor``; ``jobs``, at least three short jobs that can be trained, each a training
    of its own; and ``faults``, a function from a job and the name of a fault to the job with that fault: ``exception``,
    ``nan``, ``memory`` (too little for one image), ``killed`` (whenever it runs), ``hang`` (for longer than a limit
    that it sets), ``endless`` or ``no data``. It also gives the method ``after_death``.
    """

    seconds_to_stop = 10.0

    def after_death(self, executor):
        """The executor as the next coordinator has it, when this one has died with jobs under way."""
        raise NotImplementedError

    @pytest.fixture
    def executor(self):
        """The executor under test."""
        raise NotImplementedError

    @pytest.fixture
    def jobs(self):
        """Jobs that can be trained, in a folder of their own."""
        raise NotImplementedError

    @pytest.fixture
    def faults(self):
        """Makes jobs with faults."""
        raise NotImplementedError

    @staticmethod
    def outcomes(executor, jobs, **others):
        """Outcome by the job's name; each job has exactly one."""
        found = {}
        for job, outcome in outcomes(executor, jobs, **others):
            assert job in jobs
            assert job.name not in found
            found[job.name] = outcome
        return found

    def test_every_job_has_one_outcome(self, executor, jobs):
        found = self.outcomes(executor, jobs)
        assert found.keys() == {job.name for job in jobs}
        for outcome in found.values():
            assert isinstance(outcome, Trained), outcome
            assert 0 <= outcome.score <= 1
            assert outcome.seconds > 0

    def test_a_score_says_its_place(self, executor, jobs):
        place = self.outcomes(executor, jobs[:1])[jobs[0].name].place
        assert (place.numerics, place.micro_batch) == (str(jobs[0].numerics), None)
        assert all((place.host, place.device, place.package, place.torch))

    def test_no_jobs_no_outcomes(self, executor):
        assert self.outcomes(executor, []) == {}

    def test_neither_order_nor_company_changes_a_score(self, executor, jobs, tmp_path):
        together = self.outcomes(executor, jobs)
        elsewhere = [replace(job, folder=tmp_path / "elsewhere") for job in jobs]
        backwards = self.outcomes(executor, elsewhere[::-1])
        alone = self.outcomes(executor, [replace(jobs[1], folder=tmp_path / "alone")])
        scores = {name: outcome.score for name, outcome in together.items()}
        assert {name: outcome.score for name, outcome in backwards.items()} == scores
        assert alone[jobs[1].name].score == scores[jobs[1].name]

    @pytest.mark.parametrize(
        ("fault", "kind", "words"),
        [
            ("exception", Failed, ""),
            ("nan", Failed, "TrainingDivergedError"),
            ("memory", OutOfMemory, "out of memory"),
            ("hang", Failed, "timed out"),
        ],
    )
    def test_a_candidate_that_fails_has_a_reason_and_harms_no_other(self, executor, jobs, faults, fault, kind, words):
        broken = faults(replace(jobs[0], name="broken"), fault)
        found = self.outcomes(executor, [broken, *jobs])
        assert type(found["broken"]) is kind
        assert words in found["broken"].reason
        assert "\n" not in found["broken"].reason
        assert {type(found[job.name]) for job in jobs} == {Trained}

    @pytest.mark.parametrize("fault", ["no data", "killed"])
    def test_an_attempt_that_the_place_fails_is_lost(self, executor, jobs, faults, fault):
        broken = new_attempt(faults(replace(jobs[0], name="broken"), fault), 1)
        executor.submit(broken)
        (event,) = endings(executor, [broken]).values()
        assert isinstance(event, Lost)
        assert event.reason
        assert "\n" not in event.reason

    @pytest.mark.parametrize("fault", ["no data", "killed"])
    def test_a_job_that_is_lost_too_often_is_an_error_and_what_else_was_done_is_given(
        self, executor, jobs, faults, fault
    ):
        broken, notes, found = faults(replace(jobs[0], name="broken"), fault), [], []
        run = outcomes(executor, [*jobs[:1], broken], note=notes.append)
        with pytest.raises(HostError, match="could not be trained"):
            found.extend((job, type(outcome)) for job, outcome in run)
        assert found in ([], [(jobs[0], Trained)])
        assert len([note for note in notes if "was lost and is trained again" in note]) == ATTEMPTS - 1
        assert self.outcomes(executor, jobs[1:2])

    def test_progress_is_reported_for_running_jobs(self, executor, jobs):
        told, done = [], set()

        def on_progress(job, share):
            assert job.name not in done
            told.append((job.name, share))

        for job, _ in outcomes(executor, jobs, on_progress=on_progress):
            done.add(job.name)
        assert told
        assert {name for name, _ in told} <= done
        assert all(0 <= share <= 1 for _, share in told)

    def test_nothing_starts_after_a_stop(self, executor, jobs):
        assert self.outcomes(executor, jobs, should_stop=lambda: True) == {}

    def test_a_stop_ends_what_runs(self, executor, jobs, faults):
        stopped, found = [], []
        endless = faults(replace(jobs[0], name="endless"), "endless")
        for job, _ in outcomes(executor, [jobs[0], endless, *jobs[1:]], should_stop=lambda: bool(stopped)):
            found.append(job.name)
            stopped.append(time.monotonic())
        assert time.monotonic() - stopped[0] < self.seconds_to_stop
        assert len(found) < len(jobs)
        assert len(self.outcomes(executor, jobs)) == len(jobs)

    def test_an_abandoned_iteration_frees_the_executor(self, executor, jobs):
        with contextlib.closing(outcomes(executor, jobs)) as run:
            next(run)
        assert len(self.outcomes(executor, jobs)) == len(jobs)

    def test_a_cancelled_attempt_gives_its_place_to_another_of_the_same_job(self, executor, jobs, faults):
        """The late worker: whatever comes of the first attempt, by name and token it is not the second's."""
        first = new_attempt(faults(jobs[0], "endless"), 1)
        second = new_attempt(jobs[0], 2)
        executor.submit(first)
        executor.events(0.2)
        executor.cancel(first)
        executor.submit(second)
        found, deadline = [], time.monotonic() + 60
        while second not in found and time.monotonic() < deadline:
            found += [event.job for event in executor.events(0.2) if isinstance(event, Finished | Lost)]
        assert second in found

    def test_files_bear_the_token_of_the_attempt(self, executor, jobs):
        attempts = [new_attempt(jobs[0], 1), new_attempt(jobs[0], 2)]
        for attempt in attempts:
            executor.submit(attempt)
            (event,) = endings(executor, [attempt]).values()
            assert isinstance(event, Finished)
            written = [path.name for path in attempt.folder.glob("*")] if attempt.folder.exists() else []
            assert all(any(other.attempt in name for other in attempts) for name in written)

    def test_events_are_of_the_attempt_as_it_was_submitted(self, executor, jobs):
        attempt, events = new_attempt(jobs[0], 1), []
        executor.submit(attempt)
        while not any(isinstance(event, Finished | Lost) for event in events):
            events += executor.events(0.2)
        assert all(event.job == attempt for event in events if isinstance(event, Progress | Finished | Lost))
        assert executor.events(0.0) == []

    def test_a_coordinator_that_comes_later_gets_every_outcome_once(self, executor, jobs):
        """The first one forgets all that it has submitted; the second is asked for the same jobs."""
        abandoned = Dispatcher(executor, note=lambda _: None)
        for job in jobs:
            abandoned.add(job)
        abandoned.poll()
        found = self.outcomes(self.after_death(executor), jobs)
        assert found.keys() == {job.name for job in jobs}
        assert not any(math.isnan(outcome.score) for outcome in found.values())
