"""What a study tells whoever watches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgenext_search.search.store.records import TrialRecord


class Listener:
    """Called by the coordinator as the study moves; a progress display or a log overrides what it shows.

    This one hears nothing. None may raise.
    """

    def study_started(self, *, resumed: bool) -> None:
        """All is checked, and the work begins."""

    def data_progress(self, done: int, total: int) -> None:
        """``done`` of ``total`` images are in the cache."""

    def measured(self, what: str, done: int, total: int) -> None:
        """``done`` of ``total`` networks or blocks are timed on the device."""

    def cohort_started(self, trials: Sequence[TrialRecord], total_trials: int) -> None:
        """A cohort begins, or goes on after an interruption."""

    def jobs_started(self, what: str, jobs: Sequence[str], *, since: int, until: int) -> None:
        """Jobs are about to be trained from one epoch to another: a rung of a cohort, or the finalists."""

    def job_progress(self, job: str, share: float) -> None:
        """A job is done to a share in [0, 1]."""

    def job_finished(self, job: str, score: float | None, reason: str | None) -> None:
        """A job has its score, or failed for a reason."""

    def note(self, text: str) -> None:
        """Something worth a line of its own."""


class Listeners(Listener):
    """Passes on what it hears to several others, in order.

    Args:
        others: Who hears it.
    """

    def __init__(self, *others: Listener) -> None:
        self._others = others

    def study_started(self, *, resumed: bool) -> None:
        """Pass it on."""
        for other in self._others:
            other.study_started(resumed=resumed)

    def data_progress(self, done: int, total: int) -> None:
        """Pass it on."""
        for other in self._others:
            other.data_progress(done, total)

    def measured(self, what: str, done: int, total: int) -> None:
        """Pass it on."""
        for other in self._others:
            other.measured(what, done, total)

    def cohort_started(self, trials: Sequence[TrialRecord], total_trials: int) -> None:
        """Pass it on."""
        for other in self._others:
            other.cohort_started(trials, total_trials)

    def jobs_started(self, what: str, jobs: Sequence[str], *, since: int, until: int) -> None:
        """Pass it on."""
        for other in self._others:
            other.jobs_started(what, jobs, since=since, until=until)

    def job_progress(self, job: str, share: float) -> None:
        """Pass it on."""
        for other in self._others:
            other.job_progress(job, share)

    def job_finished(self, job: str, score: float | None, reason: str | None) -> None:
        """Pass it on."""
        for other in self._others:
            other.job_finished(job, score, reason)

    def note(self, text: str) -> None:
        """Pass it on."""
        for other in self._others:
            other.note(text)
