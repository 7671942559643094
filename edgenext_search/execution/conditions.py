"""Conditions of a measurement: device, threads, versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgenext_search.machine import cpu_cores, cpu_name
from edgenext_search.versions import versions

if TYPE_CHECKING:
    from edgenext_search.training.engine.numerics import Numerics
    from edgenext_search.training.proxy.job import Placement


def conditions(places: Sequence[Placement], numerics: Numerics) -> dict[str, Any]:
    """The conditions of a run for its summary.

    Args:
        places: Where jobs were trained at the same time.
        numerics: What they were trained with.
    """
    devices = [device for place in places for device in place.devices]
    return {
        "device": ", ".join(sorted({device.partition(":")[0] for device in devices})),
        "device_name": device_name(devices),
        "parallel": len(places),
        "devices_per_trial": len(places[0].devices),
        "threads": places[0].threads,
        "numerics": str(numerics),
        "host_cores": cpu_cores(),
        "versions": versions(),
    }


def device_name(devices: Sequence[str]) -> str:
    """The GPUs' names, or the processor's."""
    gpus = sorted({device for device in devices if device.startswith("cuda")})
    if not gpus:
        return cpu_name()
    import torch

    return ", ".join(sorted({torch.cuda.get_device_name(gpu) for gpu in gpus}))
