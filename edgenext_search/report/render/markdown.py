"""A document as Markdown, for pull requests and notes."""

from __future__ import annotations

import re

from edgenext_search.report.document import Block, Cell, Code, Document, Listing, Paragraph, Strong, Table, Text

_SPECIAL = "\\`*_[]<>|#~&$"


def markdown(document: Document) -> str:
    """The answer, what qualifies it, and the brief blocks."""
    parts = [f"### EdgeNeXt search: {escaped(', '.join(document.topic))}", f"**{escaped(document.answer)}**"]
    if document.qualifiers:
        parts.append(escaped(" ".join(document.qualifiers)))
    for notice in document.notices:
        command = f" {code(notice.command)}" if notice.command else ""
        parts.append(f"> **{escaped(notice.title)}** {escaped(notice.text)}{command}")
    parts += [_block(block) for block in document.brief]
    return "\n\n".join(filter(None, parts)) + "\n"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return "".join(f"\\{sign}" if sign in _SPECIAL else " " if sign in "\r\n" else sign for sign in text)


def code(text: str, *, in_table: bool = False) -> str:
    """Text in a code span, on one line, between more backticks than it holds in a row.

    Args:
        text: What it holds.
        in_table: Whether a table holds it, whose cells end at each bar.
    """
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if text.startswith(("`", " ")) or text.endswith(("`", " ")) else ""
    shown = re.sub(r"[\r\n]", " ", text)
    return f"{fence}{space}{shown.replace('|', f'{chr(92)}|') if in_table else shown}{space}{fence}"


def _block(block: Block) -> str:
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Paragraph):
        return _text(block.text)
    if isinstance(block, Listing):
        return "\n".join(f"- {_text(item)}" for item in block.items)
    return ""


def _text(text: Text) -> str:
    return "".join(map(_part, (text,) if isinstance(text, str) else text))


def _part(part: str) -> str:
    if isinstance(part, Code):
        return code(part)
    if isinstance(part, Strong):
        words = part.rstrip()  # Markdown knows no emphasis that ends in a space
        return f"**{escaped(words)}**{part[len(words) :]}"
    return escaped(part)


def _table(table: Table) -> str:
    kept = [place for place, column in enumerate(table.columns) if not column.page_only]
    lines = [[escaped(table.columns[place].label) for place in kept]]
    lines.append(["--:" if table.columns[place].right else "---" for place in kept])
    lines += [[_cell(row.cells[place], strong=row.strong) for place in kept] for row in table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(cell: Cell, *, strong: bool) -> str:
    text = code(cell.text, in_table=True) if cell.code else escaped(cell.text)
    text = f"**{text}**" if cell.code and strong else text
    before = f"{escaped(cell.before)} → " if cell.before else ""
    note = f" {escaped(cell.note)}" if cell.note else ""
    badges = f" ({escaped(', '.join(cell.badges))})" if cell.badges else ""
    return f"{before}{text}{note}{badges}"
