"""Hard caps on what a candidate may cost, and how people write them: ``1.3M``, ``params=1.3M,madds=260M``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from edgenext_search.arch.cost import Cost
from edgenext_search.errors import UserError

COSTS = ("params", "madds", "acts", "memory", "footprint", "latency")  # what can be capped
SIZES = ("memory", "footprint")  # those of them that are bytes
TIMES = ("latency",)  # and those that are microseconds
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9}
SIZE_UNITS = {
    "": 1, "b": 1, "k": 10**3, "kb": 10**3, "m": 10**6, "mb": 10**6, "g": 10**9, "gb": 10**9,
    "kib": 2**10, "mib": 2**20, "gib": 2**30,
}  # fmt: skip
TIME_UNITS = {"us": 1, "µs": 1, "ms": 10**3, "s": 10**6}
SMALLEST_BARE_NUMBER = 10_000
HOST = "host"  # the device that a cap on latency is for when none is named

_NUMBER = re.compile(r"(?P<digits>\d[\d_]*\.?\d*|\.\d+)\s*(?P<unit>[A-Za-zµ]*)")
_MISNAMED = {
    "macs": "madds", "mac": "madds", "flops": "madds", "parameters": "params", "activations": "acts",
    "ram": "memory", "sram": "memory", "mem": "memory", "time": "latency",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Caps that every candidate has to hold, each as ``cost <= cap``. None: not capped.

    Attributes:
        params: Most parameters.
        madds: Most multiply-adds of one image.
        acts: Most output elements of convolutions and linear layers for one image.
        memory: Most bytes of activations at their peak, for one image in float32.
        footprint: Most bytes of weights and activations together.
        latency: Most microseconds that one image takes on a device.
        device: The device that the latency is of, as ``--device`` names it; None where latency is not capped.

    Raises:
        UserError: Nothing is capped, or a cap is not positive.
    """

    params: int | None = None
    madds: int | None = None
    acts: int | None = None
    memory: int | None = None
    footprint: int | None = None
    latency: int | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        if not self.to_dict():
            raise UserError(f"A budget must cap at least one of {', '.join(COSTS)}; write --budget 1.3M.")
        for key, cap in self.to_dict().items():
            if cap < 1:
                raise UserError(f"A cap must be > 0, but got {key}={cap}.")
        if self.latency is not None and self.device is None:
            object.__setattr__(self, "device", HOST)

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read a budget as people type it.

        Args:
            text: ``1.3M`` caps the parameters; ``params=1.3M,madds=260M`` caps several costs. Units are k, M, and
                G or B, in either case; ``memory=2MB`` and ``footprint=8MiB`` are sizes in bytes;
                ``latency=15ms@host`` is a time on a device.

        Raises:
            UserError: The text is not a budget; the message says which part and how to write it.
        """
        if "=" not in text:
            return cls(params=parse_count(text))
        caps: dict[str, str] = {}
        for part in text.split(","):
            key, equals, value = (piece.strip() for piece in part.partition("="))
            key = key.lower()
            if not equals:
                raise UserError(
                    f"Each part of a budget with several caps must be key=value, as in params=1.3M,madds=260M, "
                    f"but got {part.strip()!r} in {text!r}."
                )
            if key in caps:
                raise UserError(f"A budget must cap {key!r} once, but got {text!r}.")
            caps[key] = value
        return cls.from_dict(caps)

    @classmethod
    def from_dict(cls, caps: Mapping[str, int | str]) -> Budget:
        """A budget from caps by key, each a whole number (microseconds for latency) or text as in :meth:`parse`."""
        for key in caps:
            if key not in COSTS:
                meant = _MISNAMED.get(key)
                hint = f"; did you mean {meant}?" if meant else "."
                raise UserError(f"A budget caps {', '.join(COSTS)}, but got {key!r}{hint}")
        caps, device = dict(caps), None
        if isinstance(latency := caps.get("latency"), str):
            caps["latency"], at, device = latency.partition("@")
            if at and not device.strip():
                raise UserError(f"A device must follow the @, such as latency=15ms@host, but got latency={latency!r}.")
        return cls(
            **{key: value if key in TIMES and isinstance(value, int) else _READ[key](str(value), name=key)
               for key, value in caps.items()},
            device=device.strip() if device else None,
        )  # fmt: skip

    def to_dict(self) -> dict[str, int]:
        """The caps by key, without those that are not set."""
        caps = ((key, getattr(self, key)) for key in COSTS)
        return {key: cap for key, cap in caps if cap is not None}

    def usage(self, cost: Cost) -> float:
        """The share of its cap that the tightest cost takes: the budget holds when it is at most 1."""
        costs = cost.to_dict()
        return max(costs[key] / cap for key, cap in self.to_dict().items())

    def holds(self, cost: Cost) -> bool:
        """Whether no cap is exceeded."""
        return self.usage(cost) <= 1

    def __str__(self) -> str:
        texts = {key: format_cap(key, cap) for key, cap in self.to_dict().items()}
        if self.device not in (None, HOST):
            texts["latency"] += f"@{self.device}"
        return ",".join(f"{key}={text}" for key, text in texts.items())


def parse_count(text: str, *, name: str = "params") -> int:
    """A count as people type it: ``1.3M``, ``260m``, ``1_300_000``, ``0.5G``. What is left of a unit is cut off.

    Raises:
        UserError: It is no such number, or a bare number so small that its unit was forgotten.
    """
    rule = "A budget is a number with k, M, G or B behind it, such as 1.3M"
    if text.strip().lower().endswith(("kb", "mb", "gb", "ib")):
        rule += " (for bytes write memory=2MB or footprint=8MiB)"
    return _parse(text, name, UNITS, rule, "M")


def parse_size(text: str, *, name: str = "memory") -> int:
    """Bytes of a size as people type it: ``2MB``, ``512 KiB``, ``1.5m``. What is left of a byte is cut off.

    Raises:
        UserError: It is no size, or a bare number so small that its unit was forgotten.
    """
    rule = "A size is a number with B, kB, MB, GB, KiB, MiB or GiB behind it, such as 2MB"
    return _parse(text, name, SIZE_UNITS, rule, "MB")


def parse_latency(text: str, *, name: str = "latency") -> int:
    """Microseconds of a time as people type it: ``15ms``, ``900 us``, ``0.2s``. What is left of one is cut off.

    Raises:
        UserError: It is no time, has no unit, or is not above 0.
    """
    match = _NUMBER.fullmatch(text.strip())
    unit = TIME_UNITS.get(match["unit"].lower(), 0) if match else 0
    value = int(Decimal(match["digits"].replace("_", "")) * unit) if match else 0
    if value < 1:
        raise UserError(
            f"A latency is a number above 0 with us, ms or s behind it, such as 15ms, but got {name}={text!r}."
        )
    return value


_READ: Mapping[str, Callable[..., int]] = {
    key: parse_size if key in SIZES else parse_latency if key in TIMES else parse_count for key in COSTS
}


def _parse(text: str, name: str, units: Mapping[str, int], rule: str, likely: str) -> int:
    """A number times its unit; ``likely`` is the unit that is forgotten most."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None or match["unit"].lower() not in units:
        raise UserError(f"{rule}, but got {name}={text!r}.")
    value = Decimal(match["digits"].replace("_", "")) * units[match["unit"].lower()]
    if not match["unit"] and value < SMALLEST_BARE_NUMBER:
        hint = f"; did you mean {text}{likely}?" if value else "."
        raise UserError(
            f"A number without a unit must be at least {SMALLEST_BARE_NUMBER:,}, but got {name}={text}{hint}"
        )
    return int(value)


def format_count(value: int) -> str:
    """The shortest text that :func:`parse_count` reads back as ``value``: ``1.3M``, ``1235k``, ``260576008``."""
    texts = [str(value)] if value >= SMALLEST_BARE_NUMBER else []
    for unit, size in (("k", 10**3), ("M", 10**6), ("G", 10**9)):
        if value >= size or not texts:
            whole, part = divmod(value, size)
            digits = f"{part:0{len(str(size)) - 1}d}".rstrip("0")
            texts.append(f"{whole}{'.' if digits else ''}{digits}{unit}")
    return min(reversed(texts), key=len)


def format_cap(key: str, cap: int) -> str:
    """A cap as :meth:`Budget.parse` reads it back."""
    return (format_size if key in SIZES else format_latency if key in TIMES else format_count)(cap)


def format_latency(value: int) -> str:
    """Microseconds as :func:`parse_latency` reads them back: ``15ms``, ``12.5ms``, ``900us``."""
    whole, part = divmod(value, 10**3)
    digits = f"{part:03d}".rstrip("0")
    return f"{whole}{'.' if digits else ''}{digits}ms" if whole else f"{value}us"


def format_size(value: int) -> str:
    """The shortest text that :func:`parse_size` reads back as ``value``: ``2MB``, ``786432B``."""
    return f"{format_count(value)}B"
