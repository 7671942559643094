"""The costs of a network: one table of their names, units and formats, for budgets, terminal, reports and files."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, get_args

from edgenext_search.errors import UserError

CostName = Literal["params", "madds", "acts", "memory", "footprint", "latency"]
COST_NAMES: tuple[CostName, ...] = get_args(CostName)
SMALLEST_BARE_NUMBER = 10_000  # a smaller number without a unit has lost its unit

_NUMBER = re.compile(r"(?P<digits>\d[\d_]*\.?\d*|\.\d+)\s*(?P<unit>[A-Za-zµ]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """What is measured: a count, a size in bytes or a time in microseconds.

    Attributes:
        suffixes: Units that people write behind a number, in lower case, each with its size.
        rule: How an amount is written, as the beginning of a message.
        usual: The unit that people mean most when they forget it.
        base: Unit of the integers that costs are, as a word.
        unit: Unit of a figure's axis.
        scale: Size of that unit.
        exact: Suffixes that exact texts are written with, smallest first.
    """

    suffixes: Mapping[str, int]
    rule: str
    usual: str
    base: str
    unit: str
    scale: float
    exact: tuple[str, ...]

    def parse(self, text: str, *, name: str) -> int:
        """Read an amount as people type it: ``1.3M``, ``2MB``, ``15 ms``. Fractions of the base unit are dropped.

        Args:
            text: The amount.
            name: What it is the amount of, for the message.

        Raises:
            UserError: The text is not an amount above 0, or a bare number so small that its unit was forgotten.
        """
        match = _NUMBER.fullmatch(text.strip())
        suffix = match["unit"].lower() if match else ""
        if match is None or suffix not in self.suffixes:
            hint = (
                " (for bytes write memory=2MB or footprint=8MiB)"
                if self is COUNT and suffix and suffix in SIZE.suffixes
                else ""
            )
            raise UserError(f"{self.rule}{hint}, but got {name}={text!r}.")
        value = Decimal(match["digits"].replace("_", "")) * self.suffixes[suffix]
        if value < 1:
            raise UserError(f"{self.rule}, but got {name}={text!r}.")
        if not suffix and value < SMALLEST_BARE_NUMBER:
            raise UserError(
                f"A number without a unit must be at least {SMALLEST_BARE_NUMBER:,}, but got {name}={text}; "
                f"did you mean {text}{self.usual}?"
            )
        return int(value)

    def format_exact(self, value: int) -> str:
        """The shortest text that :meth:`parse` reads back as ``value``: ``1.3M``, ``260576008``, ``786432B``."""
        texts: list[str] = []
        for suffix in self.exact:
            size = self.suffixes[suffix.lower()]
            if value >= (size if suffix else SMALLEST_BARE_NUMBER) or (suffix and not texts):
                whole, part = divmod(value, size)
                digits = f"{part:0{len(str(size)) - 1}d}".rstrip("0")
                texts.append(f"{whole}{'.' if digits else ''}{digits}{suffix}")
        return min(reversed(texts), key=len)


COUNT = Quantity(
    suffixes={"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9},
    rule="A count is a number above 0 with k, M, G or B behind it, such as 1.3M",
    usual="M",
    base="",
    unit="M",
    scale=1e6,
    exact=("", "k", "M", "G"),
)
SIZE = Quantity(
    suffixes={
        "": 1, "b": 1, "k": 10**3, "kb": 10**3, "m": 10**6, "mb": 10**6, "g": 10**9, "gb": 10**9,
        "kib": 2**10, "mib": 2**20, "gib": 2**30,
    },
    rule="A size is a number above 0 with B, kB, MB, GB, KiB, MiB or GiB behind it, such as 2MB",
    usual="MB",
    base="bytes",
    unit="MB",
    scale=1e6,
    exact=("B", "kB", "MB", "GB"),
)  # fmt: skip
TIME = Quantity(
    suffixes={"us": 1, "µs": 1, "ms": 10**3, "s": 10**6},
    rule="A latency is a number above 0 with us, ms or s behind it, such as 15ms",
    usual="ms",
    base="microseconds",
    unit="ms",
    scale=1e3,
    exact=("ms",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A cost.

    Attributes:
        key: Its name in JSON, CSV and budgets.
        label: Its name in full.
        short: Its name as the heading of a column.
        quantity: What it is measured in.
        aliases: Names that people write in a budget instead of the key.
    """

    key: CostName
    label: str
    short: str
    quantity: Quantity = COUNT
    aliases: tuple[str, ...] = ()

    @property
    def bytes(self) -> bool:
        """Whether the cost is counted in bytes."""
        return self.quantity is SIZE

    @property
    def unit(self) -> str:
        """Unit of a figure's axis."""
        return self.quantity.unit

    @property
    def scale(self) -> float:
        """Size of :attr:`unit`: a value on the axis is the cost over this."""
        return self.quantity.scale

    @property
    def words(self) -> str:
        """The name inside a sentence."""
        return self.label[0].lower() + self.label[1:]

    def parse(self, text: str, *, name: str | None = None) -> int:
        """Read an amount as people type it; see :meth:`Quantity.parse`."""
        return self.quantity.parse(text, name=name or self.key)

    def format_exact(self, value: int) -> str:
        """The shortest text that :meth:`parse` reads back as ``value``."""
        return self.quantity.format_exact(value)

    def number_and_unit(self, value: float) -> tuple[str, str]:
        """A value in four digits, or a time in three, and its unit: ``("1.290", "M")``, ``("8.91", " ms")``."""
        if self.quantity is TIME:
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
        Metric(key="params", label="Parameters", short="Params", aliases=("parameters",)),
        Metric(key="madds", label="Multiply-adds", short="MAdds", aliases=("macs", "mac", "flops")),
        Metric(key="acts", label="Activations", short="Acts", aliases=("activations",)),
        Metric(key="memory", label="Peak memory", short="Memory", quantity=SIZE, aliases=("ram", "sram", "mem")),
        Metric(key="footprint", label="Weights and peak memory", short="Footprint", quantity=SIZE),
        Metric(key="latency", label="Latency", short="Latency", quantity=TIME, aliases=("time",)),
    )
}
"""By key, in the order that everything shows them."""


def cost_name(text: str) -> CostName:
    """The cost of that name.

    Raises:
        UserError: There is none; the message lists all costs.
    """
    for metric in METRICS.values():
        if metric.key == text:
            return metric.key
    meant = next((metric.key for metric in METRICS.values() if text in metric.aliases), None)
    raise UserError(
        f"The costs are {', '.join(COST_NAMES)}, but got {text!r}{f'; did you mean {meant}?' if meant else '.'}"
    )
