"""One rung of one candidate's training, as a message between the coordinator and the process that trains."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from edgenext_search.arch.candidate import Candidate
from edgenext_search.training.recipe import TrainRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainJob:
    """What to train, on what, and where.

    Attributes:
        name: Unique among the jobs under way; the stem of the job's files in ``folder``.
        label: What people know the job by, such as ``trial 3``.
        candidate: The network.
        recipe: How to train it.
        data: Folder of the prepared images.
        seed: Seed of weights, order and augmentation.
        until: Number of epochs trained in total when the job is done.
        folder: Where the state after the rung is kept for the next one.
        device: ``cpu``, ``cuda:0`` and the like.
        threads: CPU threads of the process.
    """

    name: str
    label: str
    candidate: Candidate
    recipe: TrainRecipe
    data: Path
    seed: int
    until: int
    folder: Path
    device: str = "cpu"
    threads: int = 1

    @property
    def state_file(self) -> Path:
        """The state after the last rung that was finished."""
        return self.folder / f"{self.name}.pt"

    @property
    def weights_file(self) -> Path:
        """The averaged weights after the last epoch of the recipe."""
        return self.folder / f"{self.name}.safetensors"

    def on(self, device: str, threads: int) -> TrainJob:
        """The same job on a device."""
        return replace(self, device=device, threads=threads)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The job was done.

    Attributes:
        score: Top-1 of the averaged weights on the held-out training images, in [0, 1].
        seconds: Time that the job took in its process, with evaluation.
    """

    score: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The job could not be done; ``reason`` is for people."""

    reason: str


Outcome = Trained | Failed
