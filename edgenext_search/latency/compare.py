"""Is A faster than B? In turns, in several processes, with an interval."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgenext_search.errors import UserError
from edgenext_search.latency.devices.device import Device
from edgenext_search.latency.measurement import Measurement, MeasureSettings
from edgenext_search.latency.onboard.timing_statistics import t975

Finding = Literal["faster", "slower", "no difference shown"]
ROUNDS = 8
FEWEST_SECONDS = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How long A takes beside B.

    Attributes:
        ratio: A's time over B's: geometric mean of the rounds' ratios of medians.
        low: Lower end of its 95 % interval.
        high: Upper end.
        rounds: Each in a process of its own; half of them start with B.
        a_p50: Median over the rounds of A's median, in microseconds.
        b_p50: The same of B.
        conditions: Those of the last round.
    """

    ratio: float
    low: float
    high: float
    rounds: int
    a_p50: float
    b_p50: float
    conditions: dict[str, Any]

    @property
    def finding(self) -> Finding:
        """What is known of A: ``faster`` or ``slower`` where the interval lies on one side of 1."""
        if self.high < 1:
            return "faster"
        return "slower" if self.low > 1 else "no difference shown"

    def to_dict(self) -> dict[str, Any]:
        """All values by name, and the finding."""
        return {
            "finding": self.finding,
            "ratio": self.ratio,
            "low": self.low,
            "high": self.high,
            "rounds": self.rounds,
            "a_p50": self.a_p50,
            "b_p50": self.b_p50,
            "conditions": self.conditions,
        }


def compare(
    device: Device,
    a: Path,
    b: Path,
    *,
    seconds: float = 30.0,
    rounds: int = ROUNDS,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Time two models against each other.

    In each round a process of its own runs them in turns. Where a process puts its data in memory makes two copies of
    one model differ by a percent or so for as long as it lives, so the interval is that of the rounds (Student's t on
    the logarithms of their ratios), and A and B change places from round to round.

    Args:
        device: Where.
        a: An ONNX file.
        b: Another.
        seconds: For all rounds together, without the starting of the processes.
        rounds: At least 4, an even number.
        progress: Called with the rounds done and their number.

    Raises:
        UserError: ``seconds`` or ``rounds`` is out of range.
        DeviceError: The device cannot measure them.
    """
    if rounds < 4 or rounds % 2:
        raise UserError(f"rounds must be an even number >= 4, but got {rounds}.")
    require_seconds(seconds)
    share = seconds / rounds
    # Rounds are not ended early: an end that depends on what was seen would make the interval too narrow.
    settings = MeasureSettings(seconds=share, warmup_seconds=min(0.2, share / 4), precision=1e-9)
    logs: list[float] = []
    a_times: list[float] = []
    b_times: list[float] = []
    conditions: dict[str, Any] = {}
    for number in range(rounds):
        swapped = number % 2 == 1
        (measurement,) = device.measure([b if swapped else a], reference=a if swapped else b, settings=settings)
        ratio = _ratio(measurement)
        logs.append(-math.log(ratio) if swapped else math.log(ratio))
        times = (measurement.p50, measurement.reference_p50 or measurement.p50 / ratio)
        for into, time in zip((a_times, b_times), reversed(times) if swapped else times, strict=True):
            into.append(time)
        conditions = measurement.conditions
        if progress:
            progress(number + 1, rounds)
    centre, half = statistics.fmean(logs), t975(rounds - 1) * statistics.stdev(logs) / math.sqrt(rounds)
    return Comparison(
        ratio=math.exp(centre),
        low=math.exp(centre - half),
        high=math.exp(centre + half),
        rounds=rounds,
        a_p50=statistics.median(a_times),
        b_p50=statistics.median(b_times),
        conditions=conditions,
    )


def require_seconds(seconds: float) -> None:
    """Refuse a time in which nothing can be compared, before any work.

    Raises:
        UserError: It is out of range.
    """
    if not FEWEST_SECONDS <= seconds <= 86_400:
        raise UserError(f"A comparison takes from {FEWEST_SECONDS:.0f} to 86400 seconds, but got {seconds:g}.")


def _ratio(measurement: Measurement) -> float:
    assert measurement.ratio is not None  # noqa: S101 - there was a reference
    return measurement.ratio
