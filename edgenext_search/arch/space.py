"""Search spaces: what may vary, over which values. Read from YAML, validated, turned into named parameters."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

from edgenext_search.arch.candidate import (
    NORM_ACTS,
    STAGES,
    UNUSED_HEADS,
    UNUSED_KERNEL_SIZE,
    UNUSED_SPLITS,
    Candidate,
)
from edgenext_search.arch.parameter import Choice, Interval, Parameter, Value
from edgenext_search.arch.shape import Shape
from edgenext_search.arch.space_file import Domain, Range, SpaceFile
from edgenext_search.errors import UserError
from edgenext_search.files import find_file, read_yaml

Assignment = Mapping[str, Value]


# Field of a stage -> the smallest legal value and what it is where neither the stage nor `shared` says.
_STAGE_FIELDS: dict[str, tuple[float, Value | None]] = {
    "width_ratio": (0.01, 1.0),
    "depth": (1, None),
    "kernel_size": (1, UNUSED_KERNEL_SIZE),
    "sdta_blocks": (0, 0),
    "sdta_splits": (2, UNUSED_SPLITS),
    "heads": (1, UNUSED_HEADS),
    "pos_emb": (0, False),
}


class Space:
    """A search space as named parameters, each a choice or an interval, that together make a shape.

    Attributes:
        file: The validated keys of the space's file.
        parameters: What varies, in a fixed order; fields with a single value are not among them.
    """

    def __init__(self, file: SpaceFile) -> None:
        self.file = file
        self._domains = dict(_domains(file))
        self.parameters: tuple[Parameter, ...] = tuple(
            domain for domain in self._domains.values() if isinstance(domain, Interval) or len(domain.values) > 1
        )

    @property
    def name(self) -> str:
        """What the space is called."""
        return self.file.name

    @property
    def norm_acts(self) -> tuple[Value, ...]:
        """The values that norm_act may have."""
        domain = self._domains["norm_act"]
        return domain.values if isinstance(domain, Choice) else ()

    @classmethod
    def load(cls, name: str) -> Space:
        """The space given by name (``edgenext``) or path.

        Raises:
            UserError: It does not exist, or breaks a rule; the message names the key.
        """
        path = find_file("space", name)
        return cls.from_dict(read_yaml(path), where=str(path))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str = "space") -> Space:
        """A space from the keys of its file; ``where`` begins the messages of what is wrong with them."""
        file = SpaceFile.read(values, where=where)
        try:
            return cls(file)
        except UserError as error:
            raise UserError(f"{where}: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """The keys of its file, to be read back by :meth:`from_dict`."""
        return self.file.model_dump(mode="json", exclude_none=True)

    def sample(self, rng: random.Random) -> dict[str, Value]:
        """A value for each parameter, drawn uniformly and independently."""
        return {parameter.name: parameter.sample(rng) for parameter in self.parameters}

    def shape(self, values: Assignment) -> Shape:
        """The shape that an assignment of values to the parameters stands for.

        Raises:
            UserError: A parameter has no value, or one that is not in its domain.
        """
        resolved: dict[str, Any] = {name: self._value(domain, values) for name, domain in self._domains.items()}
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


def _domains(file: SpaceFile) -> Iterator[tuple[str, Parameter]]:
    """Every field of the space by parameter name, with fixed fields as choices of one value."""
    for name, domain, minimum in (("expand_ratio", file.expand_ratio, 1.0), ("norm_act", file.norm_act, None)):
        yield name, _parameter(name, domain, minimum=minimum)
    for field, (minimum, default) in _STAGE_FIELDS.items():
        shared = getattr(file.shared, field)
        own = [getattr(stage, field) for stage in file.stages]
        if shared is not None:
            for stage, domain in enumerate(own, start=1):
                if domain is not None:
                    raise UserError(f"stages.{stage}.{field}: the field stands in `shared` too; keep one of the two.")
            yield field, _parameter(field, shared, minimum=minimum, shared=True, path=f"shared.{field}")
            continue
        for stage, domain in enumerate(own, start=1):
            path = f"stages.{stage}.{field}"
            if domain is None and default is not None:
                yield f"stage{stage}.{field}", Choice(name=f"stage{stage}.{field}", values=(default,))
                continue
            if domain is None:
                raise UserError(f"{path}: the field is missing; give it here or under `shared`.")
            if field == "width_ratio" and stage == 1 and domain not in (1, 1.0):
                raise UserError(f"{path}: the first stage is what the others are measured by; leave it out, or 1.")
            yield f"stage{stage}.{field}", _parameter(f"stage{stage}.{field}", domain, minimum=minimum, path=path)


def _parameter(
    name: str, domain: Domain, *, minimum: float | None, shared: bool = False, path: str | None = None
) -> Parameter:
    """The parameter of one field, with each of its values checked against the field's rule."""
    path = path or name
    field = name.rpartition(".")[2]
    if isinstance(domain, Range):
        if field in ("norm_act", "pos_emb"):
            raise UserError(f"{path}: a range is for numbers; list the choices.")
        if domain.step is None and field == "width_ratio":
            _check_value(path, field, domain.min, minimum)
            if domain.min < domain.max:
                return Interval(name=name, low=float(domain.min), high=float(domain.max))
        step = domain.step or 1
        count = int((domain.max - domain.min) / step + 1e-9) + 1
        values: list[Any] = [domain.min + index * step for index in range(count)]
    else:
        values = list(domain) if isinstance(domain, list) else [domain]
    checked: list[Value] = []
    for value in values:
        if isinstance(value, (list, tuple)):
            if not shared or len(value) != STAGES:
                raise UserError(
                    f"{path}: a choice is one value, or under `shared` a list of {STAGES}, but got {list(value)!r}."
                )
            checked.append(tuple(_check_value(path, field, item, minimum) for item in value))
        else:
            checked.append(_check_value(path, field, value, minimum))
    if len(set(checked)) != len(checked):
        raise UserError(f"{path}: each choice must stand once, but got {checked!r}.")
    return Choice(name=name, values=tuple(checked))


def _check_value(path: str, field: str, value: object, minimum: float | None) -> Value:
    """The value of a field as its type, or an error that names the path."""
    if field == "norm_act":
        if not isinstance(value, str) or value not in NORM_ACTS:
            raise UserError(f"{path}: must be one of {', '.join(NORM_ACTS)}, but got {value!r}.")
        return value
    if field == "pos_emb":
        if not isinstance(value, bool):
            raise UserError(f"{path}: must be true or false, but got {value!r}.")
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UserError(f"{path}: must be a number, but got {value!r}.")
    if field != "width_ratio":
        if value != int(value):
            raise UserError(f"{path}: must be a whole number, but got {value!r}.")
        value = int(value)
    if minimum is not None and value < minimum:
        raise UserError(f"{path}: must be >= {minimum:g}, but got {value!r}.")
    if field == "kernel_size" and value % 2 == 0:
        raise UserError(f"{path}: must be odd, but got {value!r}.")
    return float(value) if field == "width_ratio" else value
