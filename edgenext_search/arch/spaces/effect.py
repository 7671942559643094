"""Which fields of a space can change a network: those that no block uses are no dimension of a search."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping

from edgenext_search.arch.candidate import STAGES
from edgenext_search.arch.spaces.domain import STAGE_RULES, item, key_of, whole_numbers
from edgenext_search.arch.spaces.parameter import Choice, Parameter, Value
from edgenext_search.arch.spaces.space_file import Range, SpaceFile
from edgenext_search.results import Result

SDTA_FIELDS = ("sdta_splits", "heads", "pos_emb")  # what SDTA blocks alone use
CONV_FIELDS = ("kernel_size",)  # what the other blocks alone use


class NoEffect(Result):
    """A key of a space file that no block can use."""

    key: str
    """Path of the key, such as ``stages.2.heads``."""
    reason: str
    """Why no block uses it, as the rest of a sentence."""


class Alike(Result):
    """Choices of one key that build the same networks."""

    key: str
    """Path of the key."""
    values: tuple[Value, ...]
    """The choices, two or more."""


class NotReached(Result):
    """A range whose steps miss its end."""

    key: str
    """Path of the key."""
    max: int | float
    """The end in the file."""
    largest: int | float
    """The largest value of the range."""


def not_reached(file: SpaceFile, domains: Mapping[str, Parameter]) -> Iterator[NotReached]:
    """The ranges of a file whose steps miss their end."""
    for name, domain in domains.items():
        stages, field = _stages(name), name.rpartition(".")[2]
        owner = file if field not in STAGE_RULES else file.shared if len(stages) > 1 else file.stages[stages[0] - 1]
        written = getattr(owner, field)
        if isinstance(written, Range) and isinstance(domain, Choice):
            largest = max(value for value in domain.values if isinstance(value, (int, float)))
            if written.max - largest > 1e-6:
                yield NotReached(key=key_of(name), max=written.max, largest=largest)


def without_effect(file: SpaceFile, domains: Mapping[str, Parameter]) -> Iterator[NoEffect]:
    """The keys that stand in a file and that no block can use."""
    for name in domains:
        stages = _stages(name)
        field = name.rpartition(".")[2]
        owner = file.shared if len(stages) > 1 else file.stages[stages[0] - 1]
        if field not in STAGE_RULES or getattr(owner, field) is None:
            continue
        if field in SDTA_FIELDS + CONV_FIELDS and not _used(domains, name):
            if field in SDTA_FIELDS:
                reason = f"stage {stages[0]} has no SDTA blocks" if len(stages) == 1 else "no stage has SDTA blocks"
            else:
                reason = f"{f'stage {stages[0]}' if len(stages) == 1 else 'every stage'} has SDTA blocks alone"
            yield NoEffect(key=key_of(name), reason=reason)


def alike(domains: Mapping[str, Parameter]) -> Iterator[Alike]:
    """The choices that build the same networks as others, of fields that have an effect."""
    for name, domain in domains.items():
        if isinstance(domain, Choice) and _used(domains, name):
            for values in _groups(domains, domain).values():
                if len(values) > 1:
                    yield Alike(key=key_of(name), values=tuple(values))


def fixed_where_alike(domains: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """The domains, with a single value, the first, where all choices build the same networks."""
    return {
        name: Choice(name=name, values=domain.values[:1])
        if isinstance(domain, Choice) and len(_groups(domains, domain)) == 1
        else domain
        for name, domain in domains.items()
    }


def _groups(domains: Mapping[str, Parameter], domain: Choice) -> dict[Hashable, list[Value]]:
    """Choices by what the stages that use the field see of them."""
    groups: dict[Hashable, list[Value]] = {}
    used = _used(domains, domain.name)
    for value in domain.values:
        groups.setdefault(tuple(_seen(domains, domain.name, value, stage) for stage in used), []).append(value)
    return groups


def _seen(domains: Mapping[str, Parameter], name: str, value: Value, stage: int) -> Value:
    """What a stage takes from a choice; more SDTA blocks than it can have blocks are as many as those."""
    own = item(value, stage)
    if name.rpartition(".")[2] == "sdta_blocks":
        return min(own, max(whole_numbers(domains, "depth", stage)))
    return own


def _used(domains: Mapping[str, Parameter], name: str) -> list[int]:
    """The stages (1 to 4) in which a block can use a field, of those that the parameter stands for."""
    field = name.rpartition(".")[2]
    stages = _stages(name)
    if field in SDTA_FIELDS:
        return [stage for stage in stages if max(whole_numbers(domains, "sdta_blocks", stage)) > 0]
    if field in CONV_FIELDS:
        return [
            stage
            for stage in stages
            if min(whole_numbers(domains, "sdta_blocks", stage)) < max(whole_numbers(domains, "depth", stage))
        ]
    if field == "width_ratio":
        return [stage for stage in stages if stage > 1]  # the first is what the others are measured by
    return list(stages)


def _stages(name: str) -> tuple[int, ...]:
    """The stages (1 to 4) that a parameter stands for."""
    stage, dot, _ = name.rpartition(".")
    return (int(stage.removeprefix("stage")),) if dot else tuple(range(1, STAGES + 1))
