"""Running a program that may hang, flood or die: with limits on its time, its silence and its output."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Literal

STDERR_BYTES = 20_000  # kept of the end of standard error
CHUNK = 1 << 16
GRACE_SECONDS = 2.0  # between asking a program to end and ending it


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a program may take.

    Attributes:
        seconds: From its start to its end.
        silence: Seconds without any output.
        output: Bytes on standard output.
    """

    seconds: float
    silence: float
    output: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a program ended: its exit code (negative for a signal) and what it wrote, of standard error the end."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def last_words(self) -> str:
        """The last line on standard error that says something; empty if there is none."""
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        return lines[-1][:300] if lines else ""


class LimitError(Exception):
    """A program was ended because it broke a limit."""

    def __init__(self, limit: Literal["seconds", "silence", "output"], limits: Limits) -> None:
        self.limit = limit
        super().__init__(
            {
                "seconds": f"did not end within {limits.seconds:.0f} s",
                "silence": f"said nothing for {limits.silence:.0f} s",
                "output": f"printed more than {limits.output:,} bytes",
            }[limit]
        )


def run(
    argv: Sequence[str],
    *,
    limits: Limits,
    stdin: IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
    on_line: Callable[[bytes], None] | None = None,
) -> Finished:
    """Run a program to its end; it and all that it started are ended when a limit breaks or ``on_line`` raises.

    Args:
        argv: The program and its arguments; no shell reads them.
        limits: What it may take.
        stdin: An open file that it reads; without one it has no input.
        env: Its environment; without one, ours.
        on_line: Called with each whole line of standard output as it comes.

    Raises:
        LimitError: It took more than it may.
        OSError: It cannot be started.
    """
    process = subprocess.Popen(  # noqa: S603 - a list of arguments, no shell
        list(argv),
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        start_new_session=True,
    )
    try:
        stdout, stderr = _read(process, limits, on_line)
        code = _wait(process, limits)
    finally:
        _end(process)
    return Finished(code=code, stdout=stdout, stderr=stderr.decode("utf-8", "replace"))


def _read(
    process: subprocess.Popen[bytes], limits: Limits, on_line: Callable[[bytes], None] | None
) -> tuple[bytes, bytes]:
    """Standard output and the end of standard error, until the program closes both."""
    start = heard = time.monotonic()
    stdout, stderr, line_start = bytearray(), bytearray(), 0
    with selectors.DefaultSelector() as selector:
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None  # noqa: S101 - both are pipes
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            now = time.monotonic()
            left = min(start + limits.seconds - now, heard + limits.silence - now)
            if left <= 0:
                raise LimitError("seconds" if now - start >= limits.seconds else "silence", limits)
            for key, _ in selector.select(left):
                chunk = os.read(key.fd, CHUNK)
                heard = time.monotonic()
                if not chunk:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stderr:
                    stderr = (stderr + chunk)[-STDERR_BYTES:]
                else:
                    stdout += chunk
                    if len(stdout) > limits.output:
                        raise LimitError("output", limits)
                    while on_line and (end := stdout.find(b"\n", line_start)) >= 0:
                        line, line_start = bytes(stdout[line_start:end]), end + 1
                        on_line(line)
    return bytes(stdout), bytes(stderr)


def _wait(process: subprocess.Popen[bytes], limits: Limits) -> int:
    """The exit code of a program that has closed its output."""
    try:
        return process.wait(limits.silence)
    except subprocess.TimeoutExpired:
        raise LimitError("silence", limits) from None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program and all of its group, politely first; close its pipes."""
    if process.poll() is None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)
                break
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # what it left behind
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
