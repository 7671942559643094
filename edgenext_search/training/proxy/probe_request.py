"""What a probe of numerics is asked and what it answers, as messages between processes."""

from __future__ import annotations

from dataclasses import dataclass

from edgenext_search.arch.candidate import Candidate
from edgenext_search.training.engine.numerics import Numerics
from edgenext_search.training.proxy.recipe import TrainRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """What to time, and where.

    Attributes:
        candidates: Networks whose times are added up; the first is also compiled where that may pay.
        recipe: Batch size, image size, optimizer, and the fixed part of the numerics.
        num_classes: Outputs of the networks.
        device: ``cpu``, ``cuda:0`` and the like.
        threads: CPU threads.
        steps_of_a_trial: Steps of a whole training, which a compilation has to pay for.
    """

    candidates: tuple[Candidate, ...]
    recipe: TrainRecipe
    num_classes: int
    device: str
    threads: int
    steps_of_a_trial: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One option.

    Attributes:
        numerics: The option.
        ratio: Time of a step over that of eager float32, the median over turns; None if it was given up.
        agrees: Whether the loss after all steps is float32's, within a few percent.
    """

    numerics: Numerics
    ratio: float | None
    agrees: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """The answer of a probe.

    Attributes:
        chosen: The fastest option that agrees, or eager float32 where none is faster by a margin.
        step_seconds: Time of a step in eager float32, of all candidates together.
        timings: All options.
        gpu_bytes: Peak memory of training one of the candidates on a GPU; 0 on a CPU.
    """

    chosen: Numerics
    step_seconds: float
    timings: tuple[Timing, ...]
    gpu_bytes: int
