"""A candidate without its size: everything but the width scale, which a budget decides."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from edgenext_search.arch.candidate import STAGES, WIDTH_MULTIPLE, Candidate, NormAct, splits_fit
from edgenext_search.arch.cost import Cost, Deployment, cost

Widths = tuple[int, int, int, int]


STEADY_WIDTH = 1024  # of the first stage, at which every field of a shape is legal


class _Sized(NamedTuple):
    """A shape with widths, unchecked: what the projection counts many times while it looks for widths."""

    widths: Widths
    depths: tuple[int, int, int, int]
    kernel_sizes: tuple[int, int, int, int]
    sdta_splits: tuple[int, int, int, int]
    sdta_blocks: tuple[int, int, int, int]
    heads: tuple[int, int, int, int]
    expand_ratio: int
    pos_emb: tuple[bool, bool, bool, bool]
    norm_act: NormAct


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """All fields of a :class:`Candidate` but the widths, of which only the proportions are known.

    Attributes:
        proportions: Width of each stage over the width of the first, which is 1.
        width_multiple: Widths are multiples of this, or of the heads where that is coarser.
        steps: What each stage's width is a multiple of: the heads have to divide it where there is attention.
    """

    proportions: tuple[float, float, float, float]
    depths: tuple[int, int, int, int]
    kernel_sizes: tuple[int, int, int, int]
    sdta_splits: tuple[int, int, int, int]
    sdta_blocks: tuple[int, int, int, int]
    heads: tuple[int, int, int, int]
    expand_ratio: int
    pos_emb: tuple[bool, bool, bool, bool]
    norm_act: NormAct
    width_multiple: int = WIDTH_MULTIPLE
    steps: Widths = field(init=False, compare=False)

    def __post_init__(self) -> None:
        steps = (
            math.lcm(self.width_multiple, heads) if sdta else self.width_multiple
            for heads, sdta in zip(self.heads, self.sdta_blocks, strict=True)
        )
        object.__setattr__(self, "steps", tuple(steps))

    @classmethod
    def of(cls, candidate: Candidate, *, width_multiple: int = WIDTH_MULTIPLE) -> Shape:
        """The shape of a candidate: its fields, and the proportions of its widths."""
        first = candidate.widths[0]
        w1, w2, w3, w4 = (width / first for width in candidate.widths)
        return cls(
            proportions=(w1, w2, w3, w4),
            depths=candidate.depths,
            kernel_sizes=candidate.kernel_sizes,
            sdta_splits=candidate.sdta_splits,
            sdta_blocks=candidate.sdta_blocks,
            heads=candidate.heads,
            expand_ratio=candidate.expand_ratio,
            pos_emb=candidate.pos_emb,
            norm_act=candidate.norm_act,
            width_multiple=width_multiple,
        )

    def legal_width(self, stage: int, width: int) -> int:
        """The smallest legal width of a stage that is at least ``width``, itself a multiple of the stage's step."""
        step = self.steps[stage]
        width = max(width, step)
        while self.sdta_blocks[stage] and not splits_fit(width, self.sdta_splits[stage]):
            width += step
        return width

    def widths_at(self, scale: float) -> Widths:
        """Legal widths closest to ``scale`` times the proportions; no stage gets narrower as the scale grows."""
        w1, w2, w3, w4 = (
            self.legal_width(stage, round(scale * self.proportions[stage] / step) * step)
            for stage, step in enumerate(self.steps)
        )
        return w1, w2, w3, w4

    def cost_at(self, widths: Widths, deployment: Deployment) -> Cost:
        """The cost that the candidate with these widths will have."""
        sized = _Sized(
            widths,
            self.depths,
            self.kernel_sizes,
            self.sdta_splits,
            self.sdta_blocks,
            self.heads,
            self.expand_ratio,
            self.pos_emb,
            self.norm_act,
        )
        return cost(sized, deployment)

    def candidate_at(self, widths: Widths) -> Candidate:
        """The candidate with these widths."""
        return Candidate(
            widths=widths,
            depths=self.depths,
            kernel_sizes=self.kernel_sizes,
            sdta_splits=self.sdta_splits,
            sdta_blocks=self.sdta_blocks,
            heads=self.heads,
            expand_ratio=self.expand_ratio,
            pos_emb=self.pos_emb,
            norm_act=self.norm_act,
        )

    def network(self) -> tuple[Candidate, tuple[float, ...]]:
        """What shapes share exactly when they build the same networks: the used fields, and the proportions."""
        return self.candidate_at(self.widths_at(STEADY_WIDTH)), self.proportions

    def distortion(self, widths: Widths) -> float:
        """How far widths stray from the proportions: the variance over stages of log(width / proportion)."""
        logs = [math.log(w / p) for w, p in zip(widths, self.proportions, strict=True)]
        mean = sum(logs) / STAGES
        return sum((value - mean) ** 2 for value in logs) / STAGES
