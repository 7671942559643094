"""What a profile measures: whole networks of the space at its usual sizes, and single stages at any width.

A study compares with the published shapes, whatever its space, so their blocks are measured too.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edgenext_search.arch.blocks import Block, blocks_of
from edgenext_search.arch.budget import Budget
from edgenext_search.arch.candidate import STAGES, Candidate
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.projection import Projection
from edgenext_search.arch.published import published_variants
from edgenext_search.arch.shape import Shape
from edgenext_search.arch.space import Space

SMALLEST, LARGEST = 500_000, 6_000_000  # parameters of the networks that are drawn: up to the paper's S
BEYOND = 1.25  # stages are measured to this multiple of the widest that a network of the plan has
DEEPEST = 3  # blocks of a stage that is measured alone
FOREIGN = 6  # single stages for each stage of a published shape whose blocks the space does not have
OPTIONS = ("kernel_size", "sdta_splits", "heads", "pos_emb", "expand_ratio")  # fields of blocks beside their widths

What = Literal["network", "stage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A model to measure.

    Attributes:
        what: ``network``, or ``stage``: one stage alone, the first with the stem, the last with the head, the others
            with their downsampling layer.
        candidate: The network.
        stage: The stage, from 1; 0 for a network.
    """

    what: What
    candidate: Candidate
    stage: int = 0

    def blocks(self, deployment: Deployment) -> dict[Block, int]:
        """The blocks of the model."""
        blocks = blocks_of(self.candidate, deployment)
        return {block: number for block, number in blocks.items() if self.stage in (0, block.stage)}

    def to_dict(self) -> dict[str, Any]:
        """All fields by name; :meth:`from_dict` reads them back."""
        return {"what": self.what, "candidate": self.candidate.to_dict(), "stage": self.stage}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Target:
        """Read what :meth:`to_dict` wrote."""
        return cls(what=values["what"], candidate=Candidate.from_dict(values["candidate"]), stage=values["stage"])


def make_plan(space: Space, deployment: Deployment, *, networks: int, stages: int, seed: int) -> list[Target]:
    """Models in the order in which they are measured; always the same for the same arguments.

    The beginning of a plan is a smaller plan: single stages are spread evenly among the networks, behind those of
    published shapes that the space lacks.

    Args:
        space: What the networks are drawn from.
        deployment: Where they run.
        networks: How many networks, drawn as :func:`draw_networks` does.
        stages: How many single stages, the four in turns.
        seed: What they follow from.
    """
    rng = random.Random(f"latency profile {seed}")  # noqa: S311 - no secret hangs on it
    drawn = list(draw_networks(space, deployment, networks, rng))
    widest = [max(candidate.widths[stage] for candidate in drawn) for stage in range(STAGES)]
    found: list[tuple[float, Target]] = [
        ((index + 0.5) / networks, Target(what="network", candidate=candidate)) for index, candidate in enumerate(drawn)
    ]
    for index in range(stages):
        stage = index % STAGES + 1
        shape = space.shape(space.sample(rng))
        target = Target(what="stage", candidate=_around(shape, stage, widest, rng), stage=stage)
        found.append(((index + 0.5) / stages, target))
    own = [target for _, target in sorted(found, key=lambda entry: entry[0])]
    foreign: list[Target] = []
    for variant in published_variants().values():
        if variant.candidate.norm_act in space.norm_acts:
            shape = Shape.of(variant.candidate, width_multiple=space.file.width_multiple)
            foreign += [
                Target(what="stage", candidate=_around(shape, stage, widest, rng), stage=stage)
                for stage in _lacking(variant.candidate, [*foreign, *own], deployment)
                for _ in range(FOREIGN)
            ]
    return [*foreign, *own]


def _lacking(candidate: Candidate, targets: Sequence[Target], deployment: Deployment) -> list[int]:
    """The stages of a network with a block whose options lie outside of those in the targets."""
    known: dict[tuple[str, int, str], list[Block]] = {}
    for target in targets:
        for block in target.blocks(deployment):
            known.setdefault((block.kind, block.stage, block.norm_act), []).append(block)

    def lacks(block: Block) -> bool:
        alike = known.get((block.kind, block.stage, block.norm_act), [])
        values = {name: [getattr(other, name) for other in alike] for name in OPTIONS}
        return not alike or any(not min(own) <= getattr(block, name) <= max(own) for name, own in values.items())

    return sorted({block.stage for block in blocks_of(candidate, deployment) if lacks(block)})


def draw_networks(space: Space, deployment: Deployment, n: int, rng: random.Random) -> Iterator[Candidate]:
    """Random candidates of a space, projected to budgets that are log-uniform from 0.5M to 6M parameters.

    Spaces whose smallest network has more parameters are drawn from that size on, to twelve times it.
    """
    lowest = _smallest_params(space, deployment)
    low = max(SMALLEST, lowest)
    high = max(LARGEST, 12 * low if low > SMALLEST else 0)
    for _ in range(n):
        params = round(math.exp(rng.uniform(math.log(low), math.log(high))))
        yield Projection(space, Budget(params=params), deployment).candidate(space.sample(rng))


def _smallest_params(space: Space, deployment: Deployment) -> int:
    return cost(Projection(space, Budget(params=10**12), deployment).smallest, deployment).params


def _around(shape: Shape, stage: int, widest: list[int], rng: random.Random) -> Candidate:
    """A candidate with one stage of a shape, between narrow ones of one block; its width is log-uniform."""
    index = stage - 1

    def width(of: int) -> int:
        low, high = shape.legal_width(of, 1), BEYOND * widest[of]
        step = shape.steps[of]
        drawn = math.exp(rng.uniform(math.log(low), math.log(max(high, low))))
        return shape.legal_width(of, round(drawn / step) * step)

    widths = [shape.width_multiple] * STAGES
    widths[index] = width(index)
    if index:
        widths[index - 1] = width(index - 1)
    depth = min(shape.depths[index], DEEPEST)
    depths, sdta = [1] * STAGES, [0] * STAGES
    depths[index], sdta[index] = depth, min(shape.sdta_blocks[index], depth)
    w1, w2, w3, w4 = widths
    d1, d2, d3, d4 = depths
    s1, s2, s3, s4 = sdta
    return Candidate(
        widths=(w1, w2, w3, w4),
        depths=(d1, d2, d3, d4),
        kernel_sizes=shape.kernel_sizes,
        sdta_splits=shape.sdta_splits,
        sdta_blocks=(s1, s2, s3, s4),
        heads=shape.heads,
        expand_ratio=shape.expand_ratio,
        pos_emb=shape.pos_emb,
        norm_act=shape.norm_act,
    )
