"""Starting the processes of a full training: one a device of this host, or as torchrun started them on any hosts."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenext_search.errors import UserError
from edgenext_search.execution.worker import die_with_parent, stop_with_parent
from edgenext_search.training.full.job import SilentListener

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from edgenext_search.training.full.job import FullJob, Progress, TrainListener

PRELOAD = ["edgenext_search.execution.preload"]
PATIENCE = 5.0  # seconds that the other processes get to say why they end, when one has failed
_FORWARDED = (signal.SIGTERM, signal.SIGUSR1)


class TrainingFailedError(RuntimeError):
    """A process of the training ended without a result."""


class ProcessDiedError(TrainingFailedError):
    """It could not even say why."""


@dataclass(frozen=True, slots=True)
class Rank:
    """A process among those that train together.

    Attributes:
        rank: Its number.
        world: How many there are.
        local: Its number on this host.
    """

    rank: int
    world: int
    local: int


def started_by_torchrun() -> Rank | None:
    """This process's place, as torchrun tells it; None where it did not start it."""
    if not {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR"} <= os.environ.keys():
        return None
    rank, world, local = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    return Rank(rank, world, local)


def local_devices(device: str, processes: int | None) -> tuple[str, ...]:
    """The device of each process that a training has on this host.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.
        processes: How many; None for one a visible GPU, or one on the CPU.

    Raises:
        UserError: There are fewer GPUs, or none.
    """
    import torch

    gpus = torch.cuda.device_count() if device != "cpu" else 0
    if device == "cuda" and not gpus:
        raise UserError(
            "--device cuda needs a GPU that torch can use, and it sees none; `edgenext-search doctor` tells."
        )
    if not gpus:
        return ("cpu",) * (processes or 1)
    if processes is not None and processes > gpus:
        raise UserError(f"--processes must be at most the visible GPUs, {gpus}, but got {processes}.")
    return tuple(f"cuda:{number}" for number in range(processes or gpus))


def launch(job: FullJob, devices: Sequence[str], listener: TrainListener) -> dict[str, Any]:
    """Train with one process for each device of this host; with a single one in this process.

    Args:
        job: What to train.
        devices: ``cpu``, ``cuda:0`` and the like.
        listener: Whoever watches.

    Returns:
        The summary.

    Raises:
        UserError: Something of the job cannot be used.
        TrainingInterruptedError: A signal came.
        TrainingFailedError: A process ended without a result.
    """
    if len(devices) == 1:
        import torch

        from edgenext_search.training.engine.distributed import Ranks
        from edgenext_search.training.full.training import train_fully

        return train_fully(job, Ranks(), torch.device(devices[0]), listener)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    with tempfile.TemporaryDirectory(prefix="edgenext-search-") as folder:
        members = []
        for rank, device in enumerate(devices):
            receiver, sender = context.Pipe(duplex=False)
            given = (job, Rank(rank, len(devices), rank), device, Path(folder) / "meeting", sender)
            process = context.Process(target=_run_rank, args=given, name=f"rank {rank}")
            process.start()
            sender.close()
            members.append(_Member(process, receiver))
        try:
            with _forwarded_signals([member.process for member in members]):
                return _outcome(members, listener)
        finally:
            for member in members:
                member.process.join(timeout=PATIENCE)
                if member.process.is_alive():
                    member.process.kill()
                    member.process.join()


def train_as_rank(job: FullJob, place: Rank, device: str, listener: TrainListener) -> dict[str, Any]:
    """Train as one of torchrun's processes; see :func:`launch`. Where torchrun dies, the training is saved and ends.

    Args:
        job: What to train.
        place: This process.
        device: ``cpu`` or ``cuda``.
        listener: Whoever watches; asked on the first process alone.

    Returns:
        The summary on the first process, an empty one on the others.
    """
    threading.Thread(target=stop_with_parent, args=(os.getppid(),), daemon=True).start()
    import torch

    from edgenext_search.training.engine.distributed import met
    from edgenext_search.training.full.training import train_fully

    own = torch.device(f"cuda:{place.local}" if device == "cuda" else "cpu")
    with met(place.rank, place.world, "env://", own) as ranks:
        return train_fully(job, ranks, own, SilentListener() if place.rank else listener)


@dataclass(slots=True)
class _Member:
    """One process and what it has come to."""

    process: BaseProcess
    messages: Connection
    outcome: dict[str, Any] | Exception | None = None


def _outcome(members: list[_Member], listener: TrainListener) -> dict[str, Any]:
    """Pass on what the processes say until all are done, or one has failed."""
    deadline: float | None = None
    while waiting := [member for member in members if member.outcome is None]:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            break
        connection.wait([member.messages for member in waiting], left)
        for member in waiting:
            _read(member, listener)
        if deadline is None and any(isinstance(member.outcome, Exception) for member in members):
            deadline = time.monotonic() + PATIENCE
    if errors := [member.outcome for member in members if isinstance(member.outcome, Exception)]:
        raise min(errors, key=_distance)
    first = members[0].outcome
    assert isinstance(first, dict)  # noqa: S101 - all are done and none has failed
    return first


def _distance(error: Exception) -> int:
    """How far an error is from the cause: when one process dies, the others fail for want of it."""
    if isinstance(error, ProcessDiedError):
        return 1
    return 2 if isinstance(error, TrainingFailedError) else 0


def _read(member: _Member, listener: TrainListener) -> None:
    try:
        while member.outcome is None and member.messages.poll():
            kind, value = member.messages.recv()
            if kind == "outcome":
                member.outcome = value
            else:
                getattr(listener, kind)(value)
    except (EOFError, OSError):
        member.process.join()
        code = member.process.exitcode or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        member.outcome = ProcessDiedError(
            f"{member.process.name} {how}. The same command goes on from the last checkpoint."
        )


class _Relay:
    """A listener that passes on to the parent process."""

    def __init__(self, messages: Connection) -> None:
        self._messages = messages

    def note(self, text: str) -> None:
        self._messages.send(("note", text))

    def stepped(self, progress: Progress) -> None:
        self._messages.send(("stepped", progress))

    def epoch_done(self, row: dict[str, float]) -> None:
        self._messages.send(("epoch_done", row))


def _run_rank(job: FullJob, place: Rank, device: str, meeting: Path, messages: Connection) -> None:
    """Train as one of the processes of this host, and send the outcome."""
    threading.Thread(target=die_with_parent, daemon=True).start()
    multiprocessing.set_start_method(None, force=True)  # or loaders' workers would be started as this process was
    import torch

    from edgenext_search.training.engine.distributed import joined
    from edgenext_search.training.full.training import train_fully

    own = torch.device(device)
    listener: TrainListener = SilentListener() if place.rank else _Relay(messages)
    try:
        with joined(place.rank, place.world, meeting, own) as ranks:
            messages.send(("outcome", train_fully(job, ranks, own, listener)))
    except BaseException as error:  # whatever it is, the parent says it
        messages.send(("outcome", _sendable(error)))
        sys.stderr.flush()
        os._exit(1)  # leaving the other ranks in an orderly way may wait for them


def _sendable(error: BaseException) -> Exception:
    """An exception as the parent raises it."""
    from edgenext_search.training.engine.loop import TrainingDivergedError
    from edgenext_search.training.full.epochs import TrainingInterruptedError

    for kind in (UserError, TrainingInterruptedError, TrainingDivergedError):
        if isinstance(error, kind):
            return kind(str(error))
    if isinstance(error, KeyboardInterrupt):
        return TrainingInterruptedError("Stopped.")
    if isinstance(error, OSError):
        return OSError(error.errno, error.strerror or str(error), error.filename)
    return TrainingFailedError(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")


@contextlib.contextmanager
def _forwarded_signals(processes: Sequence[BaseProcess]) -> Iterator[None]:
    """Hand signals on to the processes; Ctrl-C reaches them by itself, as they share the terminal."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def forward(number: int, _frame: object) -> None:
        for process in processes:
            if process.is_alive() and process.pid is not None:
                os.kill(process.pid, number)

    previous = {number: signal.signal(number, forward) for number in _FORWARDED}
    previous[signal.SIGINT] = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
