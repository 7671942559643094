"""Progress of a full training: a live bar in a terminal, plain lines in a pipe."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from edgenext_search.training.full.listener import TrainListener

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from edgenext_search.training.full.listener import Progress
    from edgenext_search.training.full.metrics import EpochMetrics

LINE_EVERY = 60.0  # seconds between two lines of progress in a pipe


@contextlib.contextmanager
def train_listener(console: Console) -> Iterator[TrainListener]:
    """Show a training's progress until the context ends."""
    if not console.is_terminal:
        yield LineListener(console)
        return
    listener = LiveListener(console)
    with listener.bars:
        yield listener


class LineListener(TrainListener):
    """One plain line for each event, and one a minute, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = self._last = time.monotonic()

    def note(self, text: str) -> None:
        """Print with the time since the start."""
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        self._console.print(f"[{minutes:d}:{seconds:02d}] {text}", markup=False, highlight=False, soft_wrap=True)

    def stepped(self, progress: Progress) -> None:
        """Print at most one line a minute."""
        if time.monotonic() - self._last >= LINE_EVERY:
            self._last = time.monotonic()
            where = f"epoch {progress.epoch} of {progress.epochs}, step {progress.done} of {progress.total}"
            self.note(f"{where}, {_speed(progress)}")

    def epoch_done(self, metrics: EpochMetrics) -> None:
        """Print the epoch's metrics."""
        self._last = time.monotonic()
        self.note(epoch_text(metrics))


class LiveListener(TrainListener):
    """A bar that moves."""

    def __init__(self, console: Console) -> None:
        self.bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None

    def note(self, text: str) -> None:
        """Print above the bar."""
        self.bars.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def stepped(self, progress: Progress) -> None:
        """Move the bar."""
        described = f"Epoch {progress.epoch} of {progress.epochs}"
        if self._task is None:
            self._task = self.bars.add_task(described, total=progress.total, note="")
        self.bars.update(self._task, completed=progress.done, description=described, note=_speed(progress))

    def epoch_done(self, metrics: EpochMetrics) -> None:
        """Print above the bar."""
        self.note(epoch_text(metrics))


def epoch_text(metrics: EpochMetrics) -> str:
    """An epoch in a line."""
    return (
        f"Epoch {metrics.epoch}: loss {metrics.train_loss:.4f}, top-1 {metrics.top1:.2%}, "
        f"averaged {metrics.ema_top1:.2%}, {metrics.images_per_second:,.0f} images/s"
    )


def _speed(progress: Progress) -> str:
    memory = f", {progress.gpu_bytes / 2**30:.1f} GiB" if progress.gpu_bytes else ""
    return f"{progress.images_per_second:,.0f} images/s{memory}"
