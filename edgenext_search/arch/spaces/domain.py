"""From the keys of a space file to the values that each field may take, every one checked against its rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from edgenext_search.arch.candidate import NORM_ACTS, STAGES, UNUSED_HEADS, UNUSED_KERNEL_SIZE, UNUSED_SPLITS
from edgenext_search.arch.spaces.parameter import Choice, Interval, Parameter, Value
from edgenext_search.arch.spaces.space_file import MOST_CHOICES, Domain, Range, SpaceFile
from edgenext_search.errors import UserError
from edgenext_search.validation import short


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What the numbers of a field have to be. The largest is far beyond any use: it keeps a typo from running for days.

    Attributes:
        smallest: Smallest value.
        largest: Largest value.
        default: What the field is in a stage where neither the stage nor ``shared`` says; None: it must be given.
    """

    smallest: float = 0
    largest: float = 1
    default: Value | None = None


STAGE_RULES: dict[str, Rule] = {
    "width_ratio": Rule(smallest=0.01, largest=100, default=1.0),
    "depth": Rule(smallest=1, largest=1000),
    "kernel_size": Rule(smallest=1, largest=255, default=UNUSED_KERNEL_SIZE),
    "sdta_blocks": Rule(smallest=0, largest=1000, default=0),
    "sdta_splits": Rule(smallest=2, largest=64, default=UNUSED_SPLITS),
    "heads": Rule(smallest=1, largest=256, default=UNUSED_HEADS),
    "pos_emb": Rule(default=False),
}
RULES = {**STAGE_RULES, "expand_ratio": Rule(smallest=1, largest=64), "norm_act": Rule()}


def domains(file: SpaceFile) -> dict[str, Parameter]:
    """Every field of the space by parameter name (``depth`` where shared, else ``stage3.depth``), fixed or not.

    Raises:
        UserError: A field is missing, stands twice, or has a value that breaks its rule; the message begins with the
            key's path.
    """
    parameters = dict(_domains(file))
    _check_sdta_blocks(parameters)
    return parameters


def at_stage(domains: Mapping[str, Parameter], field: str, stage: int) -> Parameter:
    """What a field of a stage (1 to 4) takes its value from: a parameter of all stages, or one of its own."""
    return domains[field] if field in domains else domains[f"stage{stage}.{field}"]


def item(value: Value, stage: int) -> Value:
    """The part of a choice that is for a stage (1 to 4)."""
    return value[stage - 1] if isinstance(value, tuple) else value


def whole_numbers(domains: Mapping[str, Parameter], field: str, stage: int) -> list[int]:
    """The values that a field of whole numbers may have in a stage (1 to 4).

    Raises:
        TypeError: The field takes others.
    """
    domain = at_stage(domains, field, stage)
    values = [item(value, stage) for value in domain.values] if isinstance(domain, Choice) else []
    numbers = [value for value in values if isinstance(value, int)]
    if not numbers or len(numbers) < len(values):
        raise TypeError(f"{field} is not a field of whole numbers")
    return numbers


def key_of(name: str) -> str:
    """The path in the space file of a parameter: ``stages.3.depth``, ``shared.depth`` or ``expand_ratio``."""
    stage, dot, field = name.rpartition(".")
    if dot:
        return f"stages.{stage.removeprefix('stage')}.{field}"
    return f"shared.{field}" if field in STAGE_RULES else field


def _domains(file: SpaceFile) -> Iterator[tuple[str, Parameter]]:
    for name, domain in (("expand_ratio", file.expand_ratio), ("norm_act", file.norm_act)):
        yield name, _parameter(name, domain)
    for field, rule in STAGE_RULES.items():
        shared = getattr(file.shared, field)
        own = [getattr(stage, field) for stage in file.stages]
        if shared is not None:
            for stage, domain in enumerate(own, start=1):
                if domain is not None:
                    raise UserError(f"stages.{stage}.{field}: the field stands in `shared` too; keep one of the two.")
            yield field, _parameter(field, shared, shared=True)
            continue
        for stage, domain in enumerate(own, start=1):
            name = f"stage{stage}.{field}"
            if domain is None and rule.default is not None:
                yield name, Choice(name=name, values=(rule.default,))
                continue
            if domain is None:
                raise UserError(f"{key_of(name)}: the field is missing; give it here or under `shared`.")
            if field == "width_ratio" and stage == 1 and (isinstance(domain, bool) or domain not in (1, 1.0)):
                raise UserError(f"{key_of(name)}: the first stage is what the others are measured by; leave it out.")
            yield name, _parameter(name, domain)


def _check_sdta_blocks(domains: Mapping[str, Parameter]) -> None:
    """SDTA blocks are blocks of a stage: more than its depth count as its depth, but some choice has to fit."""
    for stage in range(1, STAGES + 1):
        shared = domains.get("sdta_blocks")
        if isinstance(shared, Choice) and not all(isinstance(value, tuple) for value in shared.values):
            continue  # one number for all stages counts as the depth of those that are shallower
        fewest = min(whole_numbers(domains, "sdta_blocks", stage))
        most = max(whole_numbers(domains, "depth", stage))
        if fewest > most:
            key = key_of(at_stage(domains, "sdta_blocks", stage).name)
            raise UserError(
                f"{key}: must be <= the stage's depth, but it is at least {fewest} and stage {stage} "
                f"has at most {most} blocks; take fewer SDTA blocks or a greater depth."
            )


def _parameter(name: str, domain: Domain, *, shared: bool = False) -> Parameter:
    """The parameter of one field, with each of its values checked against the field's rule."""
    path, field = key_of(name), name.rpartition(".")[2]
    if isinstance(domain, Range):
        if field in ("norm_act", "pos_emb"):
            raise UserError(f"{path}: a range is for numbers; list the choices.")
        low, high = (_check_number(f"{path}.{end}", field, getattr(domain, end)) for end in ("min", "max"))
        if domain.step is None and field == "width_ratio" and low != high:
            return Interval(name=name, low=low, high=high)
        values: list[Any] = _range_values(path, field, domain)
    else:
        values = list(domain) if isinstance(domain, list) else [domain]
    checked: list[Value] = []
    for value in values:
        if isinstance(value, (list, tuple)):
            if not shared or len(value) != STAGES:
                raise UserError(
                    f"{path}: a choice is one value, or under `shared` a list of {STAGES}, "
                    f"but got {short(list(value))}."
                )
            checked.append(tuple(_check_value(path, field, part) for part in value))
        else:
            checked.append(_check_value(path, field, value))
    for choice in checked:
        if (times := checked.count(choice)) > 1:
            shown = list(choice) if isinstance(choice, tuple) else choice
            each = len(checked) == STAGES and path.startswith("shared.")
            hint = f" One value for each stage is a list in the list: [{list(checked)}]." if each else ""
            raise UserError(f"{path}: each choice must stand once, but {shown!r} stands {times} times.{hint}")
    return Choice(name=name, values=tuple(checked))


def _range_values(path: str, field: str, domain: Range) -> list[int | float]:
    """The values of a range in steps, counted before they are made."""
    step = domain.step or 1
    if field == "kernel_size" and step % 2 and domain.min != domain.max:
        raise UserError(f"{path}: kernel sizes are odd, but a step of {step:g} leads to even ones; write step: 2.")
    low, high, width = (Fraction(str(number)) for number in (domain.min, domain.max, step))  # 0.1 as it was written
    count = int((high - low) / width + Fraction(1, 10**9)) + 1
    if count > MOST_CHOICES:
        raise UserError(f"{path}: must have at most {MOST_CHOICES:,} values, but has {count:,}; take a larger step.")
    return [domain.min + index * step for index in range(count)]


def _check_value(path: str, field: str, value: object) -> Value:
    """The value of a field as its type, or an error that names the path."""
    if field == "norm_act":
        if not isinstance(value, str) or value not in NORM_ACTS:
            raise UserError(f"{path}: must be one of {', '.join(NORM_ACTS)}, but got {short(value)}.")
        return value
    if field == "pos_emb":
        if not isinstance(value, bool):
            raise UserError(f"{path}: must be true or false, but got {short(value)}.")
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        unquoted = isinstance(value, str) and value.strip().replace(".", "", 1).isdigit()
        raise UserError(f"{path}: must be a number, but got {short(value)}{'; take its quotes away' * unquoted}.")
    return _check_number(path, field, value)


def _check_number(path: str, field: str, value: float) -> int | float:
    """A number as the type of its field, or an error that names the path."""
    rule = RULES[field]
    if value < rule.smallest:
        raise UserError(f"{path}: must be >= {rule.smallest:g}, but got {short(value)}.")
    if value > rule.largest:
        raise UserError(f"{path}: must be <= {rule.largest:g}, but got {short(value)}.")
    if field == "width_ratio":
        return float(value)
    if value != int(value):
        raise UserError(f"{path}: must be a whole number, but got {short(value)}.")
    if field == "kernel_size" and value % 2 == 0:
        raise UserError(f"{path}: must be odd, but got {short(value)}.")
    return int(value)
