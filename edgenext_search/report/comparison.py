"""Winner and baseline drawn block by block, and compared stage by stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgenext_search.arch.candidate import STAGES, Candidate
from edgenext_search.report.markup import Markup, element, join
from edgenext_search.report.parts import section
from edgenext_search.report.wording import NONE, is_same, origin_text, stage_values

_ROWS = {
    "widths": "Width, channels",
    "depths": "Blocks",
    "sdta_blocks": "of which SDTA",
    "kernel_sizes": "Kernel size",
    "sdta_splits": "SDTA splits",
    "heads": "Heads",
    "pos_emb": "Positional encoding",
}
_NORM_ACTS = {"ln_gelu": "LayerNorm and GELU", "bn_hs": "BatchNorm and Hard-Swish"}


def architecture_section(summary: Mapping[str, Any]) -> Markup | None:
    """The winner's architecture beside the baseline's; None without a winner."""
    if (winner := summary.get("winner")) is None:
        return None
    baseline = summary.get("baseline")
    if is_same(winner, baseline):
        baseline = None
    mine = Candidate.from_dict(winner["candidate"])
    theirs = Candidate.from_dict(baseline["candidate"]) if baseline else None
    widest = max(mine.widths + (theirs.widths if theirs else ()))
    most = max(sum(mine.depths), sum(theirs.depths) if theirs else 0)
    drawings = [_drawing("Winner", winner, mine, widest, most)]
    if baseline and theirs:
        drawings.append(_drawing("Baseline", baseline, theirs, widest, most))
    return section(
        "architecture",
        "The architecture, stage by stage",
        element("div", *drawings, class_="nets"),
        _key(),
        _table(mine, theirs),
    )


def _drawing(role: str, finalist: Mapping[str, Any], candidate: Candidate, widest: int, most: int) -> Markup:
    stages = []
    for stage in range(STAGES):
        width, depth, sdta = candidate.widths[stage], candidate.depths[stage], candidate.sdta_blocks[stage]
        kernel = stage_values(candidate, "kernel_sizes", NONE)[stage]
        splits = stage_values(candidate, "sdta_splits", NONE)[stage]
        height = f"height:{max(100 * width / widest, 4):.1f}%"
        blocks = [element("i", style=height) for _ in range(depth - sdta)]
        blocks += [element("i", class_="sdta", style=height) for _ in range(sdta)]
        label = join(
            element("b", str(width)),
            element("span", f"k {kernel}") if sdta < depth else None,
            element("span", f"s {splits}") if sdta else None,
        )
        stages.append(
            element(
                "div",
                element("div", *blocks, class_="blocks"),
                element("div", label, class_="under"),
                class_="stage",
                style=f"flex:{depth} {depth} 0",
            )
        )
    rest = most - sum(candidate.depths)
    if rest:
        stages.append(element("div", style=f"flex:{rest} {rest} 0"))
    text = f"{role}: widths {candidate.widths}, depths {candidate.depths}, SDTA blocks {candidate.sdta_blocks}"
    title = element(
        "figcaption",
        element("b", role),
        f" {origin_text(finalist['origin'])} ",
        element("code", finalist["fingerprint"]),
    )
    return element("figure", title, element("div", *stages, class_="stages", role="img", aria_label=text), class_="net")


def _key() -> Markup:
    return element(
        "p",
        element("span", element("i"), "convolution block"),
        element("span", element("i", class_="sdta"), "SDTA block"),
        element("span", "height and number: channels"),
        element("span", "k: kernel size"),
        element("span", "s: SDTA splits"),
        class_="key",
    )


def _table(mine: Candidate, theirs: Candidate | None) -> Markup:
    head = [element("th", element("span", "Field", class_="hidden"), scope="col")]
    head += [element("th", f"Stage {stage + 1}", scope="col") for stage in range(STAGES)]
    rows = []
    for name, label in _ROWS.items():
        values = stage_values(mine, name, NONE)
        others = stage_values(theirs, name, NONE) if theirs else values
        cells = [_cell(value, other) for value, other in zip(values, others, strict=True)]
        rows.append(element("tr", element("th", label, scope="row"), *cells))
    table = element("table", element("thead", element("tr", *head)), element("tbody", *rows), class_="stages-table")
    everywhere = f"Everywhere: expand ratio {mine.expand_ratio}, {_NORM_ACTS.get(mine.norm_act, mine.norm_act)}"
    if theirs and (theirs.expand_ratio, theirs.norm_act) != (mine.expand_ratio, mine.norm_act):
        norm_act = _NORM_ACTS.get(theirs.norm_act, theirs.norm_act)
        everywhere += f" (baseline: expand ratio {theirs.expand_ratio}, {norm_act})"
    arrow = "Baseline → winner; one value where both agree. " if theirs else ""
    dash = f"{NONE} where no block uses the field. "
    return join(table, element("p", f"{arrow}{dash}{everywhere}.", class_="caption"))


def _cell(value: str, other: str) -> Markup:
    if value == other:
        return element("td", value)
    return element("td", element("span", f"{other} → "), element("b", value), class_="changed")
