"""Entry point of the code that times ONNX models in ONNX Runtime, on this host or on a board.

The modules of this folder need Python 3.8, numpy and onnxruntime, and nothing else of this package. They are sent
through standard input by :mod:`~edgenext_search.latency.devices.onboard_call`, followed by one line with the job, a
JSON object, and the content of the files that it lists::

    {"check": false, "models": [path, ...], "reference": path or null,
     "threads": 1, "provider": "CPUExecutionProvider", "spinning": false,
     "settings": {"precision", "seconds", "warmup_seconds", "min_runs", "precise"},
     "files": [[name, size], ...]}

Paths are names in ``files``, or files of this machine. With ``check`` nothing is measured.

The reply on standard output is one JSON object a line, each with an ``event``: ``info`` (runtime, version and cpu of
this machine), ``alive`` (every second), ``measured`` (with ``index`` and ``measurement``), and at the end ``done``, or
``error`` (with ``kind`` and ``message``). All times are in microseconds.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgenext_search.latency.onboard.interleaved_timing import time_in_turns
from edgenext_search.latency.onboard.timing_statistics import summarise

ALIVE_SECONDS = 1.0
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


class JobError(Exception):
    """The job cannot be carried out; ``kind`` is ``runtime``, ``provider``, ``model``, ``disk`` or ``job``."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


# ---- ONNX Runtime


def load(path: Path, job: dict[str, Any]) -> Callable[[], object]:
    """Load a model and return a function that runs it once, on an input that is bound beforehand."""
    import numpy as np
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = job["threads"]
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(job["spinning"])))
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(str(path), options, providers=[job["provider"]])
        fell_back = session.get_providers()[0] != job["provider"]  # onnxruntime does not report it
        binding = session.io_binding()
        rng = np.random.default_rng(0)
        for wanted in session.get_inputs():
            shape = [size if isinstance(size, int) else 1 for size in wanted.shape]
            kind = wanted.type[len("tensor(") : -1]
            if kind in ("float", "float16", "double"):
                dtype = {"float": np.float32, "float16": np.float16, "double": np.float64}[kind]
                value = rng.standard_normal(shape).astype(dtype)
            else:
                value = np.zeros(shape, dtype=kind)
            binding.bind_ortvalue_input(wanted.name, ort.OrtValue.ortvalue_from_numpy(value))
        for given in session.get_outputs():
            binding.bind_output(given.name)
        session.run_with_iobinding(binding)
        for given, value in zip(session.get_outputs(), binding.get_outputs()):
            binding.bind_ortvalue_output(given.name, value)
    except Exception as error:  # onnxruntime's errors share no other base
        raise JobError("model", " ".join(str(error).split())[:500]) from error
    if fell_back:
        raise JobError("provider", "onnxruntime cannot start " + job["provider"])
    return lambda: session.run_with_iobinding(binding)


def opset_of(path: Path) -> int | None:
    """The version of the standard operator set of a model, read from its file without the onnx package.

    ModelProto's field 8 holds OperatorSetIdProto messages of domain (field 1, empty for the standard) and version (2).
    """
    for number, value in _fields(path.read_bytes()):
        if number == 8 and isinstance(value, bytes):
            entry = dict(_fields(value))
            if entry.get(1, b"") in (b"", b"ai.onnx") and isinstance(entry.get(2), int):
                return int(entry[2])
    return None


def _fields(data: bytes) -> list[tuple[int, Any]]:
    """Fields of a protobuf message by number: integers, and delimited fields as bytes."""
    fields: list[tuple[int, Any]] = []
    position = 0

    def varint() -> int:
        nonlocal position
        value = shift = 0
        while True:
            byte = data[position]
            position += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    try:
        while position < len(data):
            key = varint()
            if key & 7 == 0:
                fields.append((key >> 3, varint()))
            elif key & 7 == 2:
                length = varint()
                fields.append((key >> 3, data[position : position + length]))
                position += length
            else:
                position += 8 if key & 7 == 1 else 4
    except IndexError:
        pass  # cut short, which onnxruntime reports
    return fields


# ---- the machine


def machine() -> dict[str, Any]:
    """This machine and its onnxruntime, which is kept from reporting to its makers."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import numpy as np
        import onnxruntime as ort
    except ImportError as error:
        raise JobError("runtime", str(error)) from error
    ort.disable_telemetry_events()
    return {
        "runtime": "onnxruntime",
        "version": ort.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "providers": ort.get_available_providers(),
        "machine": platform.machine(),
        "system": platform.platform(terse=True),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
    }


def _cpu() -> str:
    """Name of the processor, or of the board."""
    for path, key in (("/proc/cpuinfo", "model name"), ("/proc/cpuinfo", "Model"), ("/proc/cpuinfo", "Hardware")):
        for line in _read(path).splitlines():
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    return _read("/proc/device-tree/model").strip("\0\n ") or platform.processor() or platform.machine()


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def state() -> dict[str, object]:
    """Load, governor and temperature; None where they cannot be read."""
    zones = ["/sys/class/thermal/thermal_zone%d/temp" % zone for zone in range(16)]
    degrees = [int(text) / 1000 for text in map(_read, zones) if text.strip().lstrip("-").isdigit()]
    governor = _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip()
    return {
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "governor": governor or None,
        "temperature": max(degrees) if degrees else None,
    }


# ---- the job


def emit(event: str, **values: object) -> None:
    """Print one line of the reply."""
    values["event"] = event
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def heartbeat() -> Callable[[], None]:
    """A function that is called often and prints every second that this process is alive.

    Once the reader is gone, printing fails, and the process ends.
    """
    last = time.monotonic()

    def alive() -> None:
        nonlocal last
        if time.monotonic() - last >= ALIVE_SECONDS:
            last = time.monotonic()
            emit("alive")

    return alive


def do(job: dict[str, Any], folder: Path, alive: Callable[[], None]) -> None:
    """Carry out a job whose files are in ``folder``."""
    facts = machine()
    if job["provider"] not in facts["providers"]:
        raise JobError("provider", "onnxruntime here has " + ", ".join(facts["providers"]))
    emit("info", **facts)
    if job["check"]:
        return
    reference = load(folder / job["reference"], job) if job["reference"] else None
    for index, name in enumerate(job["models"]):
        path = folder / name  # an absolute path stays as it is
        before = state()
        run = load(path, job)
        gc.collect()
        gc.disable()
        blocks, reference_blocks = time_in_turns(run, reference, alive=alive, **job["settings"])
        gc.enable()
        del run
        conditions = {key: facts[key] for key in ("runtime", "version", "cpu", "cores", "machine", "system")}
        conditions.update(
            {key: job[key] for key in ("threads", "provider", "spinning")}, opset=opset_of(path), before=before
        )
        conditions.update(state())
        emit("measured", index=index, measurement=dict(summarise(blocks, reference_blocks), conditions=conditions))


def main() -> int:
    """Read a job from standard input, carry it out, and reply on standard output."""
    for number in (getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)):
        signal.signal(number, lambda *_: sys.exit(1))  # raises, so that the folder below is removed
    folder = None
    alive = heartbeat()
    try:
        job = json.loads(sys.stdin.buffer.readline())
        folder = private_folder()
        for name, size in job.get("files", []):
            receive(folder / Path(name).name, size, alive)
        do(job, folder, alive)
        emit("done")
    except JobError as error:
        emit("error", kind=error.kind, message=str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader is gone
        return 1
    except OSError as error:
        kind = "disk" if error.errno in DISK_FULL else "job"
        emit("error", kind=kind, message=str(error))
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def private_folder() -> Path:
    """Create a temporary folder that only its owner can read, and use it for the temporary files of libraries too."""
    try:
        folder = tempfile.mkdtemp(prefix="edgenext-search-")
    except OSError as error:  # also if there is no place for temporary files
        raise JobError("disk", str(error)) from error
    os.environ["TMPDIR"] = folder
    return Path(folder)


def receive(path: Path, size: int, alive: Callable[[], None]) -> None:
    """Copy ``size`` bytes from standard input to a new file."""
    with path.open("wb") as file:
        while size:
            chunk = sys.stdin.buffer.read(min(size, 1 << 20))
            if not chunk:
                raise JobError("job", "the connection ended in the middle of a file")
            file.write(chunk)
            size -= len(chunk)
            alive()
