"""Families of sizes, and the law fitted to known families, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from edgenext_search.arch.metrics import METRICS, CostName
from edgenext_search.report.document import Cell, Column, Document, Row, Table, columns, row
from edgenext_search.report.scaling.document import latency_text
from edgenext_search.report.wording import caps_text, sentence, size_text, stages_text
from edgenext_search.scaling.records import FamilyMember, FamilyResult, FitResult, PublishedSize
from edgenext_search.texts import counted

_UNITS = {"gmacs": "GMACs", "params_m": "M params", "macts": "M acts"}


def family_document(family: FamilyResult) -> Document:
    """A family and the published variants with the same norm_act, by parameters."""
    names: list[CostName] = ["params", "madds", "acts"]
    if family.latency:
        names.append("latency")
    rows = [
        (member.params, _row(caps_text(member.budget), member, names, used=f"{100 * member.usage:.1f} %"))
        for member in family.members
    ]
    rows += [
        (variant.params, _row(size_text(variant.name), variant, names, top1=f"{variant.imagenet_top1:.2f}"))
        for variant in family.published
    ]
    table = Table(
        label="Family",
        columns=(
            Column(label="size"),
            Column(label="used", right=True),
            Column(label="candidate", narrow="drop"),
            *(
                Column(label=METRICS[name].short, right=True, narrow=_narrow(name), main=name == "params")
                for name in names
            ),
            Column(label="px", right=True),
            Column(label="widths"),
            Column(label="depths"),
            Column(label="ImageNet", right=True, main=True),
        ),
        rows=tuple(row for _, row in sorted(rows, key=lambda pair: pair[0])),
    )
    rule, saved = family.rule, [member.path for member in family.members if member.path]
    shares = f"depth {rule.depth:.2f}, width {rule.width:.2f}, size {rule.size:.2f}"
    qualifiers = [
        f"Costs at {family.num_classes} classes and the pixels of each row. Top-1 is the published one on ImageNet."
    ]
    if family.latency:
        qualifiers.append(f"{sentence(latency_text(family.latency))}; `latency measure` tells whether they hold.")
    qualifiers.append(f"Saved: {', '.join(saved)}" if saved else "--out DIR saves the members as candidates.")
    return Document(
        topic=("family", family.fingerprint),
        answer=f"{counted(len(family.members), 'size')} of {family.fingerprint} by the rule {rule.name} ({shares}).",
        qualifiers=tuple(qualifiers),
        brief=(table,),
    )


def fit_document(result: FitResult) -> Document:
    """What the law predicts of each family's largest member."""
    from edgenext_search.scaling.law import law_text

    heads = ("family", "largest", _UNITS[result.by], "top-1", "predicted", "90 % interval", "error", "law, error in %")
    drop = ("largest", "law, error in %")
    table = Table(
        label="Largest members",
        columns=tuple(
            replace(column, narrow="drop" if column.label in drop else "own")
            for column in columns(*heads, left=("family", *drop), main=("predicted",))
        ),
        rows=tuple(
            row(
                name,
                member.model,
                f"{member.cost:g}",
                f"{member.top1:.2f}",
                f"{member.predicted:.2f}",
                f"{member.low:.2f} to {member.high:.2f}{'' if member.covered else ' !'}",
                f"{member.error:+.2f}",
                law_text(member.law),
            )
            for name, member in result.families.items()
        ),
    )
    missed = " An interval marked ! misses." if any(not row.covered for row in result.families.values()) else ""
    return Document(
        topic=("scaling law", result.by),
        answer=f"Largest members, predicted from the smaller ones: median error {result.median_abs_error:.2f} points, "
        f"{counted(result.n, 'family', 'families')}.",
        qualifiers=(
            (
                f"90 % intervals cover {100 * result.coverage_90:.0f} % of {result.left_out} left-out members, each "
                f"predicted from all smaller ones, and {100 * result.coverage_90_largest:.0f} % of the largest.{missed}"
            ),
            *(f"{skipped.family} is left out: {skipped.reason}." for skipped in result.skipped),
        ),
        brief=(table,),
    )


def _row(
    name: str, size: FamilyMember | PublishedSize, names: Sequence[CostName], *, used: str = "", top1: str = ""
) -> Row:
    candidate = size.candidate
    return row(
        name,
        used,
        Cell(text=candidate.fingerprint if used else "", code=bool(used)),
        *(METRICS[key].text(getattr(size, key)) for key in names),
        str(size.img_size),
        *(stages_text(candidate, field) for field in ("widths", "depths")),
        top1,
    )


def _narrow(name: CostName) -> Literal["own", "drop"]:
    return "drop" if name == "acts" else "own"
