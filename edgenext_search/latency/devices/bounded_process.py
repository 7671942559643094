"""Run a program that may hang, flood its output or die, with limits on its time, its silence and its output."""

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

STDERR_BYTES = 20_000  # kept from the end of standard error
CHUNK = 1 << 16
GRACE_SECONDS = 2.0  # between SIGTERM and SIGKILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of a program.

    Attributes:
        seconds: Time from its start to its end.
        silence: Time without any output, in seconds.
        output: Bytes on standard output.
    """

    seconds: float
    silence: float
    output: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The end of a program: exit code (negative for a signal), standard output, and the end of standard error."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def last_words(self) -> str:
        """The last line on standard error that is not blank; empty without one."""
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        return lines[-1] if lines else ""


class LimitError(Exception):
    """A program was stopped because it exceeded a limit."""

    def __init__(self, limit: Literal["seconds", "silence", "output"], limits: Limits) -> None:
        self.limit = limit
        super().__init__(
            {
                "seconds": f"did not end within {limits.seconds:.0f} s",
                "silence": f"printed nothing for {limits.silence:.0f} s",
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
    """Run a program to its end. It is stopped, with all processes of its group, on a limit or an error in ``on_line``.

    Args:
        argv: The program and its arguments, which no shell interprets.
        limits: Limits of time and output.
        stdin: Open file for standard input; None for an empty input.
        env: Environment of the program; None for that of this process.
        on_line: Called with each whole line of standard output as soon as it is read.

    Raises:
        LimitError: The program exceeded a limit.
        OSError: The program cannot be started.
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


def _pipes(process: subprocess.Popen[bytes]) -> list[IO[bytes]]:
    return [pipe for pipe in (process.stdout, process.stderr) if pipe is not None]


def _read(
    process: subprocess.Popen[bytes], limits: Limits, on_line: Callable[[bytes], None] | None
) -> tuple[bytes, bytes]:
    """Read standard output and the end of standard error until the program closes both."""
    start = heard = time.monotonic()
    stdout, stderr, line_start = bytearray(), bytearray(), 0
    with selectors.DefaultSelector() as selector:
        for pipe in _pipes(process):
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
    """End the program and its process group, with SIGTERM first, and close its pipes."""
    if process.poll() is None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)
                break
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # processes of its group that outlive it
    for pipe in _pipes(process):
        pipe.close()
