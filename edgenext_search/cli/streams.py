"""Standard streams that end no work: they may be closed, lose their terminal, or lack a character."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Collection
from typing import Any

_LOST_TERMINAL = frozenset({errno.EIO})
_LOST_READER = frozenset({errno.EIO, errno.EPIPE, errno.ENOSPC, errno.EDQUOT})  # of messages, which results are not


def steady_streams() -> None:
    r"""Open the standard streams that are closed, and let the others outlive their terminal.

    What an encoding lacks is written with a backslash, as in ``\u2013``.
    """
    _open_closed()
    if sys.stdout is sys.__stdout__:
        sys.stdout = _lasting(sys.stdout, _LOST_TERMINAL)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _lasting(sys.stderr, _LOST_READER)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _open_closed() -> None:
    """Give closed descriptors to the null device: files opened later would take their numbers."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
        if getattr(sys, name) is None:
            stream = open(number, "w" if number else "r", encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


class _LastingFile(io.FileIO):
    """A file that drops what cannot be written for some reasons; for others it raises once, and drops the rest.

    It has no buffer, whose lock would refuse a message of a signal that came while another one was written.
    """

    def __init__(self, number: int, dropped: Collection[int]) -> None:
        super().__init__(number, "wb", closefd=False)
        self._dropped = dropped
        self._failed = False

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - any buffer
        """Write all of it, or drop the rest."""
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while left and not self._failed:
                left = left[super().write(left) or 0 :]
        except OSError as error:
            self._failed = error.errno not in self._dropped
            if self._failed:
                raise
        return size


def _lasting(stream: Any, dropped: Collection[int]) -> Any:  # noqa: ANN401 - a text stream
    """A stream to the same descriptor that drops what cannot be written for some reasons."""
    with contextlib.suppress(AttributeError, OSError):
        stream.flush()
        raw: Any = _LastingFile(stream.fileno(), dropped)
        return io.TextIOWrapper(raw, encoding=stream.encoding, line_buffering=stream.line_buffering)
    return stream
