"""A family of sizes from one network, beside the published variants."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.published import published_variants
from edgenext_search.arch.scaling import Member, ScalingRule
from edgenext_search.scaling.latency import latency_conditions
from edgenext_search.scaling.records import FamilyMember, FamilyResult, PublishedSize, RuleResult


def family_result(
    candidate: Candidate,
    members: Sequence[Member],
    rule: ScalingRule,
    deployment: Deployment,
    places: Sequence[Path] = (),
) -> FamilyResult:
    """A family and the published variants with the same norm_act.

    Args:
        candidate: Network that the family began with.
        members: Members of the family.
        rule: Rule that they were scaled by.
        deployment: Deployment of the candidate, which the published variants' costs are counted for too.
        places: Folders where the members were saved; empty if they were not.
    """
    saved: list[str | None] = [str(place) for place in places]
    variants = [item for item in published_variants().values() if item.candidate.norm_act == candidate.norm_act]
    return FamilyResult(
        fingerprint=candidate.fingerprint,
        candidate=candidate,
        rule=RuleResult(name=rule.name, depth=rule.depth, width=rule.width, size=rule.size),
        num_classes=deployment.num_classes,
        img_size=deployment.img_size,
        members=tuple(
            FamilyMember(
                **member.cost.to_dict(),
                budget=member.budget.to_dict(),
                usage=member.usage,
                growth=member.growth,
                fingerprint=member.candidate.fingerprint,
                candidate=member.candidate,
                img_size=member.deployment.img_size,
                path=path,
            )
            for member, path in zip(members, saved or [None] * len(members), strict=True)
        ),
        published=tuple(
            PublishedSize(
                **cost(item.candidate, deployment).to_dict(),
                name=item.name,
                candidate=item.candidate,
                img_size=deployment.img_size,
                imagenet_top1=item.imagenet_top1,
            )
            for item in variants
        ),
        latency=latency_conditions(deployment, [member.candidate for member in members]),
    )
