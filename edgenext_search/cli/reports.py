"""Showing a result."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from edgenext_search.cli.options import print_json

if TYPE_CHECKING:
    from edgenext_search.report.document import Document
    from edgenext_search.results import Result


def show(result: Result, document: Document, *, as_json: bool, markdown: bool = False) -> None:
    """Print a result as JSON, or its report as Markdown or for people."""
    if as_json:
        print_json(result.to_dict())
    elif markdown:
        from edgenext_search.report.render.markdown import markdown as as_markdown

        click.echo(as_markdown(document), nl=False)
    else:
        from rich.console import Console

        from edgenext_search.report.render.terminal import print_document

        print_document(document, Console(file=sys.stdout))
