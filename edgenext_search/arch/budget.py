"""Hard caps on what a candidate may cost, and how people write them: ``1.3M``, ``params=1.3M,madds=260M``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgenext_search.arch.cost import Cost
from edgenext_search.arch.metrics import COST_NAMES, METRICS, CostName, cost_name
from edgenext_search.errors import UserError

HOST = "host"  # the device that a cap on latency is for when none is named


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
        caps: The caps that are set, by cost.

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
    caps: Mapping[CostName, int] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        caps: dict[CostName, int | None] = {key: getattr(self, key) for key in COST_NAMES}
        object.__setattr__(self, "caps", {key: cap for key, cap in caps.items() if cap is not None})
        if not self.caps:
            raise UserError(f"A budget must cap at least one of {', '.join(COST_NAMES)}; write --budget 1.3M.")
        for key, cap in self.caps.items():
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
            return cls(params=METRICS["params"].parse(text))
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
        counts: dict[str, int] = {}
        device = None
        for key, cap in caps.items():
            name = cost_name(key)
            text = str(cap)
            if name == "latency":
                if isinstance(cap, int):
                    counts[name] = cap
                    continue
                text, at, device = (part.strip() for part in text.partition("@"))
                if at and not device:
                    raise UserError(f"A device must follow the @, such as latency=15ms@host, but got latency={cap!r}.")
            counts[name] = METRICS[name].parse(text)
        return cls(**counts, device=device or None)

    def to_dict(self) -> dict[str, int]:
        """The caps that are set as plain values, to be read back by :meth:`from_dict`."""
        return {str(name): cap for name, cap in self.caps.items()}

    def usage(self, cost: Cost) -> float:
        """The share of its cap that the tightest cost takes: the budget holds when it is at most 1."""
        usage: float = max(getattr(cost, key) / cap for key, cap in self.caps.items())
        return usage

    def holds(self, cost: Cost) -> bool:
        """Whether no cap is exceeded."""
        return self.usage(cost) <= 1

    def __str__(self) -> str:
        texts = {key: METRICS[key].format_exact(cap) for key, cap in self.caps.items()}
        if self.device not in (None, HOST):
            texts["latency"] += f"@{self.device}"
        return ",".join(f"{key}={text}" for key, text in texts.items())
