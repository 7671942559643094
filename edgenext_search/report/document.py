"""What a report says, apart from where it is shown: built once, rendered for a terminal, as an HTML page, as Markdown.

A page shows the sections of a document. A terminal and Markdown, where space is short, show :attr:`Document.brief`:
some of the same blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from edgenext_search.arch.candidate import Candidate
from edgenext_search.report.plot import Plot


class Strong(str):
    """Text that stands out."""

    __slots__ = ()


class Good(Strong):
    """Text that stands out because it is good news."""

    __slots__ = ()


class Code(str):
    """Text that is a command, a path or an identifier."""

    __slots__ = ()


Text = str | tuple[str, ...]
"""A text, or its parts; parts may be :class:`Strong` or :class:`Code`."""


def plain(text: Text) -> str:
    """A text without its emphasis."""
    return text if isinstance(text, str) else "".join(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """A paragraph.

    Attributes:
        text: Its text.
        style: ``caption`` for small print; ``screen`` for small print that makes no sense on paper.
    """

    text: Text
    style: Literal["text", "caption", "screen"] = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        label: Its heading.
        right: Whether it is aligned to the right, as numbers are.
        page_only: Whether terminal and Markdown leave it out.
        narrow: Where it goes in a terminal without room for all columns: a column of its ``own``, ``below`` the column
            before it, ``beside`` the last line there, or nowhere (``drop``).
        main: Whether it stays in the narrowest terminal, as the first column does; of a table with such columns the
            others are left out from the right.
    """

    label: str
    right: bool = False
    page_only: bool = False
    narrow: Literal["own", "below", "beside", "drop"] = "own"
    main: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell of a table with more to it than its text.

    Attributes:
        text: Its text.
        note: Smaller text that belongs to it, such as an interval.
        before: The value that ``text`` differs from; empty for none.
        code: Whether the text is an identifier.
        badges: Short labels such as ``winner``.
        tone: Whether it is good or bad news.
    """

    text: str
    note: str = ""
    before: str = ""
    code: bool = False
    badges: tuple[str, ...] = ()
    tone: Literal["good", "bad"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a table.

    Attributes:
        cells: One for each column.
        strong: Whether it stands out.
    """

    cells: tuple[Cell, ...]
    strong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table.

    Attributes:
        label: What it is, for readers who cannot see it.
        columns: Its columns.
        rows: Its rows.
        fixed: Whether the columns share the width of the page evenly.
    """

    label: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    fixed: bool = False

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(f"A row must have {len(self.columns)} cells, but got {len(row.cells)}: {row.cells}.")


def row(*cells: str | Cell, strong: bool = False) -> Row:
    """A row of texts and cells."""
    return Row(cells=tuple(Cell(text=cell) if isinstance(cell, str) else cell for cell in cells), strong=strong)


def columns(*labels: str, left: Sequence[str] = (), main: Sequence[str] = ()) -> tuple[Column, ...]:
    """Columns of numbers, but for those in ``left``; those in ``main`` matter most."""
    return tuple(Column(label=label, right=label not in left, main=label in main) for label in labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure.

    Attributes:
        identifier: Its identifier on the page, which begins with ``fig-``.
        plot: What it shows.
        source: File or table that has its numbers.
        title: Text above it; None for the plot's own title.
    """

    identifier: str
    plot: Plot
    source: str = "trials.csv"
    title: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFigure:
    """A number that matters.

    Attributes:
        label: What it is.
        value: The number.
        unit: Its unit.
        spread: Text behind it, such as a standard deviation.
        exact: The number with all its digits.
        share: Share of a cap that it uses; None without a cap.
        lines: Texts beneath.
    """

    label: str
    value: str
    unit: str = ""
    spread: str = ""
    exact: str = ""
    share: float | None = None
    lines: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFigures:
    """Numbers that matter beside each other, the first the most."""

    figures: tuple[KeyFigure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A candidate to be drawn."""

    role: str
    origin: str
    candidate: Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """Candidates drawn block by block on a common scale, with a legend."""

    networks: tuple[Network, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Code to be copied."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list of failures."""

    items: tuple[Text, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Names with their values."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialsTable:
    """Where the page shows all trials, sorted and filtered as the reader likes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Blocks that belong together.

    Attributes:
        blocks: The blocks.
        layout: ``pair`` for two columns of figures, ``split`` for two columns of text, ``small-plots`` for four columns
            of figures, ``prose`` for one column of text.
        title: A heading above; empty for none.
    """

    blocks: tuple[Block, ...]
    layout: Literal["pair", "split", "small-plots", "prose"]
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tabs:
    """Blocks of which one is shown at a time; all of them on paper.

    Attributes:
        identifier: Its identifier on the page.
        label: What the tabs choose.
        panels: Label and block of each tab.
    """

    identifier: str
    label: str
    panels: tuple[tuple[str, Block], ...]


Block = (
    Paragraph
    | Table
    | Figure
    | KeyFigures
    | Networks
    | Command
    | Listing
    | Facts
    | TrialsTable
    | Group
    | Tabs
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Blocks under a heading.

    Attributes:
        identifier: Its identifier on the page.
        link: Its name in the page's list of sections; empty to leave it out.
        title: The heading.
        blocks: Its contents.
    """

    identifier: str
    link: str
    title: str
    blocks: tuple[Block, ...]


def section(identifier: str, link: str, title: str, *blocks: Block | None) -> Section:
    """A section of those blocks that are there."""
    return Section(identifier=identifier, link=link, title=title, blocks=tuple(filter(None, blocks)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a reader must know before the numbers.

    Attributes:
        title: The notice in a few words.
        text: What it means.
        command: What to type; empty for nothing.
        urgent: Whether the numbers are not final.
    """

    title: str
    text: str
    command: str = ""
    urgent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A report.

    Attributes:
        topic: What was asked, in parts: the study, the budget.
        answer: What was found, in one sentence.
        qualifiers: Sentences that qualify the answer.
        notices: What a reader must know before the numbers.
        sections: What the page shows.
        brief: What terminal and Markdown show.
        paths: Labels with paths, commands and durations, for the terminal.
        live: Whether the numbers still change.
    """

    topic: tuple[str, ...]
    answer: str
    qualifiers: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    sections: tuple[Section, ...] = ()
    brief: tuple[Block, ...] = ()
    paths: tuple[tuple[str, str], ...] = ()
    live: bool = False

    def figures(self) -> dict[str, Plot]:
        """All figures by identifier, in the order of the page."""
        return {
            figure.identifier: figure.plot for section in self.sections for figure in _figures_among(section.blocks)
        }


def _figures_among(blocks: Sequence[Block]) -> Iterator[Figure]:
    for block in blocks:
        if isinstance(block, Figure):
            yield block
        elif isinstance(block, Group):
            yield from _figures_among(block.blocks)
        elif isinstance(block, Tabs):
            yield from _figures_among([panel for _, panel in block.panels])
