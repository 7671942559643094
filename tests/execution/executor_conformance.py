"""What every executor has to do: inherit, give the fixtures ``executor`` and ``jobs``, and the tests come for free."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace

import pytest

from edgenext_search.training.proxy.job import HostFailed, Trained


def never() -> bool:
    """For ``should_stop``."""
    return False


def silent(_job, _share) -> None:
    """For ``on_progress``."""


class ExecutorConformance:
    """The promises of :class:`edgenext_search.execution.executor.Executor`.

    A subclass gives two fixtures: ``executor``; and ``jobs``, at least three short jobs that can be trained, each a
    training of its own.
    """

    seconds_to_stop = 10.0

    @pytest.fixture
    def executor(self):
        """The executor under test."""
        raise NotImplementedError

    @pytest.fixture
    def jobs(self):
        """Jobs that can be trained, in a folder of their own."""
        raise NotImplementedError

    @staticmethod
    def outcomes(executor, jobs, **others):
        """Outcome by the job's name; each job has exactly one."""
        found = {}
        for job, outcome in executor.run(jobs, **{"on_progress": silent, "should_stop": never, **others}):
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

    def test_an_outcome_comes_with_the_job_as_it_was_given(self, executor, jobs):
        for job, _ in executor.run(jobs, on_progress=silent, should_stop=never):
            assert job in jobs

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

    def test_a_job_that_cannot_be_done_fails_with_a_reason_and_harms_no_other(self, executor, jobs):
        broken = replace(jobs[0], name="broken", data=jobs[0].folder / "no-such-data")
        found = self.outcomes(executor, [broken, *jobs])
        assert isinstance(found["broken"], HostFailed)
        assert "no-such-data" in found["broken"].reason
        assert "\n" not in found["broken"].reason
        assert all(isinstance(found[job.name], Trained) for job in jobs)

    def test_progress_is_reported_for_running_jobs(self, executor, jobs):
        told, done = [], set()

        def on_progress(job, share):
            assert job.name not in done
            told.append((job.name, share))

        for job, _ in executor.run(jobs, on_progress=on_progress, should_stop=never):
            done.add(job.name)
        assert told
        assert {name for name, _ in told} <= done
        assert all(0 <= share <= 1 for _, share in told)

    def test_nothing_starts_after_a_stop(self, executor, jobs):
        assert self.outcomes(executor, jobs, should_stop=lambda: True) == {}

    def test_no_outcome_follows_a_stop(self, executor, jobs):
        asked = []
        stopped = []
        found = []
        for job, _ in executor.run(jobs, on_progress=silent, should_stop=lambda: asked.append(1) or bool(stopped)):
            found.append(job.name)
            if not stopped:
                stopped.append(time.monotonic())
        assert time.monotonic() - stopped[0] < self.seconds_to_stop
        assert len(found) < len(jobs)
        assert asked

    def test_an_abandoned_run_frees_the_executor(self, executor, jobs):
        with contextlib.closing(executor.run(jobs, on_progress=silent, should_stop=never)) as run:
            next(iter(run))
        assert len(self.outcomes(executor, jobs)) == len(jobs)
