"""One rung of one candidate's training: the messages between the coordinator and the processes that train."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edgenext_search.arch.candidate import Candidate
from edgenext_search.training.engine.numerics import Numerics
from edgenext_search.training.proxy.recipe import TrainRecipe

STATE, WEIGHTS = ".pt", ".safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Devices of a job: one process on each, which share every batch.

    Attributes:
        devices: ``cpu``, ``cuda:0`` and the like, one for each process.
        threads: CPU threads of each process.
    """

    devices: tuple[str, ...] = ("cpu",)
    threads: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainJob:
    """The training of one rung.

    Attributes:
        name: Unique among the running jobs; the stem of the job's files in ``folder``.
        label: Name for people, such as ``trial 3``.
        candidate: The network.
        recipe: How to train it.
        data: Folder of the prepared images.
        seed: Seed of weights, order and augmentation.
        until: Number of epochs trained in total when the job is done.
        folder: Folder of the state after the rung, for the next one.
        numerics: Precision, memory layout and compilation.
        placement: Devices and threads.
        micro_batch: Most images that a process takes through the network at once; gradients of several such parts of
            a batch are added up. None for its whole share.
        attempt: Token of one submission of the job. The files that it writes bear the token until its outcome is
            accepted, so that they replace those of no other attempt. Empty for files without it.
    """

    name: str
    label: str
    candidate: Candidate
    recipe: TrainRecipe
    data: Path
    seed: int
    until: int
    folder: Path
    numerics: Numerics = field(default_factory=Numerics)
    placement: Placement = field(default_factory=Placement)
    micro_batch: int | None = None
    attempt: str = ""

    @property
    def state_file(self) -> Path:
        """The state after the last finished rung."""
        return self.folder / f"{self.name}{STATE}"

    @property
    def weights_file(self) -> Path:
        """The scored weights after the last epoch of the recipe."""
        return self.folder / f"{self.name}{WEIGHTS}"

    def written(self, file: Path) -> Path:
        """What this attempt writes in place of :attr:`state_file` or :attr:`weights_file`."""
        return file.with_name(f"{self.name}.{self.attempt}{file.suffix}") if self.attempt else file

    def halved_micro_batch(self) -> int | None:
        """Half of the images that a process takes through the network at once; None if that is a single one."""
        share = -(-self.recipe.batch_size // len(self.placement.devices))
        taken = self.micro_batch or share
        return (taken + 1) // 2 if taken > 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a score depends on beside its job.

    Attributes:
        host: Name of the host.
        device: Name of the GPU or the processor; of several kinds, all of them.
        numerics: Precision, memory layout and compilation.
        package: Version of this package.
        torch: Version of torch.
        micro_batch: Micro-batch of the job, if memory was too small for its whole share of a batch.
    """

    host: str
    device: str
    numerics: str
    package: str
    torch: str
    micro_batch: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The outcome of a finished job.

    Attributes:
        score: Top-1 on the held-out training images, in [0, 1].
        seconds: Duration in the job's process, with evaluation.
        loss: Mean cross-entropy on the same images, in nats.
        train_loss: Mean loss of all training steps from the first on, with label smoothing; None if unknown.
        place: Where it was trained; None if unknown.
    """

    score: float
    seconds: float
    loss: float | None = None
    train_loss: float | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The outcome of a failed job; ``reason`` is for people."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfMemory(Failed):
    """The outcome of a job that ran out of memory; smaller micro-batches may help."""


Outcome = Trained | Failed
