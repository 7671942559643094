"""The keys of a search space file: what pydantic can check of it, and the JSON schema that editors use."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    field_validator,
    model_validator,
)

from edgenext_search.arch.candidate import STAGES, WIDTH_MULTIPLE
from edgenext_search.validation import Settings, short

MOST_CHOICES = 1000  # values of one field, listed or in a range

Scalar = bool | int | float | str


class Range(Settings):
    """Numbers from ``min`` to ``max``: whole ones in steps, or all of them where a field is not whole."""

    min: int | float
    """Smallest value."""
    max: int | float
    """Largest value."""
    step: int | float | None = None
    """Distance between values; 1 where the field is whole and none is given, continuous otherwise."""

    @field_validator("min", "max", "step", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError(f"must be a number, but got {short(value)}")
        return value

    @model_validator(mode="after")
    def _check(self) -> Range:
        if self.max < self.min:
            raise ValueError(f"max must be >= min, but got min={short(self.min)}, max={short(self.max)}")
        if self.step is not None and self.step <= 0:
            raise ValueError(f"step must be > 0, but got {short(self.step)}")
        return self


def _plain(value: object) -> object:
    """A domain without what no field can be, so that one sentence says what is wrong with it."""
    if value is None:
        raise ValueError("the key has no value; give it one, or take it away")
    if isinstance(value, list) and not 1 <= len(value) <= MOST_CHOICES:
        raise ValueError(f"must be a list of 1 to {MOST_CHOICES:,} choices, but has {len(value):,}")
    choices = value if isinstance(value, list) else [] if isinstance(value, (dict, Range)) else [value]
    for choice in choices:
        for item in choice if isinstance(choice, list) else [choice]:
            if not isinstance(item, Scalar):
                raise ValueError(f"must be a value, a list or a range {{min, max, step}}, but got {short(item)}")  # noqa: TRY004
            if isinstance(item, float) and not math.isfinite(item):
                raise ValueError(f"must be finite, but got {item!r}")
    return value


Choices = Annotated[list[Scalar | list[Scalar]], Field(min_length=1, max_length=MOST_CHOICES)]


def _kind(value: object) -> str:
    if isinstance(value, (dict, Range)):
        return "range"
    return "choices" if isinstance(value, list) else "value"


Domain = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")] | Annotated[Scalar, Tag("value")],
    Discriminator(_kind),
    BeforeValidator(_plain),
]
"""One value, a list of choices, or a range."""


class StageFields(Settings):
    """The fields of a stage. Each is one value, a list of choices, or a range."""

    width_ratio: Domain | None = None
    """Width of the stage over the width of the stage before it; 1 in the first stage."""
    depth: Domain | None = None
    """Blocks of the stage."""
    kernel_size: Domain | None = None
    """Odd kernel size of its depthwise convolutions."""
    sdta_blocks: Domain | None = None
    """How many of its blocks, counted from its end, are SDTA blocks; never more than its depth."""
    sdta_splits: Domain | None = None
    """Channel groups of its SDTA blocks."""
    heads: Domain | None = None
    """Attention heads of its SDTA blocks."""
    pos_emb: Domain | None = None
    """Whether its SDTA blocks add a positional encoding."""

    @field_validator("*", mode="before")
    @classmethod
    def _given(cls, value: object) -> object:
        return _plain(value)


class SpaceFile(Settings):
    """The keys of a search space file."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$")]
    """What the space is called in reports."""
    description: str = ""
    """What it is for, in a sentence or two."""
    width_multiple: Annotated[int, Field(ge=1, le=1024)] = WIDTH_MULTIPLE
    """Widths are multiples of this, or of the heads where that is coarser."""
    expand_ratio: Domain = 4
    """Hidden width of every inverted bottleneck, as a multiple of its block's width."""
    norm_act: Domain = "ln_gelu"
    """Normalisation and activation."""
    shared: StageFields = StageFields()
    """Fields that have the same value in all stages; a choice may also be a list of four, one for each stage."""
    stages: Annotated[list[StageFields], Field(min_length=STAGES, max_length=STAGES)]
    """Fields of each stage, varied independently."""

    @field_validator("shared", mode="before")
    @classmethod
    def _fields(cls, value: object) -> object:
        if not isinstance(value, (dict, StageFields)):
            raise ValueError(f"must be a mapping of fields, but got {short(value)}; leave it out if empty")  # noqa: TRY004
        return value

    @field_validator("stages", mode="before")
    @classmethod
    def _four(cls, value: object) -> object:
        if not isinstance(value, list) or len(value) != STAGES:
            got = f"{len(value)} of them" if isinstance(value, list) else short(value)
            raise ValueError(f"must be a list of the fields of the {STAGES} stages, but got {got}")
        for number, stage in enumerate(value, start=1):
            if not isinstance(stage, (dict, StageFields)):
                raise ValueError(f"stage {number} must be a mapping of fields, but got {short(stage)}")  # noqa: TRY004
        return value
