"""Locks that keep a second process out of a folder; the kernel drops them when their process dies."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def exclusive(path: Path, *, patience: float = 0.0) -> Iterator[bool]:
    """Hold a lock on a file during the block, and yield whether it was free.

    Child processes share the lock: it is free once the last of them has ended. A file system without locks counts as
    free.

    Args:
        path: The file, created if missing.
        patience: Longest time to wait for the lock, in seconds.

    Raises:
        OSError: The file cannot be opened for writing.
    """
    deadline = time.monotonic() + patience
    with path.open("a") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    yield False
                    return
                time.sleep(0.1)
                continue
            except OSError:
                pass
            yield True
            return


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock of a file; without a file none does."""
    with contextlib.suppress(FileNotFoundError), path.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False
