"""A document in a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from edgenext_search.report.document import Block, Cell, Column, Document, Listing, Paragraph, Table, plain
from edgenext_search.texts import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

_UNBOUNDED = 10_000  # columns: what a table would like to have
_ASCII = str.maketrans({"±": "+-", "–": "-", "−": "-", "≤": "<=", "…": "...", "×": "x", "’": "'", "→": "->"})


class _Layout(NamedTuple):
    """How a table saves width."""

    notes_below: bool = False
    dropped: bool = False
    merged: bool = False
    stacked: bool = False
    left_out: frozenset[int] = frozenset()  # places of columns


_LAYOUTS = (
    _Layout(),
    _Layout(notes_below=True),
    _Layout(notes_below=True, dropped=True),
    _Layout(notes_below=True, dropped=True, merged=True),
    _Layout(notes_below=True, dropped=True, merged=True, stacked=True),
)


def print_document(document: Document, console: Console) -> None:
    """Print the brief blocks, then the answer, which so stands next to the prompt, then the paths.

    Where a table is too wide for the terminal, notes go below their values, then columns are merged or left out. Where
    the console can show no more than ASCII, other characters are spelled out.
    """
    from rich.text import Text

    say = speller(console)

    def show(text: str, style: str = "") -> None:
        console.print(Text(say(text), style=style), highlight=False)

    for block in document.brief:
        _print_block(block, console)
    if document.brief:
        console.print()
    show(document.answer, "bold")
    for qualifier in document.qualifiers:
        show(qualifier)
    for notice in document.notices:
        show(f"{notice.title} {notice.text}", "yellow")
        if notice.command:
            console.print(Text(say(f"  {notice.command}")), highlight=False, soft_wrap=True)
    if document.paths:
        console.print()
    for label, path in document.paths:
        console.print(Text.assemble((f"{label:<9}", "dim"), say(path)), highlight=False, soft_wrap=True)


def print_table(table: Table, console: Console) -> None:
    """Print a table in the widest layout that the terminal has room for; what even the last leaves out is named."""
    from rich.measure import Measurement
    from rich.text import Text

    unbounded, say = console.options.update_width(_UNBOUNDED), speller(console)
    for layout in (*_LAYOUTS, *_narrower(table)):
        drawn = _drawn(table, layout, say)
        needed = Measurement.get(console, unbounded, drawn)
        if (needed.minimum if layout.stacked else needed.maximum) <= console.width:  # stacked cells break between words
            break
    console.print(drawn, highlight=False)
    if layout.left_out:
        labels = ", ".join(table.columns[place].label for place in sorted(layout.left_out))
        console.print(Text(say(f"Too narrow for {labels}."), style="dim"), highlight=False)


def _narrower(table: Table) -> Iterator[_Layout]:
    """Layouts that leave out more and more columns, from the right, until those that matter are left."""
    if not any(column.main for column in table.columns):
        return
    left_out: frozenset[int] = frozenset()
    for group in reversed(_groups(table.columns, _LAYOUTS[-1])[1:]):
        if not any(table.columns[place].main for place in group):
            left_out |= set(group)
            yield _LAYOUTS[-1]._replace(left_out=left_out)


def speller(console: Console) -> Callable[[str], str]:
    """A function that spells a text with the characters that the console can show, line by line."""

    def in_utf(text: str) -> str:
        return "\n".join(map(printable, text.split("\n")))

    if console.encoding.lower().startswith("utf"):
        return in_utf
    return lambda text: in_utf(text).translate(_ASCII).encode(console.encoding, "replace").decode(console.encoding)


def _print_block(block: Block, console: Console) -> None:
    from rich.text import Text

    say = speller(console)
    if isinstance(block, Table):
        print_table(block, console)
    elif isinstance(block, Paragraph):
        style = "" if block.style == "text" else "dim"
        console.print(Text(say(plain(block.text)), style=style), highlight=False)
    elif isinstance(block, Listing):
        for item in block.items:
            console.print(Text(say(plain(item)), style="red"), highlight=False)


def _drawn(table: Table, layout: _Layout, say: Callable[[str], str]) -> RichTable:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    shown = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False, header_style="bold")
    groups = _groups(table.columns, layout)
    for group in groups:
        first = table.columns[group[0]]
        labels = _stacked(
            [Cell(text=table.columns[place].label) for place in group], group, table.columns, layout, ", "
        )
        shown.add_column(Text(say(labels)), justify="right" if first.right else "left", overflow="fold")
    for row in table.rows:
        style = "bold green" if row.strong else ""
        texts = [
            _stacked([row.cells[place] for place in group], group, table.columns, layout, "  ") for group in groups
        ]
        shown.add_row(*(Text(say(text), style=style) for text in texts))
        if any("\n" in text for text in texts):
            shown.leading = 1  # rows of several lines need a gap between them
    return shown


def _groups(columns: Sequence[Column], layout: _Layout) -> list[list[int]]:
    """The places of the columns that are shown, those that share a column together."""
    groups: list[list[int]] = []
    for place, column in enumerate(columns):
        if column.page_only or (layout.dropped and column.narrow == "drop") or place in layout.left_out:
            continue
        if layout.merged and groups and column.narrow in ("below", "beside"):
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups


def _stacked(cells: Sequence[Cell], group: Sequence[int], columns: Sequence[Column], layout: _Layout, gap: str) -> str:
    """The texts of the cells of one row in a column that they share."""
    text = ""
    for cell, place in zip(cells, group, strict=True):
        beside = columns[place].narrow == "beside" and not layout.stacked
        between = "" if place == group[0] else gap if beside else "\n"
        note = f"{chr(10) if layout.notes_below else ' '}{cell.note}" if cell.note else ""
        before = f"{cell.before} → " if cell.before else ""
        text += f"{between}{before}{cell.text}{note}"
    return text
