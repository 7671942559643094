"""The processes that a trial is trained in: they end with their job, and with the coordinator if that dies."""

from __future__ import annotations

import os
import signal
import threading
import time
from multiprocessing import connection, parent_process
from typing import TYPE_CHECKING

from edgenext_search.training.proxy.job import Failed, OutOfMemory

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

    from edgenext_search.training.engine.numerics import ProbeRequest
    from edgenext_search.training.proxy.job import TrainJob

REPORT_EVERY = 0.2  # seconds between two messages of progress
LOOK_EVERY = 1.0  # seconds between two looks after a parent that may be gone
# Of CUDA and HIP, of torch on CPUs, and of the system.
_MEMORY_ERRORS = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory")


def run_worker(job: TrainJob, messages: Connection, rank: int = 0, meeting: Path | None = None) -> None:
    """Train a job, or this process's share of it, and send its outcome.

    Sends floats, the share of the job that is done, and at last an :data:`~edgenext_search.training.proxy.job.Outcome`.
    Whatever goes wrong inside is sent as a failure with its reason; only a signal ends the process without one.

    Args:
        job: What to train.
        messages: Where outcome and progress go.
        rank: Which of the job's devices this process has.
        meeting: File in which the processes of the job meet.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the coordinator decides
    threading.Thread(target=die_with_parent, daemon=True).start()
    last = 0.0

    def on_step(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if rank == 0 and now - last >= REPORT_EVERY:
            last = now
            messages.send(done / total)

    try:
        from edgenext_search.training.proxy.rung import train_rung

        messages.send(train_rung(job, on_step, rank=rank, meeting=meeting))
    except Exception as error:
        messages.send(_failure(error))
        if meeting is not None:
            os._exit(1)  # leaving the other ranks in an orderly way may wait for them


def run_probe(request: ProbeRequest, messages: Connection) -> None:
    """Time numerics and send what was found, or a failure with its reason."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=die_with_parent, daemon=True).start()
    try:
        from edgenext_search.training.proxy.probe import probe

        messages.send(probe(request))
    except Exception as error:
        messages.send(_failure(error))


def _failure(error: Exception) -> Failed:
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or any(words in text.lower() for words in _MEMORY_ERRORS):
        return OutOfMemory(reason=f"out of memory: {text[:300] or type(error).__name__}")
    return Failed(reason=f"{type(error).__name__}: {text[:300]}")


def die_with_parent() -> None:
    """End this process as soon as its parent is gone; runs in a thread of its own."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def stop_with_parent(parent: int) -> None:
    """Ask this process to stop, as SIGTERM does, as soon as its parent is gone; runs in a thread of its own.

    Args:
        parent: The parent's process number.
    """
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY)
    os.kill(os.getpid(), signal.SIGTERM)
