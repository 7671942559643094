"""A measured model of a profile, and how much other load on the device has disturbed its measurement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from edgenext_search.errors import UserError
from edgenext_search.latency.measurement import Measurement, Microseconds, Ratio
from edgenext_search.latency.profile.measurement_plan import Target

SLOWDOWN = 0.1  # slowdown of the reference from which on a measurement is repeated
HALF_WIDTH = 0.03  # relative half width of the ratio's interval from which on a measurement is repeated
UNKNOWN_HALF_WIDTH = 0.1  # stands for an interval that is not known


class MeasuredModel(Target):
    """A model of the plan with its measurement beside the reference."""

    model_config = ConfigDict(allow_inf_nan=False)

    ratio: Ratio
    """Time of the model divided by that of the reference, measured in turns."""
    ratio_low: Ratio | None
    """Lower end of the 95 % interval of the ratio; null after few turns."""
    ratio_high: Ratio | None
    """Upper end of the 95 % interval of the ratio."""
    p50: Microseconds
    """Median of the model's runs in microseconds, at the speed of the device during the measurement."""
    reference_p50: Microseconds
    """Median of the reference's runs in microseconds, at the same speed."""
    n: Annotated[int, Field(ge=1)]
    """Number of runs of the model."""

    @model_validator(mode="after")
    def _require_order(self) -> Self:
        if self.ratio_low is not None and self.ratio_high is not None and self.ratio_low > self.ratio_high:
            raise ValueError(f"ratio_low <= ratio_high must hold, but got {self.ratio_low} and {self.ratio_high}")
        return self

    @classmethod
    def of(cls, target: Target, measurement: Measurement) -> MeasuredModel:
        """Combine a target with its measurement; times and ratios are rounded to six digits.

        Raises:
            UserError: The measurement has no ratio to a reference.
        """
        if measurement.ratio is None or measurement.reference_p50 is None:
            raise UserError(
                "A profile needs the ratio of each model to the reference, measured in turns, but the device gave "
                "none; see docs/latency.md for what your program has to print."
            )
        times = measurement.model_dump(include={"ratio", "ratio_low", "ratio_high", "p50", "reference_p50"})
        rounded = {name: None if value is None else float(f"{value:.6g}") for name, value in times.items()}
        return cls.model_validate({**dict(target), **rounded, "n": measurement.n})

    @property
    def half_width(self) -> float:
        """Half the width of the 95 % interval of the ratio, relative to the ratio."""
        if self.ratio_low is None or self.ratio_high is None:
            return UNKNOWN_HALF_WIDTH
        return (self.ratio_high - self.ratio_low) / 2 / self.ratio

    def disturbance(self, reference_us: float) -> float:
        """How much other load has disturbed the measurement; it is repeated above 1.

        A busy device does not slow all parts of a network alike, so the slowdown of the reference counts as well as the
        interval of the ratio.

        Args:
            reference_us: Time of the reference on the undisturbed device, in microseconds.
        """
        slowdown = max(self.reference_p50 / reference_us - 1, 0.0)
        return (slowdown / SLOWDOWN) ** 2 + (self.half_width / HALF_WIDTH) ** 2


def undisturbed_reference_us(measured: Sequence[MeasuredModel]) -> float:
    """Time of the reference on the undisturbed device in microseconds: the lower quartile of its medians."""
    return sorted(entry.reference_p50 for entry in measured)[len(measured) // 4]
