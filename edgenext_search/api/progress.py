"""What a running study looks like: live bars in a terminal, plain lines in a pipe."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from edgenext_search.search.study.listener import Listener
from edgenext_search.texts import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from edgenext_search.search.recipe import ResolvedRecipe
    from edgenext_search.search.store.records import TrialRecord
    from edgenext_search.search.store.run_folder import RunFolder


NARROW = 80  # columns below which bars give way to figures


@contextlib.contextmanager
def progress_listener(console: Console, folder: RunFolder, recipe: ResolvedRecipe) -> Iterator[Listener]:
    """Show a study's progress until the context ends."""
    if console.is_terminal:
        listener = LiveListener(console, folder, recipe)
        with listener.progress:
            yield listener
    else:
        yield LineListener(console, folder, recipe)


def _print_start(console: Console, folder: RunFolder, recipe: ResolvedRecipe, *, resumed: bool) -> None:
    """What is about to happen, under which conditions."""
    proxy, search = recipe.proxy, recipe.search
    lines = [
        f"{'Resuming' if resumed else 'Starting'} {recipe.name} in {folder.path}",
        f"  budget {recipe.budget} at {recipe.deployment}",
        (
            f"  {counted(search.trials, 'trial')} in cohorts of {search.cohort}, seed {search.seed}; "
            f"proxy: {_epochs(0, proxy.epochs)} at {proxy.img_size} px"
        ),
    ]
    if len(search.objectives) > 1:
        lines.append(f"  objectives: {', '.join(search.objectives)}; the result is a front")
    if recipe.data.source is None:
        lines.append("  The images are generated: the ranking is a demonstration. For your task: --data FOLDER")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _epochs(since: int, until: int) -> str:
    return f"epoch {until}" if until == since + 1 else f"epochs {since + 1} to {until}"


@dataclass(slots=True)
class _Group:
    """Jobs that were begun together: a rung of a cohort, or finalists."""

    what: str
    left: int
    bar: TaskID | None = None
    since: int = 0
    until: int = 0
    best: float = 0.0


class LineListener(Listener):
    """One plain line for each event, for logs and pipes."""

    def __init__(self, console: Console, folder: RunFolder, recipe: ResolvedRecipe) -> None:
        self._console = console
        self._folder = folder
        self._recipe = recipe
        self._started = time.monotonic()
        self._groups: dict[str, _Group] = {}  # by the label of each job under way

    def study_started(self, *, resumed: bool) -> None:
        """Say what is about to happen."""
        _print_start(self._console, self._folder, self._recipe, resumed=resumed)

    def data_progress(self, done: int, total: int) -> None:
        """Say when the images are ready."""
        if done == total:
            self._print(f"{total} images prepared")

    def measured(self, what: str, done: int, total: int) -> None:
        """Say so at every tenth."""
        if total and done * 10 // total != (done - 1) * 10 // total:
            self._print(f"{what}: {done} of {total} measured")

    def cohort_started(self, trials: Sequence[TrialRecord], total_trials: int) -> None:
        """Say which trials it has."""
        numbers = [trial.number for trial in trials]
        self._print(f"Cohort {trials[0].cohort}: trials {min(numbers)} to {max(numbers)} of {total_trials}")

    def jobs_started(self, what: str, jobs: Sequence[str], *, since: int, until: int) -> None:
        """Say how many there are."""
        self._groups |= dict.fromkeys(jobs, _Group(what, len(jobs)))
        self._print(f"{what}: {counted(len(jobs), 'training')}, {_epochs(since, until)}")

    def job_finished(self, job: str, score: float | None, reason: str | None) -> None:
        """Say what came of it."""
        group = self._groups.pop(job)
        group.left -= 1
        group.best = max(group.best, score or 0.0)
        result = f"failed: {reason}" if score is None else f"top-1 {score:.1%}"
        self._print(f"{group.what}: {job}: {result} (best {group.best:.1%}, {group.left} to go)")

    def note(self, text: str) -> None:
        """Say it."""
        self._print(text)

    def _print(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        self._console.print(f"[{minutes:d}:{seconds:02d}] {text}", markup=False, highlight=False, soft_wrap=True)


class LiveListener(Listener):
    """Bars that move: the whole study, the rung under way, and each training in it."""

    def __init__(self, console: Console, folder: RunFolder, recipe: ResolvedRecipe) -> None:
        self._folder = folder
        self._recipe = recipe
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            *([BarColumn()] if console.width >= NARROW else []),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(compact=True),
            *([TextColumn("{task.fields[note]}", markup=False)] if console.width >= NARROW else []),
            console=console,
            transient=True,
        )
        self._study: TaskID | None = None
        self._groups: dict[str, _Group] = {}  # by the label of each job under way
        self._bars: dict[str, TaskID] = {}
        self._other: TaskID | None = None
        self._work = _Work(recipe)
        self._epochs = recipe.proxy.epochs
        self._top = 0.0  # at the last rung, in all the study

    def study_started(self, *, resumed: bool) -> None:
        """Say what is about to happen, and begin the study's bar."""
        _print_start(self.progress.console, self._folder, self._recipe, resumed=resumed)
        self._study = self.progress.add_task("Study", total=1.0, note="")

    def data_progress(self, done: int, total: int) -> None:
        """Move the data's bar."""
        self._move_other("Images", done, total)

    def measured(self, what: str, done: int, total: int) -> None:
        """Move the device's bar."""
        self._move_other(what, done, total)

    def _move_other(self, what: str, done: int, total: int) -> None:
        """Move a bar of work that is no training; it goes when it is done."""
        if self._other is None:
            self._other = self.progress.add_task(what, total=total, note="")
        self.progress.update(self._other, completed=done)
        if done == total:
            self.progress.remove_task(self._other)
            self._other = None

    def cohort_started(self, trials: Sequence[TrialRecord], total_trials: int) -> None:
        """Say which trials are under way."""
        numbers = [trial.number for trial in trials]
        self._work.cohort(trials)
        self._move_study(description=f"Study, trials {min(numbers)}-{max(numbers)} of {total_trials}")

    def jobs_started(self, what: str, jobs: Sequence[str], *, since: int, until: int) -> None:
        """Begin a group of bars."""
        bar = self.progress.add_task(what, total=len(jobs), note=f"{_epochs(since, until)}")
        self._groups |= dict.fromkeys(jobs, _Group(what, len(jobs), bar, since, until))

    def job_progress(self, job: str, share: float) -> None:
        """Move a training's bar."""
        if job not in self._bars:
            self._bars[job] = self.progress.add_task(f"  {job}", total=1.0, note="")
        self.progress.update(self._bars[job], completed=share)

    def job_finished(self, job: str, score: float | None, reason: str | None) -> None:
        """Close a training's bar and move its group's."""
        if job in self._bars:
            self.progress.remove_task(self._bars.pop(job))
        if score is None:
            self.progress.console.print(
                f"{job} failed: {reason}", style="red", markup=False, highlight=False, soft_wrap=True
            )
        group = self._groups.pop(job, _Group("", 1))
        group.left -= 1
        group.best = max(group.best, score or 0.0)
        if group.bar is not None and group.left:
            self.progress.update(group.bar, advance=1, note=f"best {group.best:.1%}")
        elif group.bar is not None:
            self.progress.remove_task(group.bar)
        self._work.done(group.until - group.since)
        if group.until == self._epochs:
            self._top = max(self._top, score or 0.0)
        self._move_study(note=f"best so far {self._top:.1%}" if self._top else "")

    def note(self, text: str) -> None:
        """Print above the bars."""
        self.progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _move_study(self, **fields: str) -> None:
        if self._study is not None:
            self.progress.update(self._study, completed=self._work.share, **fields)  # type: ignore[arg-type]


class _Work:
    """How much of a study's training is done, in epochs, as far as it can be told beforehand."""

    def __init__(self, recipe: ResolvedRecipe) -> None:
        self._rungs = recipe.proxy.rung_epochs
        self._size, self._overlap = recipe.search.cohort, recipe.overlap
        self._trials = recipe.search.trials
        finalists = (recipe.search.finalists + 1) * recipe.search.rescore_seeds + 2 * recipe.search.rematch_seeds
        self._total = self._search_epochs(self._trials) + finalists * self._rungs[-1]
        self._done = 0.0

    @property
    def share(self) -> float:
        """In [0, 1]."""
        return min(self._done / self._total, 1.0)

    def cohort(self, trials: Sequence[TrialRecord]) -> None:
        """A cohort begins: all that it waited for is done."""
        waited_for = min(trial.number for trial in trials) - self._overlap * self._size
        self._done = max(self._done, self._search_epochs(max(waited_for, 0)))

    def done(self, epochs: int) -> None:
        """One more training has come ``epochs`` further."""
        self._done += epochs

    def _search_epochs(self, trials: int) -> float:
        epochs, share, before = 0.0, 1.0, 0
        for rung in self._rungs:
            epochs += share * (rung - before)
            share, before = share / 2, rung
        return trials * epochs
