"""The section of the page that says whether the scores can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgenext_search.report.audit_words import COLUMNS, audit_conditions, audit_rows, audit_sentences
from edgenext_search.report.markup import Markup, element, join
from edgenext_search.report.parts import figure as figure_of
from edgenext_search.report.parts import scroller, section
from edgenext_search.report.plot import Plot


def audit_section(summary: Mapping[str, Any], identifier: str, figure: Plot | None) -> Markup | None:
    """What the audit found: in words beside the figure, and as a table; None without an audit.

    Args:
        summary: The run's summary.
        identifier: Of the figure on the page.
        figure: Of :func:`~edgenext_search.report.audit_figure.audit_figure`.
    """
    audit = summary.get("audit")
    if not audit:
        return None
    words = element("div", *(element("p", text) for text in audit_sentences(summary)), class_="prose")
    if figure is None:
        return section("audit", "Can the scores be trusted?", words)
    return section(
        "audit",
        "Can the scores be trusted?",
        element("div", figure_of(identifier, figure, "summary.json"), words, class_="pair"),
        scroller(_table(audit), "Agreement of scores and references"),
        element("p", audit_conditions(summary), class_="caption"),
        _failures(audit),
    )


def _table(audit: Mapping[str, Any]) -> Markup:
    heads = [element("th", name, scope="col", class_="n" if index else None) for index, name in enumerate(COLUMNS)]
    rows = []
    for (name, note), *cells in audit_rows(audit):
        first = element("th", name, element("small", f" {note}") if note else None, scope="row")
        rows.append(element("tr", first, *(element("td", _cell(*cell), class_="n") for cell in cells)))
    return element("table", element("thead", element("tr", *heads)), element("tbody", *rows))


def _cell(value: str, interval: str) -> Markup:
    return join(value, element("small", f" ({interval})") if interval else None)


def _failures(audit: Mapping[str, Any]) -> Markup | None:
    if not audit["failed"]:
        return None
    items = [
        element("li", element("b", f"Trial {row['trial']}, seed {row['seed']}: "), str(row["reason"]))
        for row in audit["failed"]
    ]
    return element("ul", *items, class_="failures")
