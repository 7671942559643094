"""Signals that ask a process to stop."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Collection, Iterator

Handler = Callable[[int, object], None]
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
