"""ONNX Runtime on the CPU of this machine."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import Any

SILENT = 4  # severity of fatal errors; what else it has to say is in its exceptions
NO_TELEMETRY = "ORT_DISABLE_TELEMETRY"


def open_onnx(path: Path, *, threads: int | None = None) -> Any:  # noqa: ANN401 - onnxruntime.InferenceSession, untyped
    """Load an ONNX file, without lines of ONNX Runtime's own and without reports to its makers.

    Args:
        path: The file.
        threads: Threads of one operator; None for the CPU cores.

    Returns:
        An ``onnxruntime.InferenceSession``.

    Raises:
        Exception: ONNX Runtime cannot load it; its exceptions share no other base class.
    """
    os.environ.setdefault(NO_TELEMETRY, "1")  # read when it is imported
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = SILENT
    if threads is not None:
        options.intra_op_num_threads = threads
    with contextlib.redirect_stdout(io.StringIO()):  # it prints that it tries again, on the CPU too
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    session.disable_fallback()
    return session
