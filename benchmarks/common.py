"""What all benchmarks share: fair timing, the conditions of a figure, and the one JSON line that they end with."""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

# Benchmarks import torch after this module: figures are for one core unless a benchmark says otherwise.
THREADS = int(os.environ.setdefault("OMP_NUM_THREADS", "1"))


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with ``--quick`` and ``--seed``, which every benchmark has."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help="fewer repetitions; ends within a minute")
    made.add_argument("--seed", type=int, default=0, help="of all that is drawn (default: 0)")
    return made


def seeded(seed: int) -> random.Random:
    """A generator of its own for each benchmark."""
    return random.Random(seed)


def conditions(*packages: str, **more: object) -> dict[str, Any]:
    """Date, interpreter, processor, threads and package versions of a run, and what the benchmark adds."""
    return {
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "threads": THREADS,
        "load_average": round(os.getloadavg()[0], 1),  # of the last minute: how busy others kept the machine
        "versions": {package: _version(package) for package in ("edgenext-search", *packages)},
        **more,
    }


def cpu_model() -> str:
    """The processor's name, as far as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def interleaved_seconds(runs: dict[str, Callable[[], object]], *, repetitions: int) -> dict[str, list[float]]:
    """Wall seconds of each run, taken in turns so that a busy spell of the machine hits all of them alike.

    One unmeasured turn comes first: it pays for imports and caches.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for repetition in range(repetitions + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if repetition:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def median(values: list[float]) -> float:
    """The middle of the values."""
    return statistics.median(values)


def quantile(values: list[float], share: float) -> float:
    """The smallest value that at least ``share`` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def significant(value: float, digits: int = 4) -> float:
    """A measured value without digits that mean nothing."""
    return float(f"{value:.{digits}g}")


def emit(benchmark: str, figures: dict[str, Any], where: dict[str, Any]) -> None:
    """Print the figures for people, then the JSON object that programs read off the last line."""
    for name, value in figures.items():
        print(f"{name:>32}  {value}")
    print(json.dumps({"benchmark": benchmark, "figures": figures, "conditions": where}), flush=True)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
