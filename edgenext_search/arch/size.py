"""How many different networks a space holds: shapes counted exactly, candidates of a budget counted or estimated.

Assignments of a space often stand for the same network: a stage without SDTA blocks has no splits, and more SDTA
blocks than a stage is deep are as many as it is deep. Two assignments are one *shape* when they agree in everything
that some block uses, which for widths is their proportions; they are one *candidate* when a budget projects them to
the same network.
"""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from edgenext_search.arch.candidate import STAGES
from edgenext_search.arch.domain import at_stage, item
from edgenext_search.arch.effect import CONV_FIELDS, SDTA_FIELDS
from edgenext_search.arch.estimate import Count, Z, chao1
from edgenext_search.arch.parameter import Choice, Interval, Parameter, Value
from edgenext_search.arch.projection import Projection
from edgenext_search.arch.space import Space

SAMPLES = 5000  # of an estimate
MOST_PAIRS = 1_000_000  # of sets of shapes that are intersected; a second or two
MOST_ASSIGNMENTS = 50_000  # that are gone through one by one for the number of shapes; about as long
MOST_PROJECTIONS = 10_000  # assignments of a space whose candidates are counted one by one; some seconds

_COUNTED = ("depth", "sdta_blocks", *CONV_FIELDS, *SDTA_FIELDS)

# The choices of each shared parameter, as bits of a number, that can give what is seen of a stage.
Box = tuple[int, ...]


class TooManyError(Exception):
    """The exact count would take too long."""


def intervals(space: Space) -> list[str]:
    """The parameters that take any number of an interval, which no count includes."""
    return [parameter.name for parameter in space.parameters if isinstance(parameter, Interval)]


def assignments(space: Space) -> int:
    """How many assignments of listed values a space has; intervals count as one value."""
    return math.prod(len(parameter.values) for parameter in space.parameters if isinstance(parameter, Choice))


def shapes(
    space: Space,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    most_pairs: int = MOST_PAIRS,
    most_assignments: int = MOST_ASSIGNMENTS,
) -> Count:
    """The number of different shapes, with one value for each continuous ratio.

    Args:
        space: What is counted.
        samples: Random assignments where an exact count would take too long.
        seed: What they follow from.
        most_pairs: How much work it may be to count what stages have in common.
        most_assignments: How many assignments may be gone through where that is too much.
    """
    try:
        return Count.exact(_exact_shapes(space, most_pairs))
    except TooManyError:
        if assignments(space) <= most_assignments:
            multiplicity = _multiplicity_of(space)
            return Count.exact(int(sum(Fraction(1, multiplicity(values)) for values in _all_assignments(space))))
        return _sampled_shapes(space, samples, random.Random(seed))  # noqa: S311 - no secret hangs on it


def candidates(projection: Projection, *, samples: int = SAMPLES, seed: int = 0) -> Count:
    """The number of different candidates that a space is projected to in a budget.

    It is exact for spaces of at most :data:`MOST_PROJECTIONS` assignments. Beyond, or with continuous ratios, random
    assignments are projected, and Chao's estimator tells the number of candidates from how many came up once and
    twice. Rare candidates escape it, so what it estimates is a lower bound.

    Args:
        projection: The space and the budget.
        samples: How many assignments are drawn where the count is not exact.
        seed: What they follow from.
    """
    space = projection.space
    most = assignments(space)
    if not intervals(space) and most <= MOST_PROJECTIONS:
        return Count.exact(len({projection.candidate(values) for values in _all_assignments(space)}))
    rng = random.Random(seed)  # noqa: S311 - no secret hangs on it
    seen = Counter(projection.candidate(space.sample(rng)) for _ in range(samples))
    return chao1(list(seen.values()), most=None if intervals(space) else most)


def _all_assignments(space: Space) -> Iterator[dict[str, Value]]:
    choices = [parameter for parameter in space.parameters if isinstance(parameter, Choice)]
    others = {parameter.name: parameter.low for parameter in space.parameters if isinstance(parameter, Interval)}
    for values in itertools.product(*(choice.values for choice in choices)):
        yield others | dict(zip((choice.name for choice in choices), values, strict=True))


class _Work:
    """What an exact count may still cost, in pairs of boxes or so."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    def spend(self, amount: int) -> None:
        """Do some of it, or raise :class:`TooManyError`."""
        self._left -= amount
        if self._left < 0:
            raise TooManyError


def _exact_shapes(space: Space, most_pairs: int) -> int:
    """The number of shapes: of all rows of four stages that some shared assignment gives."""
    work = _Work(most_pairs)
    return sum(_rows(domains, work) for domains in _fixed_layouts(space.domains, work)) * _free(space.domains)


def _fixed_layouts(domains: Mapping[str, Parameter], work: _Work) -> Iterator[Mapping[str, Parameter]]:
    """The domains once for each different shared depth, and then SDTA blocks: every network shows these."""
    if "depth" not in domains:
        yield domains
        return
    for depths in sorted({_four(value) for value in _choices(domains, "depth")}):
        fixed = {**domains, "depth": Choice(name="depth", values=(depths,))}
        layouts: set[tuple[int, ...] | None] = {None}
        if "sdta_blocks" in domains:
            layouts = {
                tuple(min(sdta, depth) for sdta, depth in zip(_four(value), depths, strict=True))
                for value in _choices(domains, "sdta_blocks")
            }
        for layout in layouts:
            work.spend(1)
            yield fixed if layout is None else {**fixed, "sdta_blocks": Choice(name="sdta_blocks", values=(layout,))}


def _rows(domains: Mapping[str, Parameter], work: _Work) -> int:
    """The number of rows of stages.

    What is seen of a stage fits some choices of each shared parameter and not others: a box of shared assignments.
    Stages are joined by intersecting their boxes, with the number of ways to get each; a row exists when its
    intersection is not empty. So shapes that several shared assignments give are counted once.
    """
    rows = _boxes(domains, 1, work)
    for stage in range(2, STAGES + 1):
        boxes = _boxes(domains, stage, work)
        work.spend(len(rows) * len(boxes))
        joined: dict[Box, int] = {}
        for (box, ways), (other, more) in itertools.product(rows.items(), boxes.items()):
            both = tuple(a & b for a, b in zip(box, other, strict=True))
            if all(both):
                joined[both] = joined.get(both, 0) + ways * more
        rows = joined
    return sum(rows.values())


def _boxes(domains: Mapping[str, Parameter], stage: int, work: _Work) -> dict[Box, int]:
    """The shared assignments that each thing to see of a stage fits, with how many things to see fit just those."""
    found: dict[Box, int] = {}
    names = _shared(domains)
    every = {name: _all_bits(domains, name) for name in names}
    seen = {field: _seen_by(domains, field, stage) for field in _COUNTED}
    ratio = at_stage(domains, "width_ratio", stage)
    ratios = len(ratio.values) if isinstance(ratio, Choice) and ratio.name != "width_ratio" else 1
    for depth, of_depth in seen["depth"].items():
        clipped: dict[int, int] = {}
        for value, bits in seen["sdta_blocks"].items():
            clipped[min(value, depth)] = clipped.get(min(value, depth), 0) | bits
        for sdta, of_sdta in clipped.items():
            used = [*(CONV_FIELDS if sdta < depth else ()), *(SDTA_FIELDS if sdta else ())]
            ways = ratios * math.prod(len(seen[field]) for field in used if field not in names)
            shared = [field for field in used if field in names]
            work.spend(math.prod(len(seen[field]) for field in shared))
            for values in itertools.product(*(seen[field].values() for field in shared)):
                fits = {**every, "depth": of_depth, "sdta_blocks": of_sdta, **dict(zip(shared, values, strict=True))}
                box = tuple(fits[name] for name in names)
                found[box] = found.get(box, 0) + ways
    return found


def _free(domains: Mapping[str, Parameter]) -> int:
    """The choices that every network shows, whatever its stages: they multiply."""
    ways = len(_choices(domains, "expand_ratio")) * len(_choices(domains, "norm_act"))
    ratio = domains.get("width_ratio")
    return ways * (len({_four(value)[1:] for value in ratio.values}) if isinstance(ratio, Choice) else 1)


def _four(value: Value) -> tuple[Any, ...]:
    """What a shared choice is in each stage."""
    return tuple(item(value, stage) for stage in range(1, STAGES + 1))


def _choices(domains: Mapping[str, Parameter], name: str) -> tuple[Value, ...]:
    domain = domains[name]
    assert isinstance(domain, Choice)  # noqa: S101 - only ratios are intervals
    return domain.values


def _shared(domains: Mapping[str, Parameter]) -> list[str]:
    """The shared parameters that a stage may show, or not."""
    return [name for name in _COUNTED if name in domains]


def _seen_by(domains: Mapping[str, Parameter], field: str, stage: int) -> dict[Any, int]:
    """The values of a field in a stage, each with the choices that give it as bits of a number."""
    found: dict[Any, int] = {}
    for index, value in enumerate(_choices(domains, at_stage(domains, field, stage).name)):
        own = item(value, stage)
        found[own] = found.get(own, 0) | 1 << index
    return found


def _all_bits(domains: Mapping[str, Parameter], name: str) -> int:
    return (1 << len(_choices(domains, name))) - 1


def _sampled_shapes(space: Space, samples: int, rng: random.Random) -> Count:
    """An unbiased estimate: assignments times the mean of 1 / (assignments that give the same shape)."""
    multiplicity = _multiplicity_of(space)
    total = assignments(space)
    shares = [1 / multiplicity(space.sample(rng)) for _ in range(samples)]
    mean = math.fsum(shares) / samples
    variance = math.fsum((share - mean) ** 2 for share in shares) / max(samples - 1, 1)
    error = Z * math.sqrt(variance / samples)
    value, low, high = (round(total * share) for share in (mean, max(mean - error, 0.0), min(mean + error, 1.0)))
    return Count(value=value, low=low, high=high, method="sampled", samples=samples)


def _multiplicity_of(space: Space) -> Callable[[dict[str, Value]], int]:
    """How many assignments give the same shape as one of them, stage by stage: see :func:`_exact_shapes`."""
    domains = space.domains
    every = {name: _all_bits(domains, name) for name in _shared(domains)}
    seen = {(field, stage): _seen_by(domains, field, stage) for field in _COUNTED for stage in range(1, STAGES + 1)}
    ratio = domains.get("width_ratio")
    alike = Counter(_four(value)[1:] for value in ratio.values) if isinstance(ratio, Choice) else None

    def multiplicity(values: dict[str, Value]) -> int:
        shape = space.shape(values)
        box = dict(every)
        ways = 1
        if isinstance(ratio, Choice) and alike is not None:
            ways *= alike[_four(values.get("width_ratio", ratio.values[0]))[1:]]
        for stage in range(1, STAGES + 1):
            depth, sdta = shape.depths[stage - 1], shape.sdta_blocks[stage - 1]
            same = [bits for value, bits in seen["sdta_blocks", stage].items() if min(value, depth) == sdta]
            shown: dict[str, Any] = {
                "kernel_size": (shape.kernel_sizes[stage - 1], sdta < depth),
                "sdta_splits": (shape.sdta_splits[stage - 1], sdta > 0),
                "heads": (shape.heads[stage - 1], sdta > 0),
                "pos_emb": (shape.pos_emb[stage - 1], sdta > 0),
            }
            if "sdta_blocks" in box:
                box["sdta_blocks"] &= sum(same)
            else:
                ways *= len(same)
            if "depth" in box:
                box["depth"] &= seen["depth", stage][depth]
            for field, (value, used) in shown.items():
                if field in box and used:
                    box[field] &= seen[field, stage][value]
                elif field not in box and not used:
                    ways *= len(seen[field, stage])
        return ways * math.prod(bits.bit_count() for bits in box.values())

    return multiplicity
