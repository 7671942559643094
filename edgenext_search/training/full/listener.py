"""Who hears of a full training's progress."""

from __future__ import annotations

from dataclasses import dataclass

from edgenext_search.training.full.metrics import EpochMetrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a training has come.

    Attributes:
        done: Steps done.
        total: Steps of the training.
        epoch: Number of the current epoch, from 1.
        epochs: Epochs of the training.
        images_per_second: Training images per second of all processes, in this epoch.
        gpu_bytes: Peak memory of this process on its GPU; 0 on a CPU.
    """

    done: int
    total: int
    epoch: int
    epochs: int
    images_per_second: float
    gpu_bytes: int


class TrainListener:
    """Hears of a full training, on the first rank alone; a display overrides the methods that it shows."""

    def note(self, text: str) -> None:
        """A message for people."""

    def stepped(self, progress: Progress) -> None:
        """A step is done; called about twice a second."""

    def epoch_done(self, metrics: EpochMetrics) -> None:
        """An epoch is trained and evaluated."""
