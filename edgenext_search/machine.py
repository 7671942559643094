"""The processor that this process runs on."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path


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
