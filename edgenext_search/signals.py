"""Signals that ask a process to stop."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Collection, Iterator

Handler = Callable[[int, object], None]


@contextlib.contextmanager
def handled(numbers: Collection[int], handler: Handler) -> Iterator[None]:
    """Answer some signals with a handler during the block; outside of the main thread nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, former in previous.items():
            signal.signal(number, former)


@contextlib.contextmanager
def stop_requests(
    numbers: Collection[int], *, announce: Callable[[signal.Signals], None], interrupting: Collection[int]
) -> Iterator[Callable[[], bool]]:
    """Turn the first of some signals into a request to stop, and yield whether there was one.

    Args:
        numbers: The signals.
        announce: Called with the first of them.
        interrupting: Signals that raise KeyboardInterrupt once there is a request.
    """
    requested = threading.Event()

    def handle(number: int, _frame: object) -> None:
        if not requested.is_set():
            requested.set()
            announce(signal.Signals(number))
        elif number in interrupting:
            raise KeyboardInterrupt

    with handled(numbers, handle):
        yield requested.is_set
