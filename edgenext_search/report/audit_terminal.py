"""An audit in the terminal: the table, its conditions, and what it says in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgenext_search.report.audit_words import COLUMNS, audit_conditions, audit_rows, audit_sentences
from edgenext_search.report.terminal import speller

if TYPE_CHECKING:
    from rich.console import Console


def print_audit(summary: Mapping[str, Any], console: Console) -> None:
    """Print what the audit of a run found.

    Args:
        summary: The run's summary, with an audit.
        console: Where to print.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    audit, say = summary["audit"], speller(console)
    if audit["candidates"]:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False, header_style="bold")
        for index, name in enumerate(COLUMNS):
            table.add_column(say(name), justify="right" if index else "left")
        for row in audit_rows(audit):
            table.add_row(*(Text(say("\n".join(filter(None, cell)))) for cell in row))
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
