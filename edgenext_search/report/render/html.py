"""A document as one HTML page that needs nothing beside itself, nor any network: data, style and script are inside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import singledispatch
from importlib import resources
from pathlib import Path
from string import Template

from edgenext_search.files import write_text
from edgenext_search.report.document import (
    Block,
    Cell,
    Code,
    Command,
    Document,
    Facts,
    Figure,
    Good,
    Group,
    KeyFigure,
    KeyFigures,
    Listing,
    Networks,
    Notice,
    Paragraph,
    Section,
    Strong,
    Table,
    Tabs,
    Text,
    TrialsTable,
)
from edgenext_search.report.render.markup import Markup, element, join, json_script
from edgenext_search.report.render.networks import networks

_SCRIPTS = ("dom.js", "chart.js", "candidate.js", "table.js", "page.js")
_BADGES = {"winner": "badge win"}
_TONES = {"good": "verdict-pass", "bad": "verdict-fail"}


def write_page(document: Document, path: Path, *, trials: Mapping[str, object]) -> None:
    """Write a document as a page, atomically.

    Args:
        document: The document.
        path: The HTML file to write or replace; its folder is made where missing.
        trials: Data of the trials for the page's script, see
            :func:`~edgenext_search.report.trials.page_data.trials_data`.
    """
    figures = {name: plot.to_dict() for name, plot in document.figures().items()}
    text = Template(_resource("page.html")).substitute(
        title=join(": ".join(document.topic)),
        body=_body(document),
        attributes=Markup(' data-live="yes"' if document.live else ""),
        style=Markup(_resource("style.css").rstrip()),
        figures=json_script("data-figures", figures),
        trials=json_script("data-trials", trials),
        script=Markup("\n".join(_resource(name).rstrip() for name in _SCRIPTS)),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def _resource(name: str) -> str:
    return resources.files("edgenext_search.report").joinpath("page", name).read_text(encoding="utf-8")


def _body(document: Document) -> Markup:
    links = [element("a", part.link, href=f"#{part.identifier}") for part in document.sections if part.link]
    return join(
        _header(document),
        *map(_notice, document.notices),
        element("nav", *links, class_="contents"),
        *map(_section, document.sections),
    )


def _header(document: Document) -> Markup:
    """The answer as the page's title, what was asked above it, what qualifies it beneath."""
    buttons = [
        element("button", text, type="button", id=name) for name, text in (("theme", "Theme"), ("print", "Print"))
    ]
    topic = [element("span", text) for text in document.topic if text]
    return element(
        "header",
        element(
            "div",
            element("p", "EdgeNeXt search", *topic, class_="eyebrow"),
            element("span", *buttons, class_="tools"),
            class_="top",
        ),
        element("h1", _unbroken(document.answer)),
        *(element("p", text, class_="lead") for text in document.qualifiers),
    )


def _unbroken(text: str) -> str:
    """A title whose lines break neither in ``n = 3`` nor after the hyphen of ``top-1`` or ``EdgeNeXt-XXS``."""
    equal = text.replace("n = ", "n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}")
    return re.sub(r"(?<=\w)-(?=\w)", "-\N{WORD JOINER}", equal)


def _notice(notice: Notice) -> Markup:
    command = join(" ", element("code", notice.command)) if notice.command else None
    kind = "notice stop" if notice.urgent else "notice"
    return element("aside", element("strong", notice.title), f" {notice.text}", command, class_=kind)


def _section(part: Section) -> Markup:
    return element("section", element("h2", part.title), *map(render, part.blocks), id=part.identifier)


def _text(text: Text) -> Markup:
    parts = (text,) if isinstance(text, str) else text
    return join(*(_part(part) for part in parts))


def _part(part: str) -> str:
    if isinstance(part, Code):
        return element("code", part)
    if isinstance(part, Strong):
        return element("b", part, class_="good" if isinstance(part, Good) else None)
    return part


@singledispatch
def render(block: Block) -> Markup:
    """A block as HTML.

    Raises:
        TypeError: There is no such block.
    """
    raise TypeError(f"{type(block).__name__} is no block of a document.")


@render.register
def _paragraph(block: Paragraph) -> Markup:
    class_ = {"text": None, "caption": "caption", "screen": "caption screen"}[block.style]
    return element("p", _text(block.text), class_=class_)


@render.register
def _table(block: Table) -> Markup:
    header = next((place for place, column in enumerate(block.columns) if not column.right), 0)
    heads = [
        element(
            "th",
            column.label or element("span", "Field", class_="hidden"),
            scope="col",
            class_="n" if column.right else None,
        )
        for column in block.columns
    ]
    rows = [
        element(
            "tr",
            *(
                element(
                    "th" if place == header else "td",
                    _cell(cell),
                    scope="row" if place == header else None,
                    class_=_class(cell, right=column.right),
                )
                for place, (cell, column) in enumerate(zip(row.cells, block.columns, strict=True))
            ),
            class_="win" if row.strong else None,
        )
        for row in block.rows
    ]
    fixed = "stages-table" if block.fixed else None
    table = element("table", element("thead", element("tr", *heads)), element("tbody", *rows), class_=fixed)
    if block.fixed:
        return table
    return element("div", table, class_="scroll", tabindex=0, role="region", aria_label=block.label)


def _class(cell: Cell, *, right: bool) -> str | None:
    names = ["n" if right else "", _TONES.get(cell.tone or "", ""), "changed" if cell.before else ""]
    return " ".join(filter(None, names)) or None


def _cell(cell: Cell) -> Markup:
    if cell.before:
        return join(element("span", f"{cell.before} → "), element("b", cell.text))
    badges = [element("span", text, class_=_BADGES.get(text, "badge")) for text in cell.badges]
    return join(
        element("code", cell.text) if cell.code else cell.text,
        element("small", f" {cell.note}") if cell.note else None,
        *badges,
    )


@render.register
def _figure(block: Figure) -> Markup:
    """Where the page's script draws a figure."""
    plot = block.plot
    pins = ", Enter pins its candidate" if any(series.rows for series in plot.series) else ""
    label = f"{plot.title}. {plot.y_label}. {plot.x_label}. Arrow keys go from mark to mark{pins}."
    without_script = element("noscript", f"This figure needs JavaScript; {block.source} has its numbers.")
    caption = element(
        "figcaption", element("b", block.title or plot.title), element("span", plot.y_label) if plot.y_label else None
    )
    drawing = element("div", without_script, class_="plot", tabindex=0, role="application", aria_label=label)
    return element("figure", caption, drawing, class_="chart", id=block.identifier)


@render.register
def _key_figures(block: KeyFigures) -> Markup:
    cards = [_key_figure(figure, main=not place) for place, figure in enumerate(block.figures)]
    return element("dl", *cards, class_="cards", style=f"--others: {len(cards) - 1}")


def _key_figure(figure: KeyFigure, *, main: bool) -> Markup:
    unit = element("small", figure.unit) if figure.unit else None
    spread = element("small", f" {figure.spread}") if figure.spread else None
    lines = [element("dd", figure.value, unit, spread, class_="value", title=figure.exact or None)]
    lines += [element("dd", _text(line)) for line in figure.lines]
    if figure.share is not None:
        width = f"width:{100 * min(figure.share, 1):.1f}%"
        meter = element("span", element("i", style=width), class_="meter")
        lines[1] = element("dd", meter, _text(figure.lines[0]))
    return element("div", element("dt", figure.label), *lines, class_="card main" if main else "card")


@render.register
def _networks(block: Networks) -> Markup:
    return networks(block)


@render.register
def _command(block: Command) -> Markup:
    """Code; the page's script adds a button that copies it."""
    return element("pre", element("code", block.text), class_="copy", tabindex=0)


@render.register
def _listing(block: Listing) -> Markup:
    return element("ul", *(element("li", _text(item)) for item in block.items), class_="failures")


@render.register
def _facts(block: Facts) -> Markup:
    pairs = [element("div", element("dt", name), element("dd", value)) for name, value in block.pairs]
    return element("dl", *pairs, class_="facts")


@render.register
def _trials_table(_: TrialsTable) -> Markup:
    without_script = element("noscript", "The table needs JavaScript; trials.csv beside this page has all trials.")
    return element("div", without_script, id="trials-table")


@render.register
def _group(block: Group) -> Markup:
    group = element("div", *map(render, block.blocks), class_=block.layout)
    return join(element("h3", block.title), group) if block.title else group


@render.register
def _tabs(block: Tabs) -> Markup:
    """A single panel stands without tabs."""
    if len(block.panels) == 1:
        return render(block.panels[0][1])
    heads = [
        element(
            "button",
            name,
            type="button",
            role="tab",
            id=f"{block.identifier}-tab-{index}",
            aria_controls=f"{block.identifier}-panel-{index}",
            aria_selected="false" if index else "true",
            tabindex=-1 if index else 0,
        )
        for index, (name, _) in enumerate(block.panels)
    ]
    bodies = [
        element(
            "div",
            render(content),
            role="tabpanel",
            id=f"{block.identifier}-panel-{index}",
            aria_labelledby=f"{block.identifier}-tab-{index}",
            hidden=bool(index),
        )
        for index, (_, content) in enumerate(block.panels)
    ]
    head = element("div", *heads, class_="tabs", role="tablist", aria_label=block.label)
    return element("div", head, *bodies)
