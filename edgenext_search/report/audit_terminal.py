"""An audit in the terminal: the table, its conditions, and what it says in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgenext_search.report.audit_words import COLUMNS, audit_conditions, audit_rows, audit_sentences
from edgenext_search.report.terminal import speller

if TYPE_CHECKING:
    from rich.console import Console


WIDE = 110  # columns that the whole table needs
NOT_NARROW = tuple(COLUMNS.index(name) for name in ("Spearman", "tau-b, size taken out", "Share of ceiling"))


def print_audit(summary: Mapping[str, Any], console: Console) -> None:
    """Print what the audit of a run found; narrow terminals get fewer columns.

    Args:
        summary: The run's summary, with an audit.
        console: Where to print.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    audit, say = summary["audit"], speller(console)
    if audit["candidates"]:
        left_out = () if console.width >= WIDE else NOT_NARROW
        shown = [index for index in range(len(COLUMNS)) if index not in left_out]
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False, header_style="bold")
        for index in shown:
            texts = [text for row in audit_rows(audit) for text in row[index]]
            table.add_column(
                say(COLUMNS[index]), justify="right" if index else "left", min_width=max(map(len, texts), default=0)
            )
        for row in audit_rows(audit):
            table.add_row(*(Text(say("\n".join(filter(None, row[index])))) for index in shown))
        console.print(table, highlight=False)
        console.print(Text(say(audit_conditions(summary)), style="dim"), highlight=False)
        console.print()
    for index, text in enumerate(audit_sentences(summary)):
        console.print(Text(say(text), style="" if index else "bold"), highlight=False)
    for row in audit["failed"]:
        text = f"Trial {row['trial']}, seed {row['seed']} failed: {row['reason']}"
        console.print(Text(say(text), style="red"), highlight=False)
    console.print()
    console.print(Text.assemble(("report   ", "dim"), say(str(summary["report"]))), highlight=False, soft_wrap=True)
