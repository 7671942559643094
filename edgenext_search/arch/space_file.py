"""The keys of a search space file: what pydantic can check of it, and the JSON schema that editors use."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator, Field, StringConstraints, Tag, model_validator

from edgenext_search.arch.candidate import STAGES
from edgenext_search.validation import Settings

Scalar = bool | int | float | str


class Range(Settings):
    """Numbers from ``min`` to ``max``: whole ones in steps, or all of them where a field is not whole."""

    min: int | float
    """Smallest value."""
    max: int | float
    """Largest value."""
    step: int | float | None = None
    """Distance between values; 1 where the field is whole and none is given, continuous otherwise."""

    @model_validator(mode="after")
    def _check(self) -> Range:
        if self.max < self.min:
            raise ValueError(f"max must be >= min, but got min={self.min}, max={self.max}")
        if self.step is not None and self.step <= 0:
            raise ValueError(f"step must be > 0, but got {self.step}")
        return self


Choices = Annotated[list[Scalar | list[Scalar]], Field(min_length=1)]


def _kind(value: object) -> str:
    if isinstance(value, (dict, Range)):
        return "range"
    return "choices" if isinstance(value, list) else "value"


Domain = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")] | Annotated[Scalar, Tag("value")],
    Discriminator(_kind),
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


class SpaceFile(Settings):
    """The keys of a search space file."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$")]
    """What the space is called in reports."""
    description: str = ""
    """What it is for, in a sentence or two."""
    width_multiple: Annotated[int, Field(ge=1)] = 8
    """Widths are multiples of this, or of the heads where that is coarser."""
    expand_ratio: Domain = 4
    """Hidden width of every inverted bottleneck, as a multiple of its block's width."""
    norm_act: Domain = "ln_gelu"
    """Normalisation and activation."""
    shared: StageFields = StageFields()
    """Fields that have the same value in all stages; a choice may also be a list of four, one for each stage."""
    stages: Annotated[list[StageFields], Field(min_length=STAGES, max_length=STAGES)]
    """Fields of each stage, varied independently."""
