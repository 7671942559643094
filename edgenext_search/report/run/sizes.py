"""The winner of a run at other sizes, in closed form, beside the published variants."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Cost, Deployment, cost
from edgenext_search.arch.metrics import METRICS, CostName
from edgenext_search.arch.published import published_variants
from edgenext_search.arch.scaling import RULES, scale_family
from edgenext_search.errors import UserError
from edgenext_search.report.document import Command, Paragraph, Row, Section, Table, columns, row, section
from edgenext_search.report.wording import stages_text, variant_text
from edgenext_search.search.results import RunSummary
from edgenext_search.texts import command_line

STEPS = (0.5, 2.0, 4.0)  # times the winner's own size
_COSTS: tuple[CostName, ...] = ("params", "madds", "acts")


def sizes_section(summary: RunSummary) -> Section | None:
    """The winner at half, twice and four times its size, beside the published variants; None without a winner.

    The size is the budget's cap on parameters, or else the winner's own.
    """
    winner = summary.winner
    if winner is None:
        return None
    candidate = winner.candidate
    deployment = Deployment(num_classes=summary.deployment.num_classes, img_size=summary.deployment.img_size)
    cap = summary.budget.get("params", winner.params)
    costs = cost(candidate, deployment)
    rows, budgets = [(costs.params, _row("The winner", candidate, costs, winner=True))], []
    for step in STEPS:
        budget = Budget(params=round(step * cap))
        try:
            (member,) = scale_family(
                candidate, [budget], RULES["width"], deployment, width_multiple=summary.width_multiple
            )
        except UserError:  # the winner's depths do not fit so small a size
            continue
        budgets.append(METRICS["params"].format_exact(round(step * cap)))
        rows.append((member.cost.params, _row(f"× {step:g}", member.candidate, member.cost)))
    if not budgets:
        return None
    for name, variant in published_variants().items():
        if variant.candidate.norm_act == candidate.norm_act:
            costs = cost(variant.candidate, deployment)
            top1 = f"{variant.imagenet_top1:.1f}"
            rows.append((costs.params, _row(variant_text(name), variant.candidate, costs, top1)))
    heads = ("Size", *(METRICS[name].short for name in _COSTS), "Widths", "Depths", "ImageNet top-1, %")
    caption = (
        "All widths scaled alike, depths kept, nothing trained. Whether a shape is as good at other sizes is what "
        "edgenext-search scale study finds out. Top-1 of the published networks is that of full training on ImageNet. "
        f"Costs at {deployment}."
    )
    return section(
        "sizes",
        "Sizes",
        "The winner at other sizes",
        Table(
            label="The winner at other sizes",
            columns=columns(*heads, left=("Size", "Widths", "Depths")),
            rows=tuple(row for _, row in sorted(rows, key=lambda pair: pair[0])),
        ),
        Paragraph(text=caption, style="caption"),
        Paragraph(text="Save these sizes as candidates:"),
        Command(text=_command(summary, budgets)),
    )


def _command(summary: RunSummary, budgets: Sequence[str]) -> str:
    return command_line("scale", "family", PurePath(summary.run), "--budgets", ",".join(budgets), "--out", "family")


def _row(name: str, candidate: Candidate, costs: Cost, top1: str = "", *, winner: bool = False) -> Row:
    amounts = (METRICS[key].text(getattr(costs, key)) for key in _COSTS)
    shape = (stages_text(candidate, field) for field in ("widths", "depths"))
    return row(name, *amounts, *shape, top1, strong=winner)
