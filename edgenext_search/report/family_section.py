"""The section of the page that scales the winner to other sizes, in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.candidate import WIDTH_MULTIPLE, Candidate
from edgenext_search.arch.cost import Cost, Deployment, cost
from edgenext_search.arch.published import published_variants
from edgenext_search.arch.scaling import RULES, scale_family
from edgenext_search.errors import UserError
from edgenext_search.report.markup import Markup, element
from edgenext_search.report.parts import command, scroller, section
from edgenext_search.report.wording import cap_text, count_text, origin_text, stages_text
from edgenext_search.texts import command_line

STEPS = (0.5, 2.0, 4.0)  # times the winner's own size
_HEADS = ("Size", "Params", "MAdds", "Activations", "Widths", "Depths", "ImageNet top-1, %")
_RIGHT = (1, 2, 3, 6)


class _Size(NamedTuple):
    name: str
    candidate: Candidate
    cost: Cost
    top1: str
    winner: bool = False


def family_section(summary: Mapping[str, Any]) -> Markup | None:
    """The winner at half, twice and four times its size, beside the published variants; None without a winner.

    The size is the cap on parameters where there is one, else the winner's own.

    Args:
        summary: The run's summary.
    """
    winner, deployed = summary.get("winner"), summary.get("deployment") or {}
    numbers = [deployed.get(name) for name in ("num_classes", "img_size")]
    if not winner or not all(isinstance(number, int) for number in numbers):
        return None
    candidate, deployment = Candidate.from_dict(winner["candidate"]), Deployment(**deployed)
    multiple = summary.get("width_multiple", WIDTH_MULTIPLE)
    cap = int((summary.get("budget") or {}).get("params") or winner["params"])
    sizes = [_Size("The winner", candidate, cost(candidate, deployment), "", winner=True)]
    budgets = []
    for step in STEPS:
        budget = Budget(params=round(step * cap))
        try:
            (member,) = scale_family(candidate, [budget], RULES["width"], deployment, width_multiple=multiple)
        except UserError:  # the winner's depths do not fit so small a size
            continue
        budgets.append(cap_text(round(step * cap)).replace(",", ""))
        sizes.append(_Size(f"× {step:g}", member.candidate, member.cost, ""))  # noqa: RUF001
    for name, variant in published_variants().items():
        if variant.candidate.norm_act == candidate.norm_act:
            counted = cost(variant.candidate, deployment)
            label = origin_text(name).removesuffix(", scaled")
            sizes.append(_Size(label, variant.candidate, counted, f"{variant.imagenet_top1:.1f}"))
    if not budgets:
        return None
    rows = [_row(size) for size in sorted(sizes, key=lambda size: size.cost.params)]
    heads = [element("th", name, scope="col", class_="n" if at in _RIGHT else None) for at, name in enumerate(_HEADS)]
    table = element("table", element("thead", element("tr", *heads)), element("tbody", *rows))
    run = summary.get("run", "RUN")
    saves = command_line("scale", "family", run, "--budgets", ",".join(budgets), "--out", "family")
    return section(
        "sizes",
        "The winner at other sizes",
        scroller(table, "The winner at other sizes"),
        element(
            "p",
            "All widths scaled alike, depths kept, nothing trained: edgenext-search scale study tells whether a shape "
            "is as good at other sizes: it trains several and fits the law of their errors. Top-1 of the published "
            f"networks is that of full training on ImageNet. Costs at {deployment}.",
            class_="caption",
        ),
        element("p", "Save these sizes as candidates:"),
        command(saves),
    )


def _row(size: _Size) -> Markup:
    cells = (
        *(count_text(value) for value in (size.cost.params, size.cost.madds, size.cost.acts)),
        *(stages_text(size.candidate, name) for name in ("widths", "depths")),
        size.top1,
    )
    return element(
        "tr",
        element("th", size.name, scope="row"),
        *(element("td", text, class_="n" if at in _RIGHT else None) for at, text in enumerate(cells, start=1)),
        class_="win" if size.winner else None,
    )
