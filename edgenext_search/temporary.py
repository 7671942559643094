"""Temporary files and folders: what a killed process leaves behind, the next one removes.

Each is locked while its process lives, and the kernel drops the lock when that dies. So a leftover is told from what is
in use without guessing by process numbers or times. Where the file system keeps no locks, leftovers stay.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

SUFFIX = ".edgenext-part"
_NAME = re.compile(rf".+[.-][0-9a-f]{{8}}{re.escape(SUFFIX)}")


@contextlib.contextmanager
def temporary_file(beside: Path) -> Iterator[Path]:
    """An empty hidden file beside another, removed at the end of the block.

    Raises:
        OSError: It cannot be written.
    """
    with _held(beside.parent, f".{beside.name}.", lambda path: path.touch(exist_ok=False)) as path:
        owner = os.getpid()
        try:
            yield path
        finally:
            if os.getpid() == owner:  # not in a forked process, which ends the block too when it forgets it
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def temporary_folder(beside: Path | None = None) -> Iterator[Path]:
    """An empty folder for this user alone, removed with its content at the end of the block.

    Args:
        beside: The path that the hidden folder lies beside; None for the system's folder of temporary files.

    Raises:
        OSError: It cannot be made.
    """
    parent = Path(tempfile.gettempdir()) if beside is None else beside.parent
    prefix = "edgenext-search-" if beside is None else f".{beside.name}."
    with _held(parent, prefix, lambda path: path.mkdir(mode=0o700)) as path:
        owner = os.getpid()
        try:
            yield path
        finally:
            if os.getpid() == owner:  # as above
                shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _held(folder: Path, prefix: str, make: Callable[[Path], None]) -> Iterator[Path]:
    """Make a file or folder of a new name, and lock it during the block."""
    _remove_leftovers(folder)
    handle = None
    while handle is None:
        path = folder / f"{prefix}{secrets.token_hex(4)}{SUFFIX}"
        make(path)
        handle = _lock(path)
    try:
        yield path
    finally:
        os.close(handle)


def is_temporary(path: Path) -> bool:
    """Whether a file or folder has the name of a temporary one."""
    return _NAME.fullmatch(path.name) is not None


def _lock(path: Path) -> int | None:
    """Hold a file or folder; None if another process took it for a leftover and removed it."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(handle, fcntl.LOCK_SH)
    if path.exists():
        return handle
    os.close(handle)
    return None


def _remove_leftovers(folder: Path) -> None:
    """Remove what dead processes left in a folder, as far as that can be done."""
    with contextlib.suppress(OSError):
        for path in [path for path in folder.iterdir() if is_temporary(path)]:
            with contextlib.suppress(OSError):
                _remove_unless_held(path)


def _remove_unless_held(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
    finally:
        os.close(handle)
