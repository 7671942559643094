"""What a command says when it ends early, and its exit code."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from edgenext_search.cli.options import EXIT_FAILURE, EXIT_USER_ERROR, say
from edgenext_search.errors import FailureKind, StudyFailedError, UserError
from edgenext_search.failures import classify
from edgenext_search.files import write_text
from edgenext_search.signals import handled
from edgenext_search.texts import hide_password

_OF_THE_USER = (FailureKind.INPUT, FailureKind.DATA)


def explain(error: Exception) -> int:
    """Say what failed and the next step; gives the exit code.

    Args:
        error: What ended the command.
    """
    failure = classify(error)
    say(" ".join([f"Error: {failure.message}", *getattr(error, "__notes__", ())]))
    if failure.kind is FailureKind.OURS:
        file = _write_bug_report(error)
        where = "" if file is None else f" Please report it with the file {file}, which has versions and traceback."
        say(f"This is a bug of edgenext-search.{where}")
    return EXIT_USER_ERROR if failure.kind in _OF_THE_USER or isinstance(error, UserError) else EXIT_FAILURE


@contextlib.contextmanager
def resumable(command: str | None, *, begun: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Say how to go on where a command ends early that keeps what it has finished.

    Args:
        command: The command that goes on; None for the same one.
        begun: Whether there is something to go on with; otherwise the same command begins again.
    """
    try:
        with handled((signal.SIGTERM, signal.SIGHUP), _interrupt):
            yield
    except KeyboardInterrupt:
        say(f"Stopped. {_kept(command if begun() else None)}")
        raise
    except Exception as error:
        refused = isinstance(error, UserError) and error.kind in _OF_THE_USER
        if begun() and not refused and not isinstance(error, StudyFailedError):
            error.add_note(_kept(command))
        raise


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """End the program in order, temporary files removed, where SIGTERM or SIGHUP comes and nothing inside answers it.

    Raises:
        SystemExit: With the exit code of a program that the signal has killed, such as 143.
    """

    def stop(number: int, _frame: object) -> None:
        raise _Stopped(number)

    try:
        with handled((signal.SIGTERM, signal.SIGHUP), stop):
            yield
    except _Stopped as stopped:
        (number,) = stopped.args
        say(f"Stopped by {signal.Signals(number).name}.")
        sys.exit(128 + number)


class _Stopped(KeyboardInterrupt):
    """A signal asked the program to end; Python would end by SIGINT after a KeyboardInterrupt in some imports."""


def _interrupt(_number: int, _frame: object) -> None:
    """End the command as Ctrl-C does, where nothing inside answers the signal."""
    raise KeyboardInterrupt


def _kept(command: str | None) -> str:
    return f"What was finished is kept: {f'`{command}`' if command else 'the same command'} goes on."


def _write_bug_report(error: Exception) -> Path | None:
    """Write what a report of a bug needs; gives the file, None where it cannot be written."""
    from edgenext_search.versions import versions

    command = " ".join(hide_password(word) for word in sys.argv)
    lines = [
        "Look through this file for names that should stay private before you send it.",
        f"command: {command}",
        f"platform: {platform.platform()}",
        *(f"{name}: {version}" for name, version in versions().items()),
        "",
        hide_password("".join(traceback.format_exception(error))),
        hide_password(getattr(error, "trace", "")),
    ]
    file = Path(tempfile.gettempdir()) / f"edgenext-search-bug-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    try:
        write_text(file, "\n".join(lines))
    except OSError:
        return None
    return file
