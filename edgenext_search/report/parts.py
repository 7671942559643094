"""The parts that sections of the page are made of: headings, figures, tabs, tables that scroll, commands to copy."""

from __future__ import annotations

from collections.abc import Sequence

from edgenext_search.report.markup import Markup, element
from edgenext_search.report.plot import Plot


def section(identifier: str, title: str, *content: str | None) -> Markup:
    """A section of the page under its heading."""
    return element("section", element("h2", title), *content, id=identifier)


def figure(identifier: str, plot: Plot, source: str = "trials.csv", title: str | None = None) -> Markup:
    """Where the page's script draws a figure.

    Args:
        identifier: Of the element.
        plot: The figure.
        source: Names where its numbers are.
        title: Above it; its own where None.
    """
    pins = ", Enter pins its candidate" if any(series.rows for series in plot.series) else ""
    label = f"{plot.title}. {plot.y_label}. {plot.x_label}. Arrow keys go from mark to mark{pins}."
    without_script = element("noscript", f"This figure needs JavaScript; {source} has its numbers.")
    caption = element(
        "figcaption", element("b", title or plot.title), element("span", plot.y_label) if plot.y_label else None
    )
    drawing = element("div", without_script, class_="plot", tabindex=0, role="application", aria_label=label)
    return element("figure", caption, drawing, class_="chart", id=identifier)


def tabs(identifier: str, label: str, panels: Sequence[tuple[str, Markup]]) -> Markup:
    """Contents of which one is shown at a time; in print all. A single one stands without tabs."""
    if len(panels) == 1:
        return panels[0][1]
    heads = [
        element(
            "button",
            name,
            type="button",
            role="tab",
            id=f"{identifier}-tab-{index}",
            aria_controls=f"{identifier}-panel-{index}",
            aria_selected="false" if index else "true",
            tabindex=-1 if index else 0,
        )
        for index, (name, _) in enumerate(panels)
    ]
    bodies = [
        element(
            "div",
            content,
            role="tabpanel",
            id=f"{identifier}-panel-{index}",
            aria_labelledby=f"{identifier}-tab-{index}",
            hidden=bool(index),
        )
        for index, (_, content) in enumerate(panels)
    ]
    head = element("div", *heads, class_="tabs", role="tablist", aria_label=label)
    return element("div", head, *bodies)


def scroller(table: Markup, label: str, class_: str = "scroll") -> Markup:
    """A wide table that scrolls by itself, with the keyboard too."""
    return element("div", table, class_=class_, tabindex=0, role="region", aria_label=label)


def command(text: str) -> Markup:
    """Code with a button that copies it."""
    return element("pre", element("code", text), class_="copy", tabindex=0)
