"""Families of sizes, and the law fitted to known families, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Cost, Deployment, cost
from edgenext_search.arch.metrics import METRICS, CostName
from edgenext_search.arch.published import published_variants
from edgenext_search.arch.scaling import Member, ScalingRule
from edgenext_search.report.document import Cell, Column, Document, Row, Table, columns, row
from edgenext_search.report.scaling.document import latency_text
from edgenext_search.report.wording import caps_text, sentence, size_text, stages_text
from edgenext_search.scaling.records import FitResult, LatencyConditions
from edgenext_search.texts import counted

_UNITS = {"gmacs": "GMACs", "params_m": "M params", "macts": "M acts"}


def family_document(
    candidate: Candidate,
    members: Sequence[Member],
    rule: ScalingRule,
    deployment: Deployment,
    *,
    places: Sequence[Path] = (),
    latency: LatencyConditions | None = None,
) -> Document:
    """A family and the published variants with the same norm_act, by parameters.

    Args:
        candidate: Network that the family began with.
        members: Members of the family.
        rule: Rule that they were scaled by.
        deployment: Deployment that costs of the published variants are counted for.
        places: Folders where the members were saved; empty if they were not.
        latency: Where latencies come from; None without a latency profile.
    """
    names: list[CostName] = ["params", "madds", "acts", *(["latency"] if latency else [])]  # type: ignore[list-item]
    rows = [
        (
            member.cost.params,
            _row(
                caps_text(member.budget.to_dict()),
                member.candidate,
                member.cost,
                names,
                member.deployment.img_size,
                used=f"{100 * member.usage:.1f} %",
            ),
        )
        for member in members
    ]
    for variant in published_variants().values():
        if variant.candidate.norm_act == candidate.norm_act:
            costs, top1 = cost(variant.candidate, deployment), f"{variant.imagenet_top1:.2f}"
            name, size = size_text(variant.name), deployment.img_size
            rows.append((costs.params, _row(name, variant.candidate, costs, names, size, top1=top1)))
    table = Table(
        label="Family",
        columns=(
            Column(label="size"),
            Column(label="used", right=True),
            Column(label="candidate", narrow="drop"),
            *(Column(label=METRICS[name].short, right=True, narrow=_narrow(name)) for name in names),
            Column(label="px", right=True),
            Column(label="widths"),
            Column(label="depths"),
            Column(label="ImageNet", right=True),
        ),
        rows=tuple(row for _, row in sorted(rows, key=lambda pair: pair[0])),
    )
    shares = f"depth {rule.depth:.2f}, width {rule.width:.2f}, size {rule.size:.2f}"
    qualifiers = [
        f"Costs at {deployment.num_classes} classes and the pixels of each row. Top-1 is the published one on ImageNet."
    ]
    if latency:
        qualifiers.append(f"{sentence(latency_text(latency))}; `latency measure` tells whether they hold.")
    saved = f"Saved: {', '.join(map(str, places))}" if places else "--out DIR saves the members as candidates."
    return Document(
        topic=("family", candidate.fingerprint),
        answer=f"{counted(len(members), 'size')} of {candidate.fingerprint} by the rule {rule.name} ({shares}).",
        qualifiers=(*qualifiers, saved),
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
            Column(label=column.label, right=column.right, narrow="drop" if column.label in drop else "own")
            for column in columns(*heads, left=("family", *drop))
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
    name: str,
    candidate: Candidate,
    costs: Cost,
    names: Sequence[CostName],
    size: int,
    *,
    used: str = "",
    top1: str = "",
) -> Row:
    return row(
        name,
        used,
        Cell(text=candidate.fingerprint if used else "", code=bool(used)),
        *(METRICS[key].text(getattr(costs, key)) for key in names),
        str(size),
        *(stages_text(candidate, field) for field in ("widths", "depths")),
        top1,
    )


def _narrow(name: CostName) -> Literal["own", "drop"]:
    return "drop" if name == "acts" else "own"
