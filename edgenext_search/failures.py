"""The one place that finds whose failure an exception of any library is."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass

from edgenext_search.errors import ExplainedError, FailureKind
from edgenext_search.texts import hide_password


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception, explained.

    Attributes:
        kind: Whose failure it is.
        message: What failed and the next step, in one line.
    """

    kind: FailureKind
    message: str


def classify(error: BaseException) -> Failure:
    """Whose failure an exception is, with a message for the user.

    What an exception was raised from is looked at too, since libraries wrap what the system says.

    Args:
        error: Any exception, ours or a library's.
    """
    cause: BaseException | None = error
    while cause is not None:
        if failure := _by_type(cause) or _by_text(cause):
            return failure
        cause = cause.__cause__
    return Failure(FailureKind.OURS, f"{type(error).__name__}: {_one_line(error)}")


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory of the host or of a GPU is used up."""
    return isinstance(error, MemoryError) or re.search(_MEMORY_TEXTS, str(error), re.IGNORECASE) is not None


# Texts of CUDA and HIP, of torch on CPUs, of the system, and of C++.
_MEMORY_TEXTS = r"out of memory|can't allocate memory|not enough memory|cannot allocate memory|bad_alloc"
LONGEST = 400  # characters of another library's text
_FREE_MEMORY = "free some, or do less at once (--parallel, --batch-size, --workers)"
_FREE_PROCESSES = "allow more processes by `ulimit -u`, or do less at once (--parallel, --workers)"
_REACH = "check the drive, mount or connection"
_LOCAL_DISK = "its file system lacks the operation; use a folder on a local disk"
# Next step for error numbers of the system that the host is the reason of,
_OF_HOST = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space, or ask for a larger quota",
    errno.EMFILE: "allow more open files by `ulimit -n 65536`",
    errno.ENFILE: "allow more open files on this host, or close other programs",
    errno.ENOMEM: _FREE_MEMORY,
    errno.EAGAIN: _FREE_PROCESSES,
    errno.ENOLCK: _LOCAL_DISK,
    errno.ENOSYS: _LOCAL_DISK,
    errno.EOPNOTSUPP: _LOCAL_DISK,
    **dict.fromkeys((errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.EREMOTEIO), _REACH),
    **dict.fromkeys((errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH), _REACH),
    **dict.fromkeys((errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE), _REACH),
}
# and for those that a path is the reason of.
_OF_PATH = {
    errno.ENOENT: "check the path, and whether something removed it",
    errno.EROFS: "give a path that can be written, as with --out or --cache-dir",
    errno.ENOTDIR: "give another path: a part of this one is a file",
    errno.EISDIR: "give another path: this one is a folder",
    errno.ENAMETOOLONG: "give a shorter path",
    errno.ELOOP: "mend the link, which leads to itself",
    errno.EXDEV: "give a path on one file system",
    errno.EFBIG: "allow larger files by `ulimit -f`, or use another file system",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "allow it, or give another path"),
    **dict.fromkeys((errno.EEXIST, errno.ENOTEMPTY), "remove it, or give another path"),
    **dict.fromkeys((errno.EBUSY, errno.ETXTBSY), "close what uses it, or give another path"),
}
_IN_TEXTS = {os.strerror(number): number for number in (*_OF_HOST, errno.ENOENT, errno.EACCES, errno.EROFS)}
_OF_RUST = re.compile(r"\(os error (\d+)\)")


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a text says that a library raises with a type of no meaning."""

    pattern: str
    kind: FailureKind
    message: str

    def fits(self, text: str) -> bool:
        return re.search(self.pattern, text, re.IGNORECASE) is not None


_RULES = (
    _Rule(
        r"database (\w+ )?is locked",
        FailureKind.HOST,
        "Another program has locked the record of the study; close it (a database browser, a backup)",
    ),
    _Rule(r"database or disk is full", FailureKind.HOST, "The disk is full; free some space"),
    _Rule(r"disk I/O error", FailureKind.HOST, f"The record of the study cannot be read or written; {_REACH}"),
    _Rule(
        r"readonly database|unable to open database file",
        FailureKind.INPUT,
        "The record of the study cannot be written; allow writing to it and its folder, or copy the run folder",
    ),
    _Rule(
        r"disk image is malformed|file is not a database|could not decode to utf-8 column",
        FailureKind.DATA,
        "The record of the study is damaged; restore study.db from a copy, or begin a new run",
    ),
    _Rule(
        r"could not connect|connection to server|server closed the connection|server has gone away|lost connection",
        FailureKind.HOST,
        "The server of the storage cannot be reached; check that it runs and answers",
    ),
    _Rule(
        r"inline_container|PytorchStreamWriter",  # of torch.save
        FailureKind.HOST,
        "A file cannot be written whole; free some space if the disk is full",
    ),
    _Rule(
        r"no kernel image is available|driver version is insufficient|not compiled with CUDA",
        FailureKind.DEPENDENCY,
        "The installed torch does not support this GPU or its driver; install one that does, or use --device cpu",
    ),
    _Rule(
        r"uncorrectable ECC|fallen off the bus|no CUDA-capable device|busy or unavailable|CUDA driver error|NCCL error",
        FailureKind.DEVICE,
        "A GPU was lost; look at `nvidia-smi`, and leave it out by CUDA_VISIBLE_DEVICES",
    ),
    _Rule(
        _MEMORY_TEXTS,
        FailureKind.HOST,
        f"Out of memory; {_FREE_MEMORY}",
    ),
    _Rule(r"can't start new thread", FailureKind.HOST, f"The host allows no more threads; {_FREE_PROCESSES}"),
    _Rule(
        r"unable to parse raw data as a unicode string|surrogates not allowed",
        FailureKind.INPUT,
        "A name holds bytes that are no UTF-8 text; rename the file or folder",
    ),
    _Rule(
        r"Could not determine home directory",
        FailureKind.INPUT,
        "The home folder is unknown; write the path out, or set HOME",
    ),
    _Rule(
        r"AF_UNIX path too long",
        FailureKind.INPUT,
        "The folder of temporary files has too long a path for connections; give a shorter one, as by TMPDIR=/tmp",
    ),
    _Rule(
        r"undefined symbol|GLIBC|cannot open shared object",
        FailureKind.DEPENDENCY,
        "A library does not work with the others; make a new environment",
    ),
)


def _by_type(error: BaseException) -> Failure | None:
    """What the type of an exception says; None if nothing."""
    match error:
        case ExplainedError():
            failure = Failure(error.kind, str(error))
        case MemoryError():
            failure = Failure(FailureKind.HOST, f"Out of memory; {_FREE_MEMORY}.")
        case ImportError():
            hint = "install it, or make a new environment"
            failure = Failure(FailureKind.DEPENDENCY, f"A library is missing or does not work; {hint}: {error}")
        case Warning():
            hint = "unset PYTHONWARNINGS, or leave out -W error"
            text = f"{type(error).__name__}: {_one_line(error)}"
            failure = Failure(FailureKind.INPUT, f"Python was told to take warnings for errors; {hint} ({text}).")
        case UnicodeEncodeError():
            part, hint = error.object[error.start : error.end], "set PYTHONUTF8=1, or rename what it is part of"
            failure = Failure(FailureKind.INPUT, f"{part!r} cannot be written in {error.encoding}; {hint}.")
        case UnicodeDecodeError():
            hint = "save it as UTF-8"
            failure = Failure(FailureKind.DATA, f"A file is not text in {error.encoding}; {hint} ({_one_line(error)}).")
        case OSError(errno=int(number)):
            path = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else None
            return _by_number(number, f"{path}: {error.strerror}" if path else str(error.strerror))
        case _:
            return None
    return failure


def _by_text(error: BaseException) -> Failure | None:
    """What the text of an exception says; None if nothing."""
    text = _one_line(error)
    for rule in _RULES:
        if rule.fits(text):
            return Failure(rule.kind, f"{rule.message}: {text}")
    numbers = [int(number) for number in _OF_RUST.findall(text)]
    numbers += [number for words, number in _IN_TEXTS.items() if words in text]
    return _by_number(numbers[0], text) if numbers else None


def _by_number(number: int, text: str) -> Failure | None:
    """What an error number of the system says; None of one that says nothing of host or paths."""
    if number in _OF_HOST:
        return Failure(FailureKind.HOST, f"{text}; {_OF_HOST[number]}.")
    if number in _OF_PATH:
        return Failure(FailureKind.INPUT, f"{text}; {_OF_PATH[number]}.")
    return None


def _one_line(error: BaseException) -> str:
    """The text of an exception in one line, without passwords and without the SQL that a database was given."""
    return hide_password(" ".join(str(error).split()).partition(" [SQL:")[0][:LONGEST])
