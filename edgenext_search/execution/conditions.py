"""Conditions of a measurement: device, threads, versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from edgenext_search.machine import cpu_cores, device_name
from edgenext_search.results import Result
from edgenext_search.versions import versions

if TYPE_CHECKING:
    from edgenext_search.training.engine.numerics import Numerics
    from edgenext_search.training.proxy.job import Placement


class RunConditions(Result):
    """What the trainings of a run were done on and with."""

    device: str
    """Kinds of devices: ``cpu``, ``cuda``."""
    device_name: str = ""
    """Names of the GPUs, or of the processor."""
    parallel: int
    """Trainings at once."""
    devices_per_trial: int = 1
    """Devices that train a candidate together."""
    threads: int
    """CPU threads of each process."""
    numerics: str = ""
    """Precision, memory layout and compilation."""
    host_cores: int
    """Cores of the host."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Installed versions by package."""


def conditions(places: Sequence[Placement], numerics: Numerics) -> RunConditions:
    """The conditions of a run for its summary."""
    devices = [device for place in places for device in place.devices]
    return RunConditions(
        device=", ".join(sorted({device.partition(":")[0] for device in devices})),
        device_name=device_name(devices),
        parallel=len(places),
        devices_per_trial=len(places[0].devices),
        threads=places[0].threads,
        numerics=str(numerics),
        host_cores=cpu_cores(),
        versions=versions(),
    )
