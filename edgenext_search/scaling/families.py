"""How well the law of :mod:`edgenext_search.scaling.law` predicts members of known families of networks."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from edgenext_search.errors import UserError
from edgenext_search.scaling.law import CONFIDENCE, IMAGENET, Law, Prior, fit_law
from edgenext_search.scaling.records import FamilyFit, FitResult, LeftOutMember, NextMember, SkippedFamily
from edgenext_search.validation import Settings

By = Literal["gmacs", "params_m", "macts"]
LEAST_KNOWN = 2  # members that a left-out one is predicted from, but for the largest of a family of two
NEXT = 2.0  # times the largest member's cost: the next size
LONGEST_BYTES = 10_000_000  # of a file

_Cost = Annotated[float, Field(gt=0)]


class Member(Settings):
    """One network of a family."""

    model_config = ConfigDict(extra="ignore")

    model: str = ""
    """What it is called."""
    gmacs: _Cost | None = None
    """Billions of multiply-adds of one image."""
    params_m: _Cost | None = None
    """Millions of parameters."""
    macts: _Cost | None = None
    """Millions of activations of one image."""
    top1: Annotated[float, Field(gt=0, lt=100)]
    """Top-1 accuracy in percent."""


class Family(Settings):
    """Networks of one design and recipe, in several sizes."""

    model_config = ConfigDict(extra="ignore")

    members: list[Member]
    """In any order."""


class Families(Settings):
    """A file of families, such as ``benchmarks/imagenet_families.json``."""

    model_config = ConfigDict(extra="ignore")

    families: Annotated[dict[str, Family], Field(min_length=1)]
    """By name."""


def read_families(path: Path) -> dict[str, list[Member]]:
    """The families of a JSON file, each by ascending order in the file.

    Raises:
        UserError: It cannot be read, is not JSON, or breaks a rule; the message has the key's path.
    """
    try:
        if path.stat().st_size > LONGEST_BYTES:
            raise UserError(f"{path} must be at most {LONGEST_BYTES:,} bytes long; is it the right file?")
        values = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON: {error}.") from error
    return {name: family.members for name, family in Families.read(values, where=str(path)).families.items()}


def left_out(members: Sequence[Member], *, by: By = "gmacs", prior: Prior = IMAGENET) -> list[LeftOutMember]:
    """Each member that can be predicted from smaller ones, ascending; the last is the largest."""
    ordered = sorted(members, key=lambda member: _cost(member, by))
    first = max(min(LEAST_KNOWN, len(ordered) - 1), 0)
    predictions = []
    for index in range(first, len(ordered)) if first else ():
        law = _law(ordered[:index], by, prior)
        member = ordered[index]
        expected = law.predict(_cost(member, by))
        error = 100 - expected.value - member.top1
        predictions.append(
            LeftOutMember(
                model=member.model,
                cost=_cost(member, by),
                top1=member.top1,
                predicted=round(100 - expected.value, 3),
                low=round(100 - expected.high, 3),
                high=round(100 - expected.low, 3),
                error=round(error, 3),
                covered=100 - expected.high <= member.top1 <= 100 - expected.low,
                known=index,
                law=law.parameters,
            )
        )
    return predictions


def fit_families(families: Mapping[str, Sequence[Member]], *, by: By = "gmacs", prior: Prior = IMAGENET) -> FitResult:
    """What the law predicts of every family's largest member, and how often its intervals are right.

    Raises:
        UserError: A member lacks the cost, or no family has two members.
    """
    rows: dict[str, FamilyFit] = {}
    skipped = []
    for name, members in families.items():
        for place, member in enumerate(members, start=1):
            if getattr(member, by) is None:
                raise UserError(f"families.{name}.members.{place} has no {by}; add it, or fit --by another cost.")
        if len(members) < 2:
            reason = f"it has {len(members)} member{'' if members else 's'}"
            skipped.append(SkippedFamily(family=name, reason=reason))
            continue
        *_, largest = outs = left_out(members, by=by, prior=prior)
        law = _law(members, by, prior)
        after = law.predict(NEXT * largest.cost)
        rows[name] = FamilyFit(
            **largest.to_dict(),
            members=len(members),
            left_out=tuple(outs),
            full_law=law.parameters,
            next=NextMember(
                cost=NEXT * largest.cost,
                predicted=round(100 - after.value, 3),
                low=round(100 - after.high, 3),
                high=round(100 - after.low, 3),
            ),
        )
    if not rows:
        raise UserError("A law is tried on families of at least 2 members (3 say more), but the file has none.")
    every = [out for row in rows.values() for out in row.left_out]
    return FitResult(
        by=by,
        confidence=CONFIDENCE,
        median_abs_error=round(statistics.median(abs(row.error) for row in rows.values()), 3),
        coverage_90=round(statistics.fmean(out.covered for out in every), 3),
        left_out=len(every),
        coverage_90_largest=round(statistics.fmean(row.covered for row in rows.values()), 3),
        n=len(rows),
        skipped=tuple(skipped),
        families=rows,
    )


def _cost(member: Member, by: By) -> float:
    return float(getattr(member, by))


def _law(members: Sequence[Member], by: By, prior: Prior) -> Law:
    return fit_law([_cost(member, by) for member in members], [100 - member.top1 for member in members], prior)
