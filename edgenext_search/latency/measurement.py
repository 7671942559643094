"""A latency measurement: how it is made, its figures with their uncertainty, and its conditions."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from edgenext_search.errors import UserError
from edgenext_search.results import Result

PrecisionTarget = Literal["median", "ratio"]
Verdict = Literal["pass", "fail", "undecided"]
WARMUP_SECONDS = 0.3
FEWEST_RUNS = 6  # the median lies between the shortest and the longest of n runs with 1 - 2^(1-n): 0.97 for six


def printable(text: str) -> str:
    """The text of a device with each character that a terminal would interpret or cannot show replaced by ``?``."""
    return "".join(char if char.isprintable() else "?" for char in text)


DeviceText = Annotated[str, AfterValidator(printable)]
Microseconds = Annotated[float, Field(gt=0, strict=True)]
Ratio = Annotated[float, Field(gt=0, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSettings:
    """Length and precision of a measurement.

    Attributes:
        precision: The measurement ends when half the width of the 95 % interval is at most this share of the value.
        seconds: Upper limit of the time for one model in seconds, including warm-up and the runs of the reference.
        warmup_seconds: Time of uncounted runs at the beginning, for the model and the reference each.
        min_runs: Number of runs of the model before which the measurement does not end on precision.
        precise: The value whose interval ``precision`` refers to: the ``median``, or the ``ratio`` to the reference,
            which other load on the machine affects less.

    Raises:
        UserError: A value is out of range.
    """

    precision: float = 0.01
    seconds: float = 10.0
    warmup_seconds: float = WARMUP_SECONDS
    min_runs: int = 20
    precise: PrecisionTarget = "median"

    def __post_init__(self) -> None:
        if not 0 < self.precision < 1:
            raise UserError(f"precision must be above 0 and below 1 (0.01 is 1 %), but got {self.precision}.")
        if not 0 < self.seconds <= 86_400:
            raise UserError(f"seconds must be above 0 and at most 86400, but got {self.seconds}.")
        if not 0 <= self.warmup_seconds <= self.seconds:
            raise UserError(f"warmup_seconds must lie in [0, seconds = {self.seconds}], but got {self.warmup_seconds}.")
        if self.min_runs < 1:
            raise UserError(f"min_runs must be >= 1, but got {self.min_runs}.")
        if self.precise not in get_args(PrecisionTarget):
            raise UserError(f"precise must be median or ratio, but got {self.precise!r}.")


DEFAULT_SETTINGS = MeasureSettings()


class MachineState(Result):
    """The state of a machine at one moment; null where the machine does not report it."""

    model_config = ConfigDict(allow_inf_nan=False)

    load: float | None = None
    """Load average of the last minute."""
    governor: DeviceText | None = None
    """Frequency governor of the processor."""
    temperature: float | None = None
    """Highest temperature of a sensor, in degrees Celsius."""


class Conditions(MachineState):
    """The conditions of a measurement, with the machine's state at its end. Keys that are not known are left out."""

    device: DeviceText | None = None
    """The device, as ``--device`` takes it."""
    runtime: DeviceText | None = None
    """The software that ran the model, such as ``onnxruntime``."""
    version: DeviceText | None = None
    """Version of the runtime."""
    machine: DeviceText | None = None
    """Architecture or name of the machine."""
    system: DeviceText | None = None
    """Operating system."""
    cpu: DeviceText | None = None
    """Processor, or board."""
    cores: int | None = None
    """Number of processor cores."""
    threads: int | None = None
    """Number of threads that the model ran on."""
    provider: DeviceText | None = None
    """Execution provider of ONNX Runtime."""
    spinning: bool | None = None
    """Whether waiting threads kept their cores busy."""
    opset: int | None = None
    """Version of the ONNX operator set of the model."""
    before: MachineState | None = None
    """The state of the machine before the measurement."""
    seen_p50: Microseconds | None = None
    """The median as it was measured, where the figures have been converted to another speed of the device."""
    slower: Ratio | None = None
    """How many times slower the device was than at that other speed."""

    @model_serializer(mode="wrap")
    def _known_keys(self, dump: SerializerFunctionWrapHandler) -> dict[str, object]:
        return {name: value for name, value in dump(self).items() if name in self.model_fields_set}


class Measurement(Result):
    """Latency of one model on one device, for single images one after the other. Times are in microseconds."""

    model_config = ConfigDict(allow_inf_nan=False)

    p50: Microseconds
    """Median of the runs."""
    p90: Microseconds
    """90 % quantile of the runs."""
    min: Microseconds
    """Shortest run."""
    low: Microseconds
    """Lower end of the 95 % interval of the median."""
    high: Microseconds
    """Upper end of the 95 % interval of the median."""
    n: Annotated[int, Field(ge=1, strict=True)]
    """Number of runs."""
    drift: Annotated[float, Field(strict=True)] = 0.0
    """Relative change of the reference's time (without reference: the model's) from the first third to the last."""
    ratio: Ratio | None = None
    """Median of the model's time divided by the reference's, measured in turns; null without a reference."""
    ratio_low: Ratio | None = None
    """Lower end of the 95 % interval of the ratio; null after fewer than six turns."""
    ratio_high: Ratio | None = None
    """Upper end of the 95 % interval of the ratio."""
    reference_p50: Microseconds | None = None
    """Median of the runs of the reference."""
    conditions: Conditions = Conditions()
    """Device, runtime and state of the machine."""

    @model_validator(mode="after")
    def _require_order(self) -> Self:
        if not self.min <= self.low <= self.p50 <= self.high or self.p50 > self.p90:
            raise ValueError(
                f"min <= low <= p50 <= high and p50 <= p90 must hold, but got min={self.min}, low={self.low}, "
                f"p50={self.p50}, high={self.high}, p90={self.p90}"
            )
        if (self.ratio_low is None) != (self.ratio_high is None):
            raise ValueError(f"ratio_low and ratio_high go together, but got {self.ratio_low} and {self.ratio_high}")
        interval = (self.ratio_low, self.ratio, self.ratio_high)
        given = [value for value in interval if value is not None]
        if given != sorted(given) or (self.ratio is None and given):
            raise ValueError(f"ratio_low <= ratio <= ratio_high must hold, but got {interval}")
        return self

    def at_speed(self, reference_us: float) -> Measurement:
        """Convert the measurement to the speed of the device at which the reference takes ``reference_us``.

        Other load slows model and reference alike, so the ratio is kept. The conditions record the measured time
        (``seen_p50``) and how many times slower the device was (``slower``).

        Returns:
            The converted measurement; an unchanged one where there is no ratio with an interval.
        """
        if self.ratio is None or self.ratio_low is None or self.ratio_high is None or self.reference_p50 is None:
            return self
        slower = self.reference_p50 / reference_us
        p50, low, high = (ratio * reference_us for ratio in (self.ratio, self.ratio_low, self.ratio_high))
        return self.model_copy(
            update={
                "p50": p50,
                "p90": max(self.p90 / slower, p50),
                "min": min(self.min / slower, low),
                "low": low,
                "high": high,
                "conditions": self.conditions.model_copy(update={"seen_p50": self.p50, "slower": slower}),
            }
        )

    def verdict_at(self, cap_us: float, confidence: float = 0.95) -> Verdict:
        """Decide whether the median is below a cap: ``undecided`` where the cap lies inside the interval.

        Args:
            cap_us: Longest allowed median, in microseconds.
            confidence: Confidence level of the interval. The 95 % interval is scaled to other levels as that of a
                normal distribution.
        """
        if self.n < FEWEST_RUNS:
            return "undecided"
        stretch = NormalDist().inv_cdf((1 + confidence) / 2) / NormalDist().inv_cdf(0.975)
        if self.p50 + stretch * (self.high - self.p50) <= cap_us:
            return "pass"
        return "fail" if self.p50 - stretch * (self.p50 - self.low) > cap_us else "undecided"


class ModelMeasurement(Measurement):
    """The result of ``latency measure``."""

    model: str
    """The model, as it was given."""
    device: str
    """The device, as ``--device`` takes it."""
    reference: str | None
    """The reference that ran in turns with the model; null without one."""
    cap: Microseconds | None
    """The longest allowed median (``--max``); null without one."""
    verdict: Verdict | None
    """``pass`` or ``fail`` where the whole interval lies on one side of the cap, else ``undecided``; null without a
    cap."""
