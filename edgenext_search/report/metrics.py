"""The costs of a network as a report shows them: one table of names, units and formats."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

CostName = Literal["params", "madds", "acts", "memory", "footprint", "latency"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A cost.

    Attributes:
        key: Its name in JSON, CSV and budgets.
        label: Its name in full.
        short: Its name as a column's heading.
        unit: Unit of a value on an axis.
        scale: A value in that unit is the cost over this.
        bytes: Whether it is counted in bytes.
    """

    key: CostName
    label: str
    short: str
    unit: str = "M"
    scale: float = 1e6
    bytes: bool = False

    @property
    def words(self) -> str:
        """Its name inside a sentence."""
        return self.label[0].lower() + self.label[1:]

    def number_and_unit(self, value: float) -> tuple[str, str]:
        """A value in four significant digits, and its unit: ``("1.290", "M")``, ``("8.91", " ms")``."""
        if self.key == "latency":
            time = value / self.scale
            return f"{time:.{2 if time < 10 else 1 if time < 100 else 0}f}", " ms"
        suffix = "B" if self.bytes else ""
        for unit, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
            if value >= unit:
                scaled = value / unit
                return f"{scaled:.{max(0, 3 - int(math.log10(scaled)))}f}", prefix + suffix
        return f"{value:g}", suffix

    def text(self, value: float) -> str:
        """A value with its unit: ``1.290M``, ``2.097MB``, ``8.91 ms``."""
        return "".join(self.number_and_unit(value))


METRICS: dict[CostName, Metric] = {
    metric.key: metric
    for metric in (
        Metric(key="params", label="Parameters", short="Params"),
        Metric(key="madds", label="Multiply-adds", short="MAdds"),
        Metric(key="acts", label="Activations", short="Acts"),
        Metric(key="memory", label="Peak memory", short="Memory", unit="MB", bytes=True),
        Metric(key="footprint", label="Weights and peak memory", short="Footprint", unit="MB", bytes=True),
        Metric(key="latency", label="Latency", short="Latency", unit="ms", scale=1e3),
    )
}
"""By key, in the order that reports show them."""

COST_NAMES: tuple[CostName, ...] = get_args(CostName)


def is_cost(name: str) -> bool:
    """Whether an objective is a cost."""
    return name in METRICS
