"""The processor that this process runs on, and its main module."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType


def cpu_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_name() -> str:
    """Name of the processor, as the system gives it."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def device_name(devices: Sequence[str]) -> str:
    """The GPUs' names, or the processor's."""
    gpus = sorted({device for device in devices if device.startswith("cuda")})
    if not gpus:
        return cpu_name()
    import torch

    return ", ".join(sorted({torch.cuda.get_device_name(gpu) for gpu in gpus}))


@contextlib.contextmanager
def without_main_module() -> Iterator[None]:
    """Start processes that do not run the user's script again.

    multiprocessing imports the main module in each process that it does not fork, for functions that are defined there;
    those that this package starts are its own. So a script needs no ``if __name__ == "__main__"``.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
