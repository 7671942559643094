"""Who uses a folder of the cache: a shared lock on the file `lock` in it, which the kernel drops when a process dies.

Whoever builds an entry or has one open holds the lock; whoever removes a folder takes it exclusively first. So what a
killed process left behind is told from what a living one works on, without guessing by process numbers or times.
Where the file system keeps no locks, folders count as used and are never removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_FILE = "lock"
PATIENCE = 1.0  # seconds; an exclusive lock is held for a moment, to look whether a folder is used or to rename it


class Hold:
    """A folder in use: held until the object is closed or collected.

    Args:
        handle: The open, locked file; None where the file system keeps no locks or is read-only.
    """

    __slots__ = ("_handle",)

    def __init__(self, handle: int | None) -> None:
        self._handle = handle

    def touch(self) -> None:
        """Note that the folder is used now."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                os.utime(self._handle)

    def close(self) -> None:
        """Use it no more."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __del__(self) -> None:
        self.close()


def hold(folder: Path) -> Hold | None:
    """Hold a folder; None if there is none, or it is being removed."""
    path = folder / LOCK_FILE
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            handle = _open(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            return Hold(None)
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            if time.monotonic() > deadline:
                return None
            time.sleep(0.01)
            continue
        except OSError:
            os.close(handle)
            return Hold(None)
        if _is_at(handle, path):
            return Hold(handle)
        os.close(handle)  # the folder was removed, and perhaps made anew, in between


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Take a folder's lock exclusively; yields whether nobody else holds it."""
    path = folder / LOCK_FILE
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = _is_at(handle, path)
        except OSError:
            free = False
        yield free
    finally:
        os.close(handle)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except PermissionError:
        if not path.exists():
            raise
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # a shared lock needs no more


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False
