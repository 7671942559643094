"""What a full training is: the candidate, the recipe, the images, the folder, and how a batch is shared out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgenext_search.arch.candidate import Candidate
from edgenext_search.errors import UserError
from edgenext_search.machine import cpu_cores
from edgenext_search.texts import counted
from edgenext_search.training.full.recipe import FullRecipe

MOST_WORKERS = 8
MOST_AT_ONCE = {"cuda": 256, "cpu": 64}
"""Images that a process takes through the network at once unless told otherwise; 256 is the published recipe's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchShares:
    """How one step of the optimizer is made up: ``world * accumulate`` parts of ``each`` images.

    Attributes:
        each: Images that a process takes through the network at once, at the recipe's image size.
        world: Processes.
        accumulate: Parts whose gradients each process adds up.
    """

    each: int
    world: int
    accumulate: int

    @property
    def total(self) -> int:
        """Images of a step."""
        return self.each * self.world * self.accumulate

    def __str__(self) -> str:
        parts = f"{counted(self.each, 'image')} x {counted(self.world, 'process', 'processes')}"
        return parts + (f" x {self.accumulate} accumulated" if self.accumulate > 1 else "")


def share_batch(batch_size: int, *, world: int, each: int | None, accumulate: int | None, device: str) -> BatchShares:
    """Share a batch out, or make one of the shares that are given.

    Args:
        batch_size: Images of a step by the recipe; gives way where ``each`` is given.
        world: Processes.
        each: Images of a process at once; None for as many as the recipe's batch and :data:`MOST_AT_ONCE` leave.
        accumulate: Parts that each process adds up; None for as few as there need to be.
        device: ``cpu`` or ``cuda``.

    Raises:
        UserError: The recipe's batch cannot be shared equally.
    """
    if each is not None:
        return BatchShares(each=each, world=world, accumulate=accumulate or 1)
    parts = accumulate or next(
        (
            n
            for n in range(1, batch_size + 1)
            if batch_size % (world * n) == 0 and batch_size // (world * n) <= MOST_AT_ONCE[device]
        ),
        0,
    )
    if not parts or batch_size % (world * parts):
        among = f"{world} processes" + (f" x --accumulate {accumulate}" if accumulate else "")
        raise UserError(
            f"train.batch_size must be a multiple of {among}, but is {batch_size}; give --batch-size, the images of a "
            "process at once, instead: the learning rate is scaled along."
        )
    return BatchShares(each=batch_size // (world * parts), world=world, accumulate=parts)


def shared_out(
    processes: int, device: str, *, workers: int | None = None, threads: int | None = None
) -> tuple[int, int | None]:
    """This host's cores shared out among the processes that train on it.

    Args:
        processes: How many there are.
        device: What they train on: ``cpu``, ``cuda:0`` and the like.
        workers: Processes that load images, for each of them; None for its cores, at most :data:`MOST_WORKERS`.
        threads: CPU threads of each; None for its cores on the CPU, and torch's own number beside a GPU.

    Returns:
        Both numbers as a :class:`FullJob` takes them.
    """
    share = max(1, cpu_cores() // processes)
    if threads is None and device == "cpu":
        threads = share
    return min(MOST_WORKERS, share) if workers is None else workers, threads


@dataclass(frozen=True, slots=True, kw_only=True)
class FullJob:
    """A full training.

    Attributes:
        candidate: The network.
        name: What people know it by, such as ``edgenext_small``.
        recipe: How to train it.
        data: A folder of ImageNet's layout, or a dataset name of timm.
        out: Where everything is written.
        data_dir: Where a named dataset lies.
        classes_file: Names of the classes to train on, in their order; None for all that the data has.
        teacher: A model folder or a model of timm to learn from beside the labels.
        init: Model folder or checkpoint whose weights are begun with.
        each: Images that a process takes through the network at once; None to find out.
        accumulate: Parts of a batch that each process adds up; None to find out.
        workers: Processes that decode images, for each process that trains.
        threads: CPU threads of each process; None for torch's own number.
        minutes: Time between two checkpoints; there are those of each epoch besides.
        keep: How many of the last checkpoints stay.
        wandb: Whether metrics go to Weights & Biases too.
    """

    candidate: Candidate
    name: str
    recipe: FullRecipe
    data: str
    out: Path
    data_dir: Path | None = None
    classes_file: Path | None = None
    teacher: str | None = None
    init: Path | None = None
    each: int | None = None
    accumulate: int | None = None
    workers: int = 4
    threads: int | None = None
    minutes: float = 10.0
    keep: int = 3
    wandb: bool = False


class TrainListener(Protocol):
    """Whoever watches a full training; asked on the first rank alone."""

    def note(self, text: str) -> None:
        """Something that people should know."""

    def stepped(self, progress: Progress) -> None:
        """A step was done."""

    def epoch_done(self, row: dict[str, float]) -> None:
        """An epoch was trained and evaluated; a row of ``metrics.csv``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a training is.

    Attributes:
        done: Steps done.
        total: Steps of the training.
        epoch: Number of the epoch under way, from 1.
        epochs: Epochs of the training.
        images_per_second: Over all processes, since the last time.
        gpu_bytes: Most memory taken on this process's GPU; 0 on a CPU.
    """

    done: int
    total: int
    epoch: int
    epochs: int
    images_per_second: float
    gpu_bytes: int


class SilentListener:
    """Watches and says nothing; what other listeners begin with."""

    def note(self, text: str) -> None:
        """See :class:`TrainListener`."""

    def stepped(self, progress: Progress) -> None:
        """See :class:`TrainListener`."""

    def epoch_done(self, row: dict[str, float]) -> None:
        """See :class:`TrainListener`."""
