"""The section of the page that says what the device said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgenext_search.report.latency_words import latency_conditions, latency_rows, latency_sentences, refusal
from edgenext_search.report.markup import Markup, element
from edgenext_search.report.parts import figure, scroller, section
from edgenext_search.report.plot import Plot
from edgenext_search.report.wording import is_same

_HEADS = ("Candidate", "Predicted", "Measured, median (95 % interval)", "Prediction off by", "90 % within", "Runs", "")


def latency_section(summary: Mapping[str, Any], figures: Mapping[str, Plot]) -> Markup | None:
    """The finalists' latency on the device; None where the study did not ask for it.

    Args:
        summary: The run's summary.
        figures: Of :func:`~edgenext_search.report.latency_figures.latency_figures`.
    """
    if not summary.get("latency"):
        return None
    said = [text for text in (refusal(summary), *latency_sentences(summary)) if text]
    rows = latency_rows(summary)
    table = None
    if rows:
        heads = [element("th", name, scope="col", class_="n" if 0 < at < 6 else None) for at, name in enumerate(_HEADS)]
        body = [
            element(
                "tr",
                element("th", element("code", row["fingerprint"]), scope="row"),
                *(element("td", text, class_="n") for text in cells[:-1]),
                element("td", cells[-1], class_=f"verdict-{(row.get('measured') or {}).get('verdict')}"),
                class_="win" if is_same(row, summary.get("winner")) else None,
            )
            for row, cells in rows
        ]
        made = element("table", element("thead", element("tr", *heads)), element("tbody", *body))
        table = scroller(made, "Latency of the finalists")
    drawn = [figure(identifier, plot, "summary.json") for identifier, plot in figures.items()]
    return section(
        "latency",
        "Latency on the device",
        element("div", *(element("p", text) for text in said), class_="prose"),
        element("div", *drawn, class_="pair") if drawn else None,
        table,
        element("p", latency_conditions(summary), class_="caption"),
    )
