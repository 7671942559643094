import errno
import os
import sqlite3

import optuna
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from edgenext_search.errors import DataError, FailureKind, HostError, StudyFailedError, UserError
from edgenext_search.failures import classify
from edgenext_search.latency.devices.device import DeviceError
from edgenext_search.training.errors import TrainingDivergedError


def chained(outer, *causes):
    """An exception that was raised from another, which was raised from a third, and so on."""
    error = outer
    for cause in causes:
        error.__cause__ = cause
        error = cause
    return outer


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (UserError("x"), FailureKind.INPUT),
        (DataError("x"), FailureKind.DATA),
        (HostError("x"), FailureKind.HOST),
        (DeviceError("x", transient=True), FailureKind.DEVICE),
        (StudyFailedError("x"), FailureKind.STUDY),
        (TrainingDivergedError("x"), FailureKind.STUDY),
        (OSError(errno.ENOSPC, "full"), FailureKind.HOST),
        (OSError(errno.EDQUOT, "quota"), FailureKind.HOST),
        (OSError(errno.EIO, "i/o"), FailureKind.HOST),
        (OSError(errno.EMFILE, "files"), FailureKind.HOST),
        (BlockingIOError(errno.EAGAIN, "fork"), FailureKind.HOST),
        (PermissionError(errno.EACCES, "no", "file"), FailureKind.INPUT),
        (OSError(errno.EROFS, "no", "file"), FailureKind.INPUT),
        (FileNotFoundError(errno.ENOENT, "no", b"file"), FailureKind.INPUT),
        (OSError("AF_UNIX path too long"), FailureKind.INPUT),
        (RuntimeError("Could not determine home directory."), FailureKind.INPUT),
        (DeprecationWarning("of a library"), FailureKind.INPUT),
        (MemoryError(), FailureKind.HOST),
        (RuntimeError("can't start new thread"), FailureKind.HOST),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), FailureKind.HOST),
        (
            SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
            FailureKind.HOST,
        ),
        (RuntimeError("[enforce fail at inline_container.cc:862] . PytorchStreamWriter failed"), FailureKind.HOST),
        (RuntimeError("unable to mmap 8 bytes from file <x>: Cannot allocate memory (12)"), FailureKind.HOST),
        (RuntimeError("CUDA error: uncorrectable ECC error encountered"), FailureKind.DEVICE),
        (RuntimeError("CUDA error: no kernel image is available for execution"), FailureKind.DEPENDENCY),
        (ModuleNotFoundError("No module named 'onnx'"), FailureKind.DEPENDENCY),
        (OSError("libcudnn.so.9: cannot open shared object file"), FailureKind.DEPENDENCY),
        (UnicodeEncodeError("ascii", "\u00e9", 0, 1, "no"), FailureKind.INPUT),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), FailureKind.DATA),
        (sqlite3.OperationalError("database is locked"), FailureKind.HOST),
        (sqlite3.OperationalError("database table is locked"), FailureKind.HOST),
        (sqlite3.OperationalError("database or disk is full"), FailureKind.HOST),
        (sqlite3.OperationalError("disk I/O error"), FailureKind.HOST),
        (sqlite3.OperationalError("attempt to write a readonly database"), FailureKind.INPUT),
        (sqlite3.DatabaseError("database disk image is malformed"), FailureKind.DATA),
        (sqlite3.OperationalError("Could not decode to UTF-8 column 'x' with text '{'"), FailureKind.DATA),
        (
            chained(
                optuna.exceptions.StorageInternalError("An exception is raised during the commit."),
                RuntimeError("(sqlite3.OperationalError)"),
                sqlite3.OperationalError("database is locked"),
            ),
            FailureKind.HOST,
        ),
        (KeyError("x"), FailureKind.OURS),
        (RuntimeError("CUDA error: device-side assert triggered"), FailureKind.OURS),
        (RuntimeError("size mismatch for head.weight"), FailureKind.OURS),
        (chained(KeyError("x"), ValueError("y")), FailureKind.OURS),
    ],
)
def test_the_kind_of_an_exception(error, kind):
    failure = classify(error)
    assert failure.kind is kind
    assert "\n" not in failure.message


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UserError("--budget must be more."), "--budget must be more."),
        (OSError(errno.ENOSPC, "No space left on device", "a/b"), "a/b: No space left on device; free some space."),
        (OSError(errno.EMFILE, "Too many"), "Too many; allow more open files by `ulimit -n 65536`."),
        (ValueError("two\n lines"), "ValueError: two lines"),
    ],
)
def test_its_message(error, message):
    assert classify(error).message == message


def test_a_password_in_the_text_of_a_library_is_hidden():
    error = RuntimeError("could not connect to postgresql://me:secret@host/db")
    assert "secret" not in classify(error).message
    assert "secret" not in classify(KeyError("postgresql://me:secret@host/db")).message


def test_what_torch_raises_on_a_full_disk():
    with pytest.raises(RuntimeError) as caught:
        torch.save({"a": torch.zeros(9**6)}, "/dev/full")
    assert classify(caught.value).kind is FailureKind.HOST


def test_what_they_raise_without_permission(tmp_path):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        save_file({"a": torch.zeros(9)}, tmp_path / "missing" / "file")
    assert classify(caught.value).kind is FailureKind.INPUT


def test_most_error_numbers_of_the_system_are_explained():
    told = [
        number
        for number in errno.errorcode
        if classify(OSError(number, os.strerror(number), "file")).kind is not FailureKind.OURS
    ]
    assert len(told) > 30
