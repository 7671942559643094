"""Precision, memory layout and compilation: what may differ between hosts without changing the recipe."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from edgenext_search.arch.candidate import Candidate
    from edgenext_search.training.proxy.job import Placement
    from edgenext_search.training.proxy.recipe import TrainRecipe

Precision = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numerics:
    """How a network's arithmetic is done.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """What to time, and where.

    Attributes:
        candidates: Networks whose times are added up; the first is also compiled where that may pay.
        recipe: Batch size, image size, optimizer, and what of the numerics is fixed.
        num_classes: Outputs of the networks.
        placement: The first device and its threads are used.
        steps_of_a_trial: Steps of a whole training, which a compilation has to pay for.
    """

    candidates: tuple[Candidate, ...]
    recipe: TrainRecipe
    num_classes: int
    placement: Placement
    steps_of_a_trial: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One option.

    Attributes:
        numerics: What was timed.
        ratio: Time of a step over that of eager float32, the median over turns; None if it was given up.
        agrees: Whether the loss after all steps is float32's, within a few percent.
    """

    numerics: Numerics
    ratio: float | None
    agrees: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """What the probe found.

    Attributes:
        chosen: The fastest option that agrees, or eager float32 where none is faster by a margin.
        step_seconds: Time of a step in eager float32, of all candidates together.
        timings: All options.
        gpu_bytes: Most memory that training one of the candidates took on a GPU; 0 on a CPU.
    """

    chosen: Numerics
    step_seconds: float
    timings: tuple[Timing, ...]
    gpu_bytes: int
