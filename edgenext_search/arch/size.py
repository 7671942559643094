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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edgenext_search.arch.candidate import STAGES
from edgenext_search.arch.domain import at_stage, item
from edgenext_search.arch.effect import CONV_FIELDS, SDTA_FIELDS
from edgenext_search.arch.parameter import Choice, Interval, Value
from edgenext_search.arch.projection import Projection
from edgenext_search.arch.space import Space

SAMPLES = 5000  # of an estimate
MOST_PAIRS = 1_000_000  # of sets of shapes that are intersected; a second or two
MOST_PROJECTIONS = 10_000  # assignments of a space whose candidates are counted one by one; some seconds
Z = 1.959964  # two-sided 95 % of a normal distribution

# The choices of each shared parameter, as bits of a number, that can give what is seen of a stage.
Box = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """A number of different networks, exact or estimated.

    Attributes:
        value: The number, or its estimate.
        low: Lower end of the estimate's 95 % interval; ``value`` where exact.
        high: Upper end; None where the samples do not bound it.
        method: ``exact``; ``sampled``: unbiased, from the multiplicities of random assignments; ``chao1``: Chao's lower
            bound of the number of classes, from how often random assignments gave the same candidate.
        samples: How many random assignments; 0 where exact.
    """

    value: int
    low: int
    high: int | None
    method: Literal["exact", "sampled", "chao1"]
    samples: int = 0

    @classmethod
    def exact(cls, value: int) -> Count:
        """A number without doubt."""
        return cls(value=value, low=value, high=value, method="exact")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        names = ("value", "low", "high", "method", "samples")
        return {"exact": self.method == "exact", **{name: getattr(self, name) for name in names}}


class TooManyError(Exception):
    """The exact count would take too long."""


def intervals(space: Space) -> list[str]:
    """The parameters that take any number of an interval, which no count includes."""
    return [parameter.name for parameter in space.parameters if isinstance(parameter, Interval)]


def assignments(space: Space) -> int:
    """How many assignments of listed values a space has; intervals count as one value."""
    return math.prod(len(parameter.values) for parameter in space.parameters if isinstance(parameter, Choice))


def shapes(space: Space, *, samples: int = SAMPLES, seed: int = 0, most_pairs: int = MOST_PAIRS) -> Count:
    """The number of different shapes, with one value for each continuous ratio.

    Args:
        space: What is counted.
        samples: Random assignments where an exact count would take too long.
        seed: What they follow from.
        most_pairs: How much work an exact count may be.
    """
    try:
        return Count.exact(_exact_shapes(space, most_pairs))
    except TooManyError:
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


def chao1(counts: Sequence[int], *, most: int | None = None) -> Count:
    """A lower bound of the number of classes, from how often each was seen.

    The bias-corrected estimator is ``seen + (n - 1) / n * f1 * (f1 - 1) / (2 * (f2 + 1))`` with f1 classes seen once
    and f2 seen twice, and its interval is log-normal above ``seen`` (Chao, "Estimating the population size for
    capture-recapture data with unequal catchability", Biometrics 43, 1987). Where no class was seen twice, the upper
    end is open, and the lower end is the number of classes with which n draws all differ in 2.5 % of cases if all are
    equally likely: ``n * (n - 1) / (2 * log(40))``; with unequal ones they differ more rarely.

    Args:
        counts: Times that each class was seen, at least 1.
        most: A number that there cannot be more of.
    """
    n, seen = sum(counts), len(counts)
    once, twice = counts.count(1), counts.count(2)
    value = seen + (n - 1) / n * once * (once - 1) / (2 * (twice + 1))
    low: float = seen
    high: float | None
    if once == n:
        low, high = max(seen, n * (n - 1) / (2 * math.log(40))), None
    elif value == seen:
        high = seen
    else:
        factor = math.exp(Z * math.sqrt(math.log1p(_chao1_variance(n, once, twice, value) / (value - seen) ** 2)))
        low, high = seen + (value - seen) / factor, seen + (value - seen) * factor
    if most is not None:
        low, value, high = min(low, most), min(value, most), most if high is None else min(high, most)
    ends = (round(value), math.floor(low), None if high is None else math.ceil(high))
    return Count(value=ends[0], low=ends[1], high=ends[2], method="chao1", samples=n)


def _chao1_variance(n: int, once: int, twice: int, value: float) -> float:
    """Variance of the bias-corrected estimator (Chao, as above; EstimateS user's guide, appendix B)."""
    share = (n - 1) / n
    if twice == 0:
        first = share * once * (once - 1) / 2 + share**2 * once * (2 * once - 1) ** 2 / 4
        return max(first - share**2 * once**4 / (4 * value), 0.0)
    return (
        share * once * (once - 1) / (2 * (twice + 1))
        + share**2 * once * (2 * once - 1) ** 2 / (4 * (twice + 1) ** 2)
        + share**2 * once**2 * twice * (once - 1) ** 2 / (4 * (twice + 1) ** 4)
    )


def _all_assignments(space: Space) -> Iterator[dict[str, Value]]:
    choices = [parameter for parameter in space.parameters if isinstance(parameter, Choice)]
    for values in itertools.product(*(choice.values for choice in choices)):
        yield dict(zip((choice.name for choice in choices), values, strict=True))


def _exact_shapes(space: Space, most_pairs: int) -> int:
    """The number of shapes: of all rows of four stages that some shared assignment gives.

    What is seen of a stage fits some choices of each shared parameter and not others: a box of shared assignments.
    Stages are joined by intersecting their boxes, with the number of ways to get each; a row exists when its
    intersection is not empty. So shapes that several shared assignments give are counted once.
    """
    pairs = 0
    rows: dict[Box, int] = {}
    for stage in range(1, STAGES + 1):
        boxes = _boxes(space, stage, most_pairs)
        if not rows:
            rows = boxes
            continue
        pairs += len(rows) * len(boxes)
        if pairs > most_pairs:
            raise TooManyError
        joined: dict[Box, int] = {}
        for (box, ways), (other, more) in itertools.product(rows.items(), boxes.items()):
            both = tuple(a & b for a, b in zip(box, other, strict=True))
            if all(both):
                joined[both] = joined.get(both, 0) + ways * more
        rows = joined
    return sum(rows.values()) * _free(space)


def _free(space: Space) -> int:
    """The choices that every network shows, whatever its stages: they multiply."""
    domains = [space.domains[name] for name in ("expand_ratio", "norm_act")]
    ways = math.prod(len(domain.values) for domain in domains if isinstance(domain, Choice))
    ratio = space.domains.get("width_ratio")
    return ways * (len({_ratios(value) for value in ratio.values}) if isinstance(ratio, Choice) else 1)


def _ratios(value: Value) -> tuple[Value, ...]:
    """What a shared width ratio is in the stages that have one."""
    return tuple(item(value, stage) for stage in range(2, STAGES + 1))


def _boxes(space: Space, stage: int, most: int) -> dict[Box, int]:
    """The shared assignments that each thing to see of a stage fits, with how many things to see fit just those."""
    found: dict[Box, int] = {}
    names = _shared(space)
    depths, blocks = _seen_by(space, "depth", stage), _seen_by(space, "sdta_blocks", stage)
    ratio = at_stage(space.domains, "width_ratio", stage)
    ratios = len(ratio.values) if isinstance(ratio, Choice) and ratio.name != "width_ratio" else 1
    work = 0
    for depth, of_depth in depths.items():
        clipped: dict[int, int] = {}
        for value, bits in blocks.items():
            sdta = min(value, depth)
            clipped[sdta] = clipped.get(sdta, 0) | bits
        for sdta, of_sdta in clipped.items():
            known = {"depth": of_depth, "sdta_blocks": of_sdta}
            used = [*(CONV_FIELDS if sdta < depth else ()), *(SDTA_FIELDS if sdta else ())]
            ways = ratios * math.prod(len(_seen_by(space, field, stage)) for field in used if field not in names)
            shared = [field for field in used if field in names]
            for values in itertools.product(*(_seen_by(space, field, stage).values() for field in shared)):
                bits_of = {**known, **dict(zip(shared, values, strict=True))}
                box = tuple(bits_of.get(name, _all_bits(space, name)) for name in names)
                found[box] = found.get(box, 0) + ways
                work += 1
                if work > most:
                    raise TooManyError
    return found


def _shared(space: Space) -> list[str]:
    """The shared parameters that several stages may show, or not."""
    return [name for name in ("depth", "sdta_blocks", *CONV_FIELDS, *SDTA_FIELDS) if name in space.domains]


def _seen_by(space: Space, field: str, stage: int) -> dict[Any, int]:
    """The values of a field in a stage, each with the choices that give it as bits of a number."""
    domain = at_stage(space.domains, field, stage)
    assert isinstance(domain, Choice)  # noqa: S101 - only ratios are intervals
    found: dict[Any, int] = {}
    for index, value in enumerate(domain.values):
        own = item(value, stage)
        found[own] = found.get(own, 0) | 1 << index
    return found


def _all_bits(space: Space, name: str) -> int:
    domain = space.domains[name]
    assert isinstance(domain, Choice)  # noqa: S101 - as above
    return (1 << len(domain.values)) - 1


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
    names = _shared(space)
    every = {name: _all_bits(space, name) for name in names}
    seen = {
        (field, stage): _seen_by(space, field, stage)
        for field in ("depth", "sdta_blocks", *CONV_FIELDS, *SDTA_FIELDS)
        for stage in range(1, STAGES + 1)
    }
    ratio = space.domains.get("width_ratio")
    alike = Counter(_ratios(value) for value in ratio.values) if isinstance(ratio, Choice) else None

    def multiplicity(values: dict[str, Value]) -> int:
        shape = space.shape(values)
        box = dict(every)
        ways = 1
        if isinstance(ratio, Choice) and alike is not None:
            ways *= alike[_ratios(values.get("width_ratio", ratio.values[0]))]
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
