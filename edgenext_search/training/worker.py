"""The process that a trial is trained in: it ends with its job, and with the coordinator if that dies."""

from __future__ import annotations

import os
import signal
import threading
import time
from multiprocessing import connection, parent_process
from typing import TYPE_CHECKING

from edgenext_search.training.job import Failed

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from edgenext_search.training.job import TrainJob

REPORT_EVERY = 0.2  # seconds between two messages of progress


def run_worker(job: TrainJob, messages: Connection) -> None:
    """Train a job and send its outcome.

    Sends floats, the share of the job that is done, and at last an :data:`~edgenext_search.training.job.Outcome`.
    Whatever goes wrong inside is sent as a failure with its reason; only a signal ends the process without one.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the coordinator decides
    threading.Thread(target=_die_with_parent, daemon=True).start()
    last = 0.0

    def on_step(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= REPORT_EVERY:
            last = now
            messages.send(done / total)

    try:
        from edgenext_search.training.rung import train_rung

        messages.send(train_rung(job, on_step))
    except Exception as error:
        messages.send(Failed(reason=_reason(error)))


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "out of memory" in text.lower():
        return f"out of memory: {text[:300]}"
    return f"{type(error).__name__}: {text[:300]}"


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
