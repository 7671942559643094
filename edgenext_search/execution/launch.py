"""Launch of a full training: one process a device of this host, or one of those that torchrun started on any hosts."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from operator import methodcaller
from pathlib import Path

from edgenext_search.errors import HostError, UserError
from edgenext_search.execution.processes import ProcessDiedError, ProcessGroup, Send, stop_with_parent
from edgenext_search.signals import handled
from edgenext_search.temporary import temporary_folder
from edgenext_search.training.full.job import FullJob
from edgenext_search.training.full.listener import Progress, TrainListener
from edgenext_search.training.full.metrics import EpochMetrics
from edgenext_search.training.full.summary import TrainSummary

PATIENCE = 5.0  # seconds that the other processes get to say why they end, when one has failed


@dataclass(frozen=True, slots=True)
class TorchrunRank:
    """This process among those that torchrun started.

    Attributes:
        rank: Its number.
        world: Number of processes on all hosts.
        local: Its number on this host.
        local_world: Number of processes on this host.
    """

    rank: int
    world: int
    local: int
    local_world: int


def torchrun_rank() -> TorchrunRank | None:
    """This process among those of torchrun; None where torchrun did not start it.

    Raises:
        UserError: The variables of torchrun hold something else, as those that a cluster leaves behind may.
    """
    if not {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys():
        return None
    world = _number("WORLD_SIZE", least=1)
    rank, local = _number("RANK", below=world), _number("LOCAL_RANK", below=world)
    _number("MASTER_PORT")
    local_world = _number("LOCAL_WORLD_SIZE", least=1) if "LOCAL_WORLD_SIZE" in os.environ else world
    return TorchrunRank(rank, world, local, local_world)


def _number(name: str, *, least: int = 0, below: int | None = None) -> int:
    """The number in a variable of torchrun."""
    text = os.environ[name]
    number = int(text) if text.isdecimal() else -1
    if number < least or (below is not None and number >= below):
        rule = f"a number from {least}" if below is None else f"a number from {least} to {below - 1}"
        raise UserError(
            f"{name} must be {rule}, as torchrun sets it, but is {text!r}; without torchrun remove it by `unset RANK`."
        )
    return number


def launch(job: FullJob, devices: Sequence[str], listener: TrainListener) -> TrainSummary:
    """Train with one process for each device of this host; with a single device in this process.

    Args:
        job: The training.
        devices: ``cpu``, ``cuda:0`` and the like.
        listener: Hears of the progress.

    Raises:
        UserError: Something of the job cannot be used.
        TrainingInterruptedError: A signal came.
        TrainingDivergedError: The loss is not a finite number.
        HostError: A process was killed, or disk, memory or a device failed.
    """
    if len(devices) == 1:
        import torch

        from edgenext_search.training.engine.distributed import Ranks
        from edgenext_search.training.full.train import train_fully

        summary = train_fully(job, Ranks(), torch.device(devices[0]), listener)
    else:
        summary = _launch(job, devices, listener)
    if summary is None:
        raise RuntimeError("The first process ended without a summary.")
    return summary


def _launch(job: FullJob, devices: Sequence[str], listener: TrainListener) -> TrainSummary | None:
    """Train with several processes."""
    with temporary_folder() as folder:
        rendezvous = folder / "rendezvous"
        arguments = [(job, rank, len(devices), device, rendezvous) for rank, device in enumerate(devices)]
        with (
            ProcessGroup(_train, arguments, name="training", patience=PATIENCE, interactive=True) as group,
            handled((signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1), lambda number, _: group.send_signal(number)),
            handled((signal.SIGINT,), lambda *_: None),  # the processes share the terminal, so Ctrl-C reaches them
        ):
            try:
                return group.wait(lambda call: call(listener))[0]
            except ProcessDiedError as error:
                raise HostError(f"{error}.") from error
            except MemoryError as error:
                raise HostError(f"Out of memory; give a smaller --batch-size: {error}.") from error


def train_as_rank(job: FullJob, place: TorchrunRank, device: str, listener: TrainListener) -> TrainSummary | None:
    """Train as one of torchrun's processes; see :func:`launch`. Where torchrun dies, the training is saved and ends.

    Args:
        job: The training.
        place: This process.
        device: ``cpu`` or ``cuda``.
        listener: Hears of the progress, on the first process alone.

    Returns:
        The summary on the first process; None on the others.
    """
    stop_with_parent()
    import torch

    from edgenext_search.training.engine.distributed import init_process_group
    from edgenext_search.training.full.train import train_fully

    own = torch.device(f"cuda:{place.local}" if device == "cuda" else "cpu")
    with init_process_group(place.rank, place.world, own) as ranks:
        return train_fully(job, ranks, own, TrainListener() if place.rank else listener)


def _train(job: FullJob, rank: int, world: int, device: str, rendezvous: Path, *, send: Send) -> TrainSummary | None:
    """Train as one of the processes of this host."""
    import torch

    from edgenext_search.training.engine.distributed import init_local_process_group
    from edgenext_search.training.full.train import train_fully

    own = torch.device(device)
    with init_local_process_group(rank, world, rendezvous, own) as ranks:
        return train_fully(job, ranks, own, TrainListener() if rank else _Relay(send))


class _Relay(TrainListener):
    """Passes on what it hears to the listener of the parent process."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def note(self, text: str) -> None:
        self._send(methodcaller("note", text))

    def stepped(self, progress: Progress) -> None:
        self._send(methodcaller("stepped", progress))

    def epoch_done(self, metrics: EpochMetrics) -> None:
        self._send(methodcaller("epoch_done", metrics))
