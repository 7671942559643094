"""The report of a scaling study as one HTML page that needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgenext_search.report import sections
from edgenext_search.report.html import write_page
from edgenext_search.report.markup import Markup, element, join
from edgenext_search.report.page_data import trials_data
from edgenext_search.report.parts import figure, scroller, section, tabs
from edgenext_search.report.plot import Plot
from edgenext_search.report.scale_figures import distribution_figure, law_figure
from edgenext_search.report.scale_words import (
    COST_NAMES,
    candidate_rows,
    cap_texts,
    law_rows,
    range_text,
    scaling_conditions,
    scaling_sentences,
    size_rows,
    space_rows,
)
from edgenext_search.report.wording import duration_text, listed

_SOURCE = "the table of candidates"
_LEFT = ("budget", "best shape", "C", "space", "shape", "candidate", "widths", "depths", "sizes")


def write_scale_report(summary: Mapping[str, Any], path: Path) -> None:
    """Write the page, atomically.

    Args:
        summary: What :func:`~edgenext_search.scaling.summary.scaling_summary` returns.
        path: The HTML file to write or replace.
    """
    figures = _figures(summary)
    body = join(
        _header(summary),
        _notices(summary),
        sections.contents(),
        *_findings(summary, figures),
        *_rest(summary),
    )
    title = join(f"{summary['study']}: {_budgets(summary)}")
    write_page(path, title=title, body=body, figures=figures, trials=trials_data([], summary), live=False)


def _figures(summary: Mapping[str, Any]) -> dict[str, Plot]:
    if summary["kind"] == "study":
        return {f"fig-{law['cost']}": law_figure(summary, law) for law in summary["laws"]}
    spaces = summary["comparison"]["spaces"]
    return {"fig-edf": distribution_figure(summary)} if all(space["n"] for space in spaces) else {}


def _budgets(summary: Mapping[str, Any]) -> str:
    return listed([cap_texts(budget) for budget in summary["budgets"]])


def _header(summary: Mapping[str, Any]) -> Markup:
    answer, *rest = scaling_sentences(summary)
    kind = "scaling study" if summary["kind"] == "study" else "comparison of spaces"
    return sections.headline([kind, str(summary["study"]), _budgets(summary)], answer, rest)


def _notices(summary: Mapping[str, Any]) -> Markup:
    """As of any run, but for the command that goes on with it."""
    return Markup(sections.notices(summary).replace("edgenext-search resume", "edgenext-search scale resume"))


def _findings(summary: Mapping[str, Any], figures: Mapping[str, Plot]) -> list[Markup]:
    if summary["kind"] == "compare":
        heads, rows = space_rows(summary)
        drawn = [figure(name, figures[name], _SOURCE) for name in figures]
        return [
            section("spaces", "Two spaces in one budget", *drawn, element("div", _table(heads, rows), class_="below"))
        ]
    found = [section("sizes", "The same shapes at each size", _table(*size_rows(summary)))]
    if figures:
        panels = [
            (COST_NAMES[law["cost"]].capitalize(), figure(name, figures[name], _SOURCE))
            for law, name in zip(summary["laws"], figures, strict=True)
        ]
        caption = (
            "error = a C^-b + c through the shapes' medians. Intervals and the band are from bootstrap over shapes and "
            "seeds, and hold how far sizes of a family stray from their law. An interval marked ! misses."
        )
        found.append(
            section(
                "laws",
                "What the next size gives",
                tabs("law", "Cost", panels),
                element("div", _table(*law_rows(summary)), class_="below"),
                element("p", caption, class_="caption"),
            )
        )
    if summary["ranks"]["pairs"]:
        rows = [
            (
                " and ".join(cap_texts(summary["budgets"][place]) for place in pair["sizes"]),
                str(pair["n"]), range_text(pair["tau"]), range_text(pair["spearman"]),
            )
            for pair in summary["ranks"]["pairs"]
        ]  # fmt: skip
        heads = ("sizes", "shapes", "Kendall's tau", "Spearman")
        caption = (
            "The order of the shapes' mean scores at one size against that at another, with 95 % intervals over "
            "shapes. Seeds that disagree at one size bound what sizes can have in common."
        )
        found.append(
            section("ranks", "Do shapes rank alike?", _table(heads, rows), element("p", caption, class_="caption"))
        )
    return found


def _rest(summary: Mapping[str, Any]) -> list[Markup | None]:
    failed = [
        element(
            "li",
            element("b", f"{row['space']}, shape {row['shape']} at {cap_texts(row['budget'])}, seed {row['seed']}: "),
            str(row["reason"]),
        )
        for row in summary["failed"]
    ]
    versions = ", ".join(f"{name} {text}" for name, text in summary["conditions"].get("versions", {}).items())
    facts = [
        scaling_conditions(summary),
        f"Working time {duration_text(summary['seconds'])}, seed {summary['seed']}. {versions}",
    ]
    return [
        section("candidates", "All candidates", _table(*candidate_rows(summary))),
        section("failed", "What failed", element("ul", *failed, class_="failures")) if failed else None,
        section("conditions", "Conditions", *(element("p", text) for text in facts)),
    ]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    classes = [None if head in _LEFT else "n" for head in heads]
    top = element("tr", *(element("th", text, scope="col", class_=c) for text, c in zip(heads, classes, strict=True)))
    body = [
        element("tr", *(element("td", text, class_=c) for text, c in zip(row, classes, strict=True))) for row in rows
    ]
    return scroller(element("table", element("thead", top), element("tbody", *body)), heads[0])
