"""Search spaces: what may vary, over which values. Read from YAML, validated, turned into named parameters."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping
from statistics import fmean
from typing import Any, Self

from edgenext_search.arch.candidate import STAGES, Candidate
from edgenext_search.arch.shape import Shape
from edgenext_search.arch.spaces.domain import domains
from edgenext_search.arch.spaces.effect import (
    Alike,
    NoEffect,
    NotReached,
    alike,
    fixed_where_alike,
    not_reached,
    without_effect,
)
from edgenext_search.arch.spaces.parameter import Choice, Interval, Parameter, Value
from edgenext_search.arch.spaces.space_file import SpaceFile
from edgenext_search.errors import UserError
from edgenext_search.files import find_file, read_yaml

Assignment = Mapping[str, Value]


class Space:
    """A search space as named parameters, each a choice or an interval, that together make a shape.

    Attributes:
        file: The validated keys of the space's file.
        domains: Every field by parameter name, those with a single value too. A field that no block can use, or whose
            choices all build the same network, has a single value.
        parameters: What varies, in a fixed order; fields with a single value are not among them.
        no_effect: Keys of the file that no block can use.
        alike: Keys of the file with choices that build the same networks as others of theirs.
        not_reached: Ranges of the file whose steps miss their end.
    """

    def __init__(self, file: SpaceFile) -> None:
        self.file = file
        written = domains(file)
        self.no_effect: tuple[NoEffect, ...] = tuple(without_effect(file, written))
        self.alike: tuple[Alike, ...] = tuple(alike(written))
        self.not_reached: tuple[NotReached, ...] = tuple(not_reached(file, written))
        self.domains = fixed_where_alike(written)
        self.parameters: tuple[Parameter, ...] = tuple(
            domain for domain in self.domains.values() if isinstance(domain, Interval) or len(domain.values) > 1
        )

    @property
    def name(self) -> str:
        """What the space is called."""
        return self.file.name

    @property
    def norm_acts(self) -> tuple[Value, ...]:
        """The values that norm_act may have."""
        domain = self.domains["norm_act"]
        return domain.values if isinstance(domain, Choice) else ()

    @classmethod
    def load(cls, name: str) -> Self:
        """The space given by name (``edgenext``) or path.

        Raises:
            UserError: It does not exist, or breaks a rule; the message names the key.
        """
        path = find_file("space", name)
        values = read_yaml(path)
        if "proxy" in values and "stages" not in values:
            raise UserError(f"{path} is a study, not a search space; it belongs behind --study.")
        return cls.from_dict(values, where=str(path))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str = "space") -> Self:
        """A space from the keys of its file; ``where`` begins the messages of what is wrong with them."""
        file = SpaceFile.read(values, where=where)
        try:
            return cls(file)
        except UserError as error:
            raise UserError(f"{where}: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """The keys of its file, to be read back by :meth:`from_dict`."""
        return self.file.model_dump(mode="json", exclude_none=True)

    def draw(self, rng: random.Random) -> dict[str, Value]:
        """A value for each parameter, drawn uniformly and independently."""
        return {parameter.name: parameter.sample(rng) for parameter in self.parameters}

    @property
    def continuous(self) -> tuple[str, ...]:
        """Names of the parameters that take any value of an interval."""
        return tuple(parameter.name for parameter in self.parameters if isinstance(parameter, Interval))

    @property
    def assignments(self) -> int:
        """Number of assignments of listed values; an interval counts as one value."""
        return math.prod(len(parameter.values) for parameter in self.parameters if isinstance(parameter, Choice))

    def some(self, samples: int, rng: random.Random) -> tuple[list[dict[str, Value]], bool]:
        """All assignments where there are at most ``samples``, else random ones, and whether they are all."""
        if self.continuous or self.assignments > samples:
            return [self.draw(rng) for _ in range(samples)], False
        names = [parameter.name for parameter in self.parameters]
        rows = itertools.product(*(choice.values for choice in self.parameters if isinstance(choice, Choice)))
        return [dict(zip(names, row, strict=True)) for row in rows], True

    def shape(self, values: Assignment) -> Shape:
        """The shape that an assignment of values to the parameters stands for.

        Raises:
            UserError: A parameter has no value, or one that is not in its domain.
        """
        resolved: dict[str, Any] = {name: self._value(domain, values) for name, domain in self.domains.items()}
        expand_ratio, norm_act = resolved["expand_ratio"], resolved["norm_act"]

        def stage_values(field: str) -> tuple[Any, Any, Any, Any]:
            shared = resolved.get(field)
            if isinstance(shared, tuple):
                v1, v2, v3, v4 = shared
            elif shared is not None:
                v1 = v2 = v3 = v4 = shared
            else:
                v1, v2, v3, v4 = (resolved[f"stage{stage}.{field}"] for stage in range(1, STAGES + 1))
            return v1, v2, v3, v4

        _, r2, r3, r4 = stage_values("width_ratio")
        d1, d2, d3, d4 = stage_values("depth")
        s1, s2, s3, s4 = stage_values("sdta_blocks")
        return Shape(
            proportions=(1.0, r2, r2 * r3, r2 * r3 * r4),
            depths=(d1, d2, d3, d4),
            kernel_sizes=stage_values("kernel_size"),
            sdta_splits=stage_values("sdta_splits"),
            sdta_blocks=(min(s1, d1), min(s2, d2), min(s3, d3), min(s4, d4)),
            heads=stage_values("heads"),
            expand_ratio=expand_ratio,
            pos_emb=stage_values("pos_emb"),
            norm_act=norm_act,
            width_multiple=self.file.width_multiple,
        )

    def nearest(self, candidate: Candidate) -> tuple[dict[str, Value], bool]:
        """The assignment closest to a candidate, and whether it gives exactly the candidate's shape."""
        ratios = [width / before for before, width in itertools.pairwise(candidate.widths)]
        fields = {
            "width_ratio": (fmean(ratios), *ratios),  # the first stage's is not used; the mean favours no choice
            "depth": candidate.depths,
            "kernel_size": candidate.kernel_sizes,
            "sdta_blocks": candidate.sdta_blocks,
            "sdta_splits": candidate.sdta_splits,
            "heads": candidate.heads,
            "pos_emb": candidate.pos_emb,
        }
        wanted: dict[str, Value] = {"expand_ratio": candidate.expand_ratio, "norm_act": candidate.norm_act}
        for field, stage_values in fields.items():
            wanted[field] = stage_values
            wanted |= {f"stage{stage}.{field}": value for stage, value in enumerate(stage_values, start=1)}
        values = {parameter.name: parameter.nearest(wanted[parameter.name]) for parameter in self.parameters}
        there = self.shape(values)
        scale = candidate.widths[0]
        proportions = tuple(width / scale for width in candidate.widths)
        same_proportions = all(abs(a - b) < 1e-9 for a, b in zip(there.proportions, proportions, strict=True))
        return values, same_proportions and _same_network(there, candidate)

    @staticmethod
    def _value(domain: Parameter, values: Assignment) -> Value:
        if isinstance(domain, Choice) and len(domain.values) == 1:
            return domain.values[0]
        if domain.name not in values:
            raise UserError(f"The space's parameter {domain.name} needs a value.")
        return domain.check(values[domain.name])


def _same_network(shape: Shape, candidate: Candidate) -> bool:
    """Whether a shape differs from a candidate in nothing but the widths."""
    try:
        return shape.candidate_at(candidate.widths) == candidate
    except UserError:
        return False
