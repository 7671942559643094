"""The host as ``edgenext-search doctor`` describes it; never raises for what is missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable

from edgenext_search.data import default_cache_dir
from edgenext_search.execution.numerics import ProbeRecord, probes
from edgenext_search.files import shipped_folder, shipped_names
from edgenext_search.machine import cpu_cores, cpu_name
from edgenext_search.results import Result
from edgenext_search.versions import PACKAGES, installed, versions


class HostFacts(Result):
    """Devices and folders of the host."""

    cpu: str
    """Name of the processor."""
    cores: int
    """Cores that this process may use."""
    torch_threads: int | None
    """CPU threads of torch; null if torch cannot be imported."""
    gpus: tuple[str, ...]
    """Names of the GPUs that torch can use."""
    trials_at_once: int
    """Trials that run at the same time by default."""
    cache_dir: str
    """Folder of the cache of prepared images."""
    cache_free_gb: float
    """Free space there, in gigabytes."""


class ShippedFiles(Result):
    """Search spaces and studies that are part of the package."""

    spaces: tuple[str, ...]
    """Names of the search spaces."""
    studies: tuple[str, ...]
    """Names of the studies."""


class DoctorReport(Result):
    """What a host has, and what is missing."""

    versions: dict[str, str]
    """Installed versions by package."""
    extras: dict[str, str | None]
    """Versions of packages that single commands need; null if missing."""
    host: HostFacts
    """Devices and folders."""
    shipped: ShippedFiles
    """Search spaces and studies."""
    numerics: tuple[ProbeRecord, ...]
    """Results of the numerics probe on this host, newest first."""
    problems: tuple[str, ...]
    """What does not work, each with the next step."""


def examine_host(extras: Iterable[str]) -> DoctorReport:
    """Examine this host."""
    present = versions()
    problems = [f"{package} is not installed; pip install {package}" for package in PACKAGES if package not in present]
    gpus: list[str] = []
    threads = None
    try:
        import torch

        gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        threads = torch.get_num_threads()
    except (ImportError, OSError, RuntimeError) as error:
        problems.append(f"torch cannot be used: {error}")
    cache = default_cache_dir()
    parent = next(path for path in (cache, *cache.parents) if path.exists())
    if not os.access(parent, os.W_OK):
        problems.append(f"the data cache {cache} cannot be written; set EDGENEXT_SEARCH_CACHE or give --cache-dir")
    missing = [shipped_folder(kind) for kind in ("space", "study") if not shipped_names(kind)]
    problems += [f"{folder} has no files; install the package again" for folder in missing]
    return DoctorReport(
        versions=present,
        extras={package: installed(package) for package in extras},
        host=HostFacts(
            cpu=cpu_name(),
            cores=cpu_cores(),
            torch_threads=threads,
            gpus=tuple(gpus),
            trials_at_once=len(gpus) or cpu_cores(),
            cache_dir=str(cache),
            cache_free_gb=round(shutil.disk_usage(parent).free / 1e9, 1),
        ),
        shipped=ShippedFiles(spaces=tuple(shipped_names("space")), studies=tuple(shipped_names("study"))),
        numerics=tuple(probes(cache)),
        problems=tuple(problems),
    )
