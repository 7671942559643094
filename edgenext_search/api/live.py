"""The report of a run while it goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edgenext_search.api.reports import write_reports
from edgenext_search.search.study.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgenext_search.search.recipe import ResolvedRecipe
    from edgenext_search.search.store.run_folder import RunFolder
    from edgenext_search.search.store.store import StudyStore

LEAST_SECONDS = 30.0  # between two reports
SHARE = 0.02  # of the study's time that reports may take


class ReportRefresher(Listener):
    """Writes the report afresh when trainings are about to begin, so that workers wait for it rarely and shortly.

    At most every half minute, and so that all reports together compute for at most 2 % of the study's time. One that
    cannot be written is said once; the study goes on.

    Args:
        folder: The run.
        recipe: Its study.
        storage: As :meth:`~edgenext_search.search.store.run_folder.RunFolder.open_store` takes it.
        say: Called with what a person should know.
        clock: Seconds that pass.
        work: Seconds that this thread computes, so that other work on the machine does not make reports rarer.
    """

    def __init__(
        self,
        folder: RunFolder,
        recipe: ResolvedRecipe,
        storage: str | None,
        say: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        work: Callable[[], float] = time.thread_time,
    ) -> None:
        self._folder = folder
        self._recipe = recipe
        self._storage = storage
        self._say = say
        self._clock = clock
        self._work = work
        self._store: StudyStore | None = None
        self._due = clock() + LEAST_SECONDS

    def jobs_started(self, what: str, jobs: Sequence[str], *, since: int, until: int) -> None:  # noqa: ARG002 - the protocol
        """Write the report, if it is time."""
        if self._clock() < self._due:
            return
        began = self._work()
        try:
            self._write()
        except Exception as error:  # no page is worth a study
            self._say(f"Note: the report could not be written ({type(error).__name__}: {error}); the study goes on.")
            self._due = float("inf")
            return
        took = self._work() - began
        self._due = self._clock() + max(LEAST_SECONDS, took / SHARE)

    def _write(self) -> None:
        from edgenext_search.search.study.summary import summarize

        if self._store is None:
            self._store = self._folder.open_store(self._recipe, self._storage, must_exist=True)
        summary = summarize(self._folder, self._recipe, self._store, running=True)
        write_reports(self._folder, summary, self._store.records())
