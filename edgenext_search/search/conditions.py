"""What a number was measured with: versions, device, threads."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

PACKAGES = ("edgenext-search", "torch", "timm", "optuna", "numpy", "onnx", "onnxruntime")


def versions() -> dict[str, str]:
    """Installed versions by package; those that are missing are left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def cpu_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_name() -> str:
    """The processor's name, as the system gives it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - not a file of ours
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def conditions(slots: tuple[str, ...], threads: int) -> dict[str, Any]:
    """The conditions of a run for its summary.

    Args:
        slots: Device of each job that ran at once.
        threads: CPU threads of each job.
    """
    devices = sorted({slot.partition(":")[0] for slot in slots})
    return {
        "device": ", ".join(devices),
        "device_name": _gpu_names(slots) or cpu_name(),
        "parallel": len(slots),
        "threads": threads,
        "host_cores": cpu_cores(),
        "versions": versions(),
    }


def _gpu_names(slots: tuple[str, ...]) -> str:
    gpus = sorted({slot for slot in slots if slot.startswith("cuda")})
    if not gpus:
        return ""
    import torch

    return ", ".join(sorted({torch.cuda.get_device_name(gpu) for gpu in gpus}))
