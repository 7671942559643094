"""Comparison of two models on a device: whether one is faster, with a confidence interval of the ratio."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from edgenext_search.errors import UserError
from edgenext_search.latency.devices.device import Device, DeviceError
from edgenext_search.latency.measurement import Conditions, MeasureSettings, Microseconds, Ratio
from edgenext_search.latency.onboard.timing_statistics import t975
from edgenext_search.results import Result

Finding = Literal["faster", "slower", "no difference shown"]
ROUNDS = 8
FEWEST_SECONDS = 4.0


class Comparison(Result):
    """The latency of model A relative to model B."""

    finding: Finding
    """``faster`` or ``slower`` of A where the whole interval of the ratio lies on one side of 1."""
    ratio: Ratio
    """Time of A divided by that of B: geometric mean over the rounds of the ratio of medians."""
    low: Ratio
    """Lower end of the 95 % interval of the ratio."""
    high: Ratio
    """Upper end of the 95 % interval of the ratio."""
    rounds: int
    """Number of rounds, each in a process of its own; half of them start with B."""
    a_p50: Microseconds
    """Median over the rounds of A's median, in microseconds."""
    b_p50: Microseconds
    """Median over the rounds of B's median, in microseconds."""
    conditions: Conditions
    """Conditions of the last round."""


class ModelComparison(Comparison):
    """The result of ``latency compare``."""

    a: str
    """Model A, as it was given."""
    b: str
    """Model B, as it was given."""
    device: str
    """The device, as ``--device`` takes it."""


def compare(
    device: Device,
    a: Path,
    b: Path,
    *,
    seconds: float = 30.0,
    rounds: int = ROUNDS,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Measure two models against each other.

    In each round a new process runs both in turns. The place of the data in memory makes two copies of one model
    differ by about a percent for the lifetime of a process, so the interval is that of the rounds: Student's t on the
    logarithms of their ratios. A and B change places from round to round.

    Args:
        device: Device to measure on.
        a: ONNX file of model A.
        b: ONNX file of model B.
        seconds: Time of all rounds together, without the start of the processes.
        rounds: Number of rounds, even and at least 4.
        progress: Called after each round, with the number of finished rounds and their total.

    Raises:
        UserError: ``seconds`` or ``rounds`` is out of range.
        DeviceError: The device cannot measure them.
    """
    if rounds < 4 or rounds % 2:
        raise UserError(f"rounds must be an even number >= 4, but got {rounds}.")
    require_seconds(seconds)
    share = seconds / rounds
    # No round ends early: an end that depends on the data would make the interval too narrow.
    settings = MeasureSettings(seconds=share, warmup_seconds=min(0.2, share / 4), precision=1e-9)
    logs: list[float] = []
    a_times: list[float] = []
    b_times: list[float] = []
    conditions = Conditions()
    for number in range(rounds):
        swapped = number % 2 == 1
        (measurement,) = device.measure([b if swapped else a], reference=a if swapped else b, settings=settings)
        if measurement.ratio is None or measurement.reference_p50 is None:
            raise DeviceError(f"{device.name} gave no ratio to the reference; it must measure both.", transient=False)
        logs.append(-math.log(measurement.ratio) if swapped else math.log(measurement.ratio))
        (b_times if swapped else a_times).append(measurement.p50)
        (a_times if swapped else b_times).append(measurement.reference_p50)
        conditions = measurement.conditions
        if progress:
            progress(number + 1, rounds)
    centre, half = statistics.fmean(logs), t975(rounds - 1) * statistics.stdev(logs) / math.sqrt(rounds)
    low, high = math.exp(centre - half), math.exp(centre + half)
    return Comparison(
        finding="faster" if high < 1 else "slower" if low > 1 else "no difference shown",
        ratio=math.exp(centre),
        low=low,
        high=high,
        rounds=rounds,
        a_p50=statistics.median(a_times),
        b_p50=statistics.median(b_times),
        conditions=conditions,
    )


def require_seconds(seconds: float) -> None:
    """Refuse a time in which nothing can be compared, before any work.

    Raises:
        UserError: The time is out of range.
    """
    if not FEWEST_SECONDS <= seconds <= 86_400:
        raise UserError(f"A comparison takes from {FEWEST_SECONDS:.0f} to 86400 seconds, but got {seconds:g}.")
