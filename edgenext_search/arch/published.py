"""The published EdgeNeXt variants: shapes, costs and ImageNet accuracies (arXiv 2206.10589, table 2)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

from edgenext_search.arch.candidate import Candidate
from edgenext_search.errors import UserError
from edgenext_search.texts import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedVariant:
    """One published network with its costs at 256x256 pixels and 1000 classes.

    Attributes:
        name: Its name in timm, such as ``edgenext_xx_small``.
        candidate: Its architecture.
        params: Parameters.
        madds: Multiply-adds of one image.
        imagenet_top1: Published ImageNet-1k top-1, in percent.
    """

    name: str
    candidate: Candidate
    params: int
    madds: int
    imagenet_top1: float


@cache
def published_variants() -> dict[str, PublishedVariant]:
    """All published variants by name, smallest first."""
    text = resources.files("edgenext_search.arch").joinpath("published.json").read_text(encoding="utf-8")
    return {
        name: PublishedVariant(
            name=name,
            candidate=Candidate.from_dict(facts["candidate"]),
            params=facts["params"],
            madds=facts["madds"],
            imagenet_top1=facts["imagenet_top1"],
        )
        for name, facts in json.loads(text)["variants"].items()
    }


def published_variant(name: str) -> PublishedVariant:
    """The published variant called ``name``.

    Raises:
        UserError: There is none; the message lists those that exist.
    """
    variants = published_variants()
    if name not in variants:
        there = ", ".join(variants)
        raise UserError(f"There is no published variant {name!r}; there are {there}.{nearest(name, variants)}")
    return variants[name]
