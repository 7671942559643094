"""What a measurement of latency says, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from statistics import NormalDist
from typing import Any, Literal, get_args

from edgenext_search.errors import UserError

Precise = Literal["median", "ratio"]
Verdict = Literal["pass", "fail", "undecided"]
WARMUP_SECONDS = 0.3
FEWEST_RUNS = 6  # of n runs the shortest and the longest have the median between them with 1 - 2^(1-n): 0.97


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSettings:
    """How long to measure.

    Attributes:
        precision: A measurement ends when half the width of the 95 % interval is at most this share of the value.
        seconds: The longest time for one model, in seconds, with its warm-up and the reference's runs.
        warmup_seconds: Runs before the first that counts, of the model and of the reference each.
        min_runs: Runs of the model before precision may end a measurement.
        precise: Whose interval is to be narrow: of the ``median``, or of the ``ratio`` to the reference, which a
            busy machine troubles less.

    Raises:
        UserError: A value is out of range.
    """

    precision: float = 0.01
    seconds: float = 10.0
    warmup_seconds: float = WARMUP_SECONDS
    min_runs: int = 20
    precise: Precise = "median"

    def __post_init__(self) -> None:
        if not 0 < self.precision < 1:
            raise UserError(f"precision must be above 0 and below 1 (0.01 is 1 %), but got {self.precision}.")
        if not 0 < self.seconds <= 86_400:
            raise UserError(f"seconds must be above 0 and at most 86400, but got {self.seconds}.")
        if not 0 <= self.warmup_seconds <= self.seconds:
            raise UserError(f"warmup_seconds must lie in [0, seconds = {self.seconds}], but got {self.warmup_seconds}.")
        if self.min_runs < 1:
            raise UserError(f"min_runs must be >= 1, but got {self.min_runs}.")
        if self.precise not in get_args(Precise):
            raise UserError(f"precise must be median or ratio, but got {self.precise!r}.")

    def to_dict(self) -> dict[str, Any]:
        """All settings by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


DEFAULT_SETTINGS = MeasureSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Latency of one model on one device: a batch of one image, one at a time.

    Attributes:
        p50: Median of the runs, in microseconds; so are ``p90``, ``min``, ``low`` and ``high``.
        p90: The time that nine of ten runs keep.
        min: The shortest run.
        low: Lower end of the 95 % interval of the median.
        high: Its upper end.
        n: Runs that count.
        drift: How much longer the reference (without one: the model) took at the end than at the beginning, as a
            share; 0.1 says that the machine became 10 % slower meanwhile.
        ratio: Median of the model's time over the reference's, taken in turns; None without a reference.
        ratio_low: Lower end of the 95 % interval of the ratio; None where there were too few turns to tell.
        ratio_high: Its upper end.
        reference_p50: Median of the reference's runs, in microseconds.
        conditions: What the device, its runtime and its state were: ``device``, ``threads``, ``runtime``,
            ``version``, ``opset``, ``cpu``, and where readable ``load``, ``governor``, ``temperature``.

    Raises:
        ValueError: The values are not those of a measurement: not finite, not positive, or not in order.
    """

    p50: float
    p90: float
    min: float
    low: float
    high: float
    n: int
    drift: float = 0.0
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    reference_p50: float | None = None
    conditions: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("p50", "p90", "min", "low", "high", "ratio", "ratio_low", "ratio_high", "reference_p50"):
            value = getattr(self, name)
            may_lack = name.startswith(("ratio", "reference"))
            if not (may_lack and value is None) and not (_is_number(value) and value > 0):
                raise ValueError(f"{name} must be a positive number, but got {value!r}")
        if not isinstance(self.n, int) or isinstance(self.n, bool) or self.n < 1:
            raise ValueError(f"n must be a whole number >= 1, but got {self.n!r}")
        if not _is_number(self.drift):
            raise ValueError(f"drift must be a number, but got {self.drift!r}")
        if not isinstance(self.conditions, dict):
            raise ValueError(f"conditions must be a mapping, but got {self.conditions!r}")  # noqa: TRY004 - one family
        self._require_order()

    def _require_order(self) -> None:
        if not self.min <= self.low <= self.p50 <= self.high or self.p50 > self.p90:
            raise ValueError(
                f"min <= low <= p50 <= high and p50 <= p90 must hold, but got min={self.min}, low={self.low}, "
                f"p50={self.p50}, high={self.high}, p90={self.p90}"
            )
        if (self.ratio_low is None) != (self.ratio_high is None):
            raise ValueError(f"ratio_low and ratio_high go together, but got {self.ratio_low} and {self.ratio_high}")
        interval = (self.ratio_low, self.ratio, self.ratio_high)
        known = [value for value in interval if value is not None]
        if known != sorted(known) or (self.ratio is None and known):
            raise ValueError(f"ratio_low <= ratio <= ratio_high must hold, but got {interval}")

    def at_speed(self, reference_us: float) -> Measurement:
        """What it says of the device at another speed: the speed at which the reference takes ``reference_us``.

        A machine that other work slows down slows the reference alike, so the ratio holds. ``conditions`` keep the
        time as it was seen (``seen_p50``) and how many times slower the device was (``slower``).

        Returns:
            The same measurement where there is no ratio with an interval.
        """
        if self.ratio is None or self.ratio_low is None or self.ratio_high is None or self.reference_p50 is None:
            return self
        slower = self.reference_p50 / reference_us
        p50, low, high = (ratio * reference_us for ratio in (self.ratio, self.ratio_low, self.ratio_high))
        return replace(
            self,
            p50=p50,
            p90=max(self.p90 / slower, p50),
            min=min(self.min / slower, low),
            low=low,
            high=high,
            conditions={**self.conditions, "seen_p50": self.p50, "slower": slower},
        )

    def verdict(self, cap_us: float, confidence: float = 0.95) -> Verdict:
        """Whether the median keeps a cap: ``pass``, ``fail``, or ``undecided`` where the interval has the cap inside.

        Args:
            cap_us: The longest median that is allowed, in microseconds.
            confidence: Of the interval that must lie on one side; the 95 % interval is stretched for others as that
                of a normal distribution would be.
        """
        if self.n < FEWEST_RUNS:
            return "undecided"
        stretch = NormalDist().inv_cdf((1 + confidence) / 2) / NormalDist().inv_cdf(0.975)
        if self.p50 + stretch * (self.high - self.p50) <= cap_us:
            return "pass"
        return "fail" if self.p50 - stretch * (self.p50 - self.low) > cap_us else "undecided"

    def to_dict(self) -> dict[str, Any]:
        """All values by name; :meth:`from_dict` reads them back."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Measurement:
        """What :meth:`to_dict` gave; names that are not known are left out.

        Raises:
            ValueError: A value is missing, or not that of a measurement.
        """
        names = {item.name for item in fields(cls)}
        missing = {"p50", "p90", "min", "low", "high", "n"} - set(values)
        if missing:
            raise ValueError(f"{', '.join(sorted(missing))} must be given")
        return cls(**{name: value for name, value in values.items() if name in names})


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
