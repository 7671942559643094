"""A family of sizes from one candidate: depth, width and image size grow by a stated rule, each member fills a budget.

A rule shares a growth ``s`` of the multiply-adds out over the three dimensions, with exponents that sum to 1: depths
grow by ``s^d``, widths by ``s^(w/2)``, image sizes by ``s^(r/2)``, since multiply-adds are proportional to depth and
to the squares of width and image size (Dollar et al., "Fast and Accurate Model Scaling", arXiv 2103.06877).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.candidate import WIDTH_MULTIPLE, Candidate
from edgenext_search.arch.cost import LARGEST_SIZE, STRIDE, Cost, Deployment, cost
from edgenext_search.arch.projection import BAND, require_sensible, solve_widths
from edgenext_search.arch.shape import Shape
from edgenext_search.errors import UserError

_LARGEST_GROWTH = 2.0**24
_TOLERANCE = 1e-4  # of the growth's logarithm
_ASIDE = 40  # further growths that are tried where the first one's depths do not fill the budget
_ASIDE_STEP = 0.05  # of the growth's logarithm, one from the next


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingRule:
    """How a growth of the multiply-adds is shared out.

    Attributes:
        name: What people know it by.
        depth: Exponent d of the growth's share that depths take.
        width: Exponent w of the share that squared widths take.
        size: Exponent r of the share that squared image sizes take.

    Raises:
        UserError: An exponent is negative or not finite, or all are 0.
    """

    name: str
    depth: float
    width: float
    size: float

    def __post_init__(self) -> None:
        exponents = (self.depth, self.width, self.size)
        if not all(math.isfinite(value) and value >= 0 for value in exponents) or not sum(exponents):
            raise UserError(
                "The exponents of depth, width and size must be >= 0, and one > 0, but got "
                f"{':'.join(f'{value:g}' for value in exponents)}; write --exponents 0.1:0.8:0.1."
            )
        total = sum(exponents)
        for name, value in zip(("depth", "width", "size"), exponents, strict=True):
            object.__setattr__(self, name, value / total)

    @classmethod
    def parse(cls, text: str) -> ScalingRule:
        """A rule from ``d:w:r``, such as ``0.1:0.8:0.1``; brought to a sum of 1.

        Raises:
            UserError: It is not three numbers, or they make no rule.
        """
        try:
            depth, width, size = (float(part) for part in text.split(":"))
        except ValueError as error:
            raise UserError(f"--exponents takes d:w:r, such as 0.1:0.8:0.1, but got {text!r}.") from error
        return cls(name="custom", depth=depth, width=width, size=size)

    def __str__(self) -> str:
        return f"{self.name} (d:w:r {self.depth:.2f}:{self.width:.2f}:{self.size:.2f})"


RULES: dict[str, ScalingRule] = {
    rule.name: rule
    for rule in (
        # All widths alike, as between EdgeNeXt-XS, S and, nearly, B (arXiv 2206.10589, table 1).
        ScalingRule(name="width", depth=0.0, width=1.0, size=0.0),
        # EfficientNet (arXiv 1905.11946, equation 3): depth 1.2, width 1.1, size 1.15 for twice the multiply-adds.
        ScalingRule(name="compound", depth=math.log2(1.2), width=2 * math.log2(1.1), size=2 * math.log2(1.15)),
        # "Fast and Accurate Model Scaling" (arXiv 2103.06877): dWr with alpha = 0.8.
        ScalingRule(name="w-dominant", depth=0.1, width=0.8, size=0.1),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One size of a family.

    Attributes:
        budget: What it fills.
        candidate: The network.
        deployment: What its costs are counted for; the image size may have grown.
        cost: Its costs.
        usage: Share of the budget's tightest cap that it takes.
        growth: Of the multiply-adds by the rule, from the candidate that the family began with.
    """

    budget: Budget
    candidate: Candidate
    deployment: Deployment
    cost: Cost
    usage: float
    growth: float


def parse_budgets(text: str) -> list[Budget]:
    """Several budgets: ``0.6M,1.3M``, or ``madds=0.3G;madds=0.6G`` with semicolons where caps are named.

    Raises:
        UserError: One of them is none, or stands there twice.
    """
    parts = [part.strip() for part in text.split(";" if "=" in text else ",")]
    budgets = [Budget.parse(part) for part in parts]
    for index, budget in enumerate(budgets):
        if budget in budgets[:index]:
            raise UserError(f"Each budget must stand there once, but got {budget} twice in {text!r}.")
    return budgets


def scale_family(
    candidate: Candidate,
    budgets: Sequence[Budget],
    rule: ScalingRule,
    deployment: Deployment,
    *,
    width_multiple: int = WIDTH_MULTIPLE,
) -> list[Member]:
    """Members of a candidate's family, one for each budget, in their order.

    Args:
        candidate: What the family begins with: growth 1.
        budgets: What the members have to fill.
        rule: How growth is shared out.
        deployment: Of the candidate; members get its classes, and its image size as the rule scales it.
        width_multiple: Widths are multiples of this, or of the heads where that is coarser.

    Raises:
        UserError: A budget cannot be reached; the message has the smallest cost that can. Or one caps the latency, and
            the deployment has no latency model, or the rule leaves the image size that it is of.
    """
    for budget in budgets:
        require_sensible(budget, deployment)
    if any(budget.latency is not None for budget in budgets):
        if rule.size:
            raise UserError(
                f"A latency profile is of one image size, which the rule {rule} changes; take --rule width, or "
                "--exponents with 0 for the size."
            )
        if deployment.latency_model is None:
            raise UserError("A family for a latency needs the device's profile; give --profile FILE.")
    if rule.size:
        deployment = replace(deployment, latency_model=None)
    return [_member(candidate, budget, rule, deployment, width_multiple) for budget in budgets]


def _member(
    candidate: Candidate, budget: Budget, rule: ScalingRule, deployment: Deployment, width_multiple: int
) -> Member:
    """The member whose growth nearly fills the budget; then its widths are solved exactly.

    Depths and sizes jump, so that their growth may leave a gap that widths fill; where it is too wide even for them,
    the depths and sizes of the nearest other growths are tried.
    """
    growth = _growth(candidate, budget, rule, deployment, width_multiple)
    nearby = sorted((step * _ASIDE_STEP for step in range(-_ASIDE, _ASIDE + 1)), key=lambda step: (abs(step), step))
    members: list[Member] = []
    tried = set()
    for step in nearby:
        shape, there = _grown(candidate, rule, deployment, growth * math.exp(step), width_multiple)
        if (key := (shape.depths, there.img_size)) in tried:
            continue
        tried.add(key)
        widths = solve_widths(shape, budget, there)
        if widths is None:
            continue
        member = shape.candidate_at(widths)
        counted = cost(member, there)
        usage = budget.usage(counted)
        members.append(
            Member(budget=budget, candidate=member, deployment=there, cost=counted, usage=usage, growth=growth)
        )
        if usage >= BAND:
            break
    return max(members, key=lambda member: member.usage)  # at the growth itself the budget holds, so there is one


def _growth(
    candidate: Candidate, budget: Budget, rule: ScalingRule, deployment: Deployment, width_multiple: int
) -> float:
    """The largest growth that holds the budget, by bisection: no cost falls as it grows."""

    def holds(logarithm: float) -> bool:
        growth = math.exp(logarithm)
        shape, there = _grown(candidate, rule, deployment, growth, width_multiple)
        widths = shape.widths_at(candidate.widths[0] * growth ** (rule.width / 2))
        return budget.usage(shape.cost_at(widths, there)) <= 1

    low, high = -math.log(_LARGEST_GROWTH), math.log(_LARGEST_GROWTH)
    if not holds(low):
        raise UserError(_too_small(candidate, budget, rule, deployment, width_multiple))
    if holds(high):
        raise UserError(
            f"The budget {budget} is never filled by the rule {rule}: what it caps does not grow with what the rule "
            "scales. Give the widths a share, as in --exponents 0.1:0.8:0.1."
        )
    while high - low > _TOLERANCE:
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return math.exp(low)


def _grown(
    candidate: Candidate, rule: ScalingRule, deployment: Deployment, growth: float, width_multiple: int
) -> tuple[Shape, Deployment]:
    """Depths and image size at a growth, the size at most :data:`LARGEST_SIZE`; widths left open.

    SDTA blocks stay as many, and a stage that has convolutional blocks keeps one: members are of one kind.
    """
    d1, d2, d3, d4 = (
        max(min(depth, sdta + 1), round(depth * growth**rule.depth))
        for depth, sdta in zip(candidate.depths, candidate.sdta_blocks, strict=True)
    )
    steps = max(1, round(deployment.img_size * growth ** (rule.size / 2) / STRIDE))
    size = min(STRIDE * steps, LARGEST_SIZE) if rule.size else deployment.img_size
    shape = replace(Shape.of(candidate, width_multiple=width_multiple), depths=(d1, d2, d3, d4))
    return shape, replace(deployment, img_size=size)


def _too_small(
    candidate: Candidate, budget: Budget, rule: ScalingRule, deployment: Deployment, width_multiple: int
) -> str:
    """Why no member of the family holds a budget, and what to do."""
    shape, there = _grown(candidate, rule, deployment, 1 / _LARGEST_GROWTH, width_multiple)
    reached = shape.cost_at(shape.widths_at(0.0 if rule.width else candidate.widths[0]), there)
    costs = ", ".join(f"{name}={getattr(reached, name):,}" for name in budget.to_dict())
    advice = "" if rule.depth and rule.width else ", scale depths and widths (--rule w-dominant)"
    return (
        f"The budget {budget} cannot be reached by the rule {rule}: the smallest member has {costs} in this "
        f"deployment ({there}). Raise the budget{advice}, or deploy fewer classes (--num-classes)."
    )
