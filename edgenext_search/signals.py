"""Signals that ask a process to stop."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator

Handler = Callable[[int, object], None]
PARENT_POLL = 0.5  # seconds between two looks at whether the parent is there
SIGHUP: int | None = getattr(signal, "SIGHUP", None)


class StopRequests:
    """Whether this process was asked to stop; see :func:`stop_requests`."""

    __slots__ = ("_interruptible", "_requested")

    def __init__(self) -> None:
        self._requested = threading.Event()
        self._interruptible = False

    def __call__(self) -> bool:
        """Whether there was a request."""
        return self._requested.is_set()

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Raise KeyboardInterrupt as soon as there is a request, also while the block waits for something."""
        self._interruptible = True
        try:
            if self():
                raise KeyboardInterrupt
            yield
        finally:
            self._interruptible = False

    def _handler(self, announce: Callable[[signal.Signals], None], interrupting: Collection[int]) -> Handler:
        def handle(number: int, _frame: object) -> None:
            first = not self()
            if first:
                self._requested.set()
                announce(signal.Signals(number))
            if self._interruptible or (number in interrupting and not first):
                raise KeyboardInterrupt

        return handle


@contextlib.contextmanager
def handled(numbers: Collection[int], handler: Handler) -> Iterator[None]:
    """Answer some signals with a handler during the block; outside of the main thread nothing changes.

    SIGHUP stays ignored where it is, as by nohup.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ignored = {SIGHUP} if SIGHUP is not None and signal.getsignal(SIGHUP) == signal.SIG_IGN else set()
    previous = {number: signal.signal(number, handler) for number in numbers if number not in ignored}
    try:
        yield
    finally:
        for number, former in previous.items():
            signal.signal(number, former)


@contextlib.contextmanager
def stop_requests(
    numbers: Collection[int], *, announce: Callable[[signal.Signals], None], interrupting: Collection[int]
) -> Iterator[StopRequests]:
    """Turn the first of some signals into a request to stop, and yield whether there was one.

    Args:
        numbers: The signals.
        announce: Called with the first of them.
        interrupting: Signals that raise KeyboardInterrupt once there is a request.
    """
    requests = StopRequests()
    with handled(numbers, requests._handler(announce, interrupting)):
        yield requests


def how_it_ended(exitcode: int) -> str:
    """How a process ended, such as "was killed by SIGKILL".

    Args:
        exitcode: Its exit code; negative for the signal that killed it.
    """
    if exitcode >= 0:
        return f"ended with exit code {exitcode}"
    names = {int(number): number.name for number in signal.Signals}
    name = names.get(-exitcode, f"signal {-exitcode}")
    hint = "; the system kills a process that takes too much memory" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"


def when_parent_ends(parent: int, action: Callable[[], object]) -> None:
    """Watch the parent of this process in a thread, and act as soon as it is gone.

    Args:
        parent: Process id of the parent.
        action: What to do.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_POLL)
        action()

    threading.Thread(target=watch, daemon=True).start()
