"""Candidates drawn as HTML: one bar a block, as high as its stage is wide."""

from __future__ import annotations

from edgenext_search.arch.candidate import STAGES, Candidate
from edgenext_search.report.document import Network, Networks
from edgenext_search.report.render.markup import Markup, element, join
from edgenext_search.report.wording import NONE, stage_values

_LEAST = 4  # percent of the height that the lowest bar has


def networks(block: Networks) -> Markup:
    """The drawings beside each other, and what they mean."""
    widest = max(max(network.candidate.widths) for network in block.networks)
    most = max(sum(network.candidate.depths) for network in block.networks)
    drawings = [_drawing(network, widest, most) for network in block.networks]
    key = element(
        "p",
        element("span", element("i"), "convolution block"),
        element("span", element("i", class_="sdta"), "SDTA block"),
        element("span", "height and number: channels"),
        element("span", "k: kernel size"),
        element("span", "s: SDTA splits"),
        class_="key",
    )
    return join(element("div", *drawings, class_="nets"), key)


def _drawing(network: Network, widest: int, most: int) -> Markup:
    candidate = network.candidate
    stages = [_stage(candidate, stage, widest) for stage in range(STAGES)]
    if rest := most - sum(candidate.depths):
        stages.append(element("div", style=f"flex:{rest} {rest} 0"))
    caption = element(
        "figcaption", element("b", network.role), f" {network.origin} ", element("code", candidate.fingerprint)
    )
    text = f"{network.role}: widths {candidate.widths}, depths {candidate.depths}, SDTA blocks {candidate.sdta_blocks}"
    drawing = element("div", *stages, class_="stages", role="img", aria_label=text)
    return element("figure", caption, drawing, class_="net")


def _stage(candidate: Candidate, stage: int, widest: int) -> Markup:
    width, depth, sdta = candidate.widths[stage], candidate.depths[stage], candidate.sdta_blocks[stage]
    style = f"height:{max(100 * width / widest, _LEAST):.1f}%"
    bars = [element("i", class_="sdta" if at >= depth - sdta else None, style=style) for at in range(depth)]
    label = join(
        element("b", str(width)),
        element("span", f"k {stage_values(candidate, 'kernel_sizes', NONE)[stage]}") if sdta < depth else None,
        element("span", f"s {stage_values(candidate, 'sdta_splits', NONE)[stage]}") if sdta else None,
    )
    return element(
        "div",
        element("div", *bars, class_="blocks"),
        element("div", label, class_="under"),
        class_="stage",
        style=f"flex:{depth} {depth} 0",
    )
