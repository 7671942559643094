"""The report of a scaling study as one HTML page that needs nothing beside itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from edgenext_search.report.files import write_atomically
from edgenext_search.report.markup import Markup, element, join, json_script
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
from edgenext_search.report.sections import notices, plot, scroller, section
from edgenext_search.report.wording import duration_text, listed

_LEFT = ("budget", "best shape", "C", "space", "shape", "candidate", "widths", "depths", "sizes")


def write_scale_report(summary: Mapping[str, Any], path: Path) -> None:
    """Write the page, atomically.

    Args:
        summary: What :func:`~edgenext_search.search.scaling_results.scaling_summary` returns.
        path: The HTML file to write or replace.
    """
    from plotly.offline import get_plotlyjs

    figures = _figures(summary)
    title = f"{summary['study']}: {listed([cap_texts(budget) for budget in summary['budgets']])}"
    page = resources.files("edgenext_search.report").joinpath("page.html").read_text(encoding="utf-8")
    text = Template(page).substitute(
        title=join(title),
        body=join(_header(summary, title), _notices(summary), *_findings(summary, figures), *_rest(summary)),
        figures=json_script("figures", {name: json.loads(figure.to_json()) for name, figure in figures.items()}),
        plotly=Markup(f"<script>{get_plotlyjs()}</script>") if figures else "",
    )
    write_atomically(path, text)


def _figures(summary: Mapping[str, Any]) -> dict[str, Any]:
    if summary["kind"] == "study":
        return {f"fig-{law['cost']}": law_figure(summary, law) for law in summary["laws"]}
    spaces = summary["comparison"]["spaces"]
    return {"fig-edf": distribution_figure(summary)} if all(space["n"] for space in spaces) else {}


def _header(summary: Mapping[str, Any], title: str) -> Markup:
    answer, *rest = scaling_sentences(summary)
    kind = "Scaling study" if summary["kind"] == "study" else "Comparison of spaces"
    return element(
        "header",
        element("p", kind, element("span", title), class_="eyebrow"),
        element("h1", answer),
        *(element("p", text, class_="lead") for text in rest),
    )


def _notices(summary: Mapping[str, Any]) -> Markup:
    """As of any run, but for the command that goes on with it."""
    return Markup(notices(summary).replace("edgenext-search resume", "edgenext-search scale resume"))


def _findings(summary: Mapping[str, Any], figures: Mapping[str, Any]) -> list[Markup]:
    if summary["kind"] == "compare":
        heads, rows = space_rows(summary)
        label = "Line plot of the share of candidates against error, one line a space"
        drawn = [plot(name, label, "the table of candidates") for name in figures]
        return [section("spaces", "Two spaces in one budget", *drawn, _table(heads, rows))]
    found = [section("sizes", "The same shapes at each size", _table(*size_rows(summary)))]
    if figures:
        labels = {f"fig-{name}": f"Scatter plot of error against {text}" for name, text in COST_NAMES.items()}
        drawn = [plot(name, labels[name], "the table of candidates") for name in figures]
        caption = (
            "error = a C^-b + c through the shapes' medians. Intervals are from bootstrap over shapes and seeds, and "
            "hold how far sizes of a family stray from their law. An interval marked ! misses."
        )
        found.append(
            section(
                "laws",
                "What the next size gives",
                element("div", *drawn, class_="pair"),
                _table(*law_rows(summary)),
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
