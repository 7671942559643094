"""The report of a scaling study as one document."""

from __future__ import annotations

from pathlib import PurePath

from edgenext_search.arch.metrics import METRICS
from edgenext_search.report.document import (
    Document,
    Figure,
    Listing,
    Paragraph,
    Section,
    Strong,
    Tabs,
    section,
)
from edgenext_search.report.notices import notices
from edgenext_search.report.scaling.figures import distribution_figure, law_figure
from edgenext_search.report.scaling.tables import (
    candidates_table,
    laws_table,
    ranks_table,
    sizes_table,
    spaces_table,
)
from edgenext_search.report.scaling.verdict import scaling_sentences
from edgenext_search.report.wording import (
    NONE,
    caps_text,
    count_or_none,
    deployment_text,
    duration_text,
    fidelity_text,
    listed,
    versions_text,
)
from edgenext_search.scaling.records import LatencyConditions, ScalingResult
from edgenext_search.texts import command_line, counted

_SOURCE = "the table of candidates"
_LAW_CAPTION = (
    "error = a C^-b + c through the shapes' medians. Intervals and the band are from a bootstrap over shapes and "
    "seeds, and include how far sizes of a family stray from their law. An interval marked ! misses the error."
)
_RANKS_CAPTION = (
    "The order of the shapes' mean scores at one size against that at another, with 95 % intervals over shapes. Seeds "
    "that disagree at one size bound how far two sizes can agree."
)


def scaling_document(result: ScalingResult) -> Document:
    """The report of a scaling study, or of a comparison of two spaces."""
    answer, *rest = scaling_sentences(result)
    kind = "scaling study" if result.kind == "study" else "comparison of spaces"
    conditions = Paragraph(text=conditions_text(result), style="caption")
    if result.comparison is not None:
        tables = [spaces_table(result.comparison)]
    else:
        tables = [sizes_table(result), *([laws_table(result)] if result.laws else [])]
    sections = (*_findings(result), _candidates(result), _failures(result), _conditions(result))
    return Document(
        topic=(kind, result.study, listed([caps_text(budget) for budget in result.budgets])),
        answer=answer,
        qualifiers=tuple(rest),
        notices=notices(
            result.status,
            resume=command_line("scale", "resume", PurePath(result.run)),
            demonstration=result.data is not None and result.data.demonstration,
        ),
        sections=tuple(filter(None, sections)),
        brief=(*tables, conditions),
        paths=(("report", result.report),),
    )


def conditions_text(result: ScalingResult) -> str:
    """What the numbers hold for."""
    fidelity, device = result.fidelity, result.conditions.device if result.conditions else NONE
    latency = f"; {latency_text(result.latency)}" if result.latency else ""
    return (
        f"Top-1 on {count_or_none(fidelity.val_images)} held-out training images of "
        f"{result.data.name if result.data else NONE}, {fidelity_text(fidelity)} on "
        f"{count_or_none(fidelity.train_images)} images, {counted(result.asked.seeds, 'seed')}, {device}. Costs at "
        f"{deployment_text(result.deployment)}{latency}. Intervals of laws are 90 %, others 95 %."
    )


def latency_text(latency: LatencyConditions) -> str:
    """Where latencies come from."""
    few = latency.interpolated
    outside = f", {few} of them for networks outside of what its profile measured" if few else ""
    return f"latencies as predicted for {latency.device}{outside}"


def _findings(result: ScalingResult) -> list[Section]:
    if result.comparison is not None:
        comparison = result.comparison
        drawn = (
            Figure(identifier="fig-edf", plot=distribution_figure(result, comparison), source=_SOURCE)
            if all(space.n for space in comparison.spaces)
            else None
        )
        return [section("spaces", "Spaces", "Two spaces in one budget", drawn, spaces_table(comparison))]
    sections = [section("sizes", "Sizes", "The same shapes at each size", sizes_table(result))]
    if result.laws:
        panels = tuple(
            (
                METRICS[law.cost].label,
                Figure(identifier=f"fig-{law.cost}", plot=law_figure(result, law), source=_SOURCE),
            )
            for law in result.laws
        )
        sections.append(
            section(
                "laws",
                "Next size",
                "What the next size gives",
                Tabs(identifier="law", label="Cost", panels=panels),
                laws_table(result),
                Paragraph(text=_LAW_CAPTION, style="caption"),
            )
        )
    if result.ranks.pairs:
        caption = Paragraph(text=_RANKS_CAPTION, style="caption")
        sections.append(section("ranks", "Ranks", "Do shapes rank alike?", ranks_table(result), caption))
    return sections


def _candidates(result: ScalingResult) -> Section:
    return section("candidates", "Candidates", "All candidates", candidates_table(result))


def _failures(result: ScalingResult) -> Section | None:
    if not result.failed:
        return None
    items = tuple(
        (Strong(f"{row.space}, shape {row.shape} at {caps_text(row.budget)}, seed {row.seed}: "), row.reason)
        for row in result.failed
    )
    return section("failed", "Failures", "What failed", Listing(items=items))


def _conditions(result: ScalingResult) -> Section:
    versions = versions_text(result.conditions.versions) if result.conditions else ""
    time = f"Working time {duration_text(result.seconds)}, seed {result.seed}. {versions}"
    return section(
        "conditions", "Conditions", "Conditions", Paragraph(text=conditions_text(result)), Paragraph(text=time)
    )
