"""Precision, memory layout and compilation: what may differ between hosts without changing the recipe."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Precision = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numerics:
    """Arithmetic of a network in training.

    Attributes:
        precision: float32, or autocast to bfloat16 or float16 (the latter with scaled losses).
        channels_last: Whether feature maps lie in memory as [n, h, w, c].
        compile: Whether torch.compile makes kernels for the network.
    """

    precision: Precision = "fp32"
    channels_last: bool = False
    compile: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def __str__(self) -> str:
        words = [self.precision, "channels_last" if self.channels_last else "", "compiled" if self.compile else ""]
        return ", ".join(word for word in words if word)
