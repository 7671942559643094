"""The models that a profile measures: whole networks of the space at usual sizes, and single stages at any width.

Every study compares with the published shapes, so blocks of theirs that the space lacks are measured too.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field

from edgenext_search.arch.blocks import Block, blocks_of
from edgenext_search.arch.budget import Budget
from edgenext_search.arch.candidate import STAGES, Candidate
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.projection import Projection
from edgenext_search.arch.published import published_variants
from edgenext_search.arch.shape import Shape
from edgenext_search.arch.spaces.space import Space
from edgenext_search.results import Result

SMALLEST, LARGEST = 500_000, 6_000_000  # parameters of the drawn networks: up to those of EdgeNeXt-S
BEYOND = 1.25  # single stages are up to this factor wider than the widest network of the plan
DEEPEST = 3  # largest number of blocks of a single stage
FOREIGN = 6  # single stages for each stage of a published shape with blocks that the space lacks
OPTIONS = ("kernel_size", "sdta_splits", "heads", "pos_emb", "expand_ratio")  # fields of a block other than its widths

What = Literal["network", "stage"]


class Target(Result):
    """A model to measure."""

    what: What
    """``network``, or ``stage`` for a single stage: the first with the stem, the others with their downsampling layer,
    the last with the head."""
    candidate: Candidate
    """The network, or one that has the stage."""
    stage: Annotated[int, Field(ge=0, le=STAGES)] = 0
    """Number of the stage, from 1; 0 for a network."""

    def blocks(self, deployment: Deployment) -> dict[Block, int]:
        """The blocks of the model, with the number of each."""
        blocks = blocks_of(self.candidate, deployment)
        return {block: number for block, number in blocks.items() if self.stage in (0, block.stage)}


def make_plan(space: Space, deployment: Deployment, *, networks: int, stages: int, seed: int) -> list[Target]:
    """The models in the order in which they are measured; the same for the same arguments.

    Single stages of published shapes that the space lacks come first. The other single stages are spread evenly among
    the networks, so that the beginning of a plan is a plan too.

    Args:
        space: Search space of the networks.
        deployment: Number of classes and image size.
        networks: Number of networks, drawn by :func:`draw_networks`.
        stages: Number of single stages, in equal numbers of the four.
        seed: Seed of the drawn networks and stages.
    """
    rng = random.Random(f"latency profile {seed}")
    drawn = list(draw_networks(space, deployment, networks, rng))
    widest = [max(candidate.widths[stage] for candidate in drawn) for stage in range(STAGES)]
    positioned: list[tuple[float, Target]] = [
        ((index + 0.5) / networks, Target(what="network", candidate=candidate)) for index, candidate in enumerate(drawn)
    ]
    for index in range(stages):
        stage = index % STAGES + 1
        shape = space.shape(space.draw(rng))
        target = Target(what="stage", candidate=_around(shape, stage, widest, rng), stage=stage)
        positioned.append(((index + 0.5) / stages, target))
    own = [target for _, target in sorted(positioned, key=lambda entry: entry[0])]
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
    """The stages of a network that have a block with options outside the range of the targets."""
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
    """Draw candidates of a space, projected to budgets that are log-uniform from 0.5M to 6M parameters.

    Where the smallest network of the space has more parameters, the budgets go from its size to twelve times its size.
    """
    lowest = _smallest_params(space, deployment)
    low = max(SMALLEST, lowest)
    high = max(LARGEST, 12 * low if low > SMALLEST else 0)
    for _ in range(n):
        params = round(math.exp(rng.uniform(math.log(low), math.log(high))))
        yield Projection(space, Budget(params=params), deployment).candidate(space.draw(rng))


def _smallest_params(space: Space, deployment: Deployment) -> int:
    return cost(Projection(space, Budget(params=10**12), deployment).smallest, deployment).params


def _around(shape: Shape, stage: int, widest: list[int], rng: random.Random) -> Candidate:
    """A candidate with one stage of a shape at a log-uniform width; its other stages are narrow and have one block."""
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
