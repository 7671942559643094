"""Writing the reports of a run, and showing a result."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from edgenext_search.cli.options import print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgenext_search.report.document import Document
    from edgenext_search.results import Result
    from edgenext_search.search.results import RunSummary
    from edgenext_search.search.store.records import TrialRecord
    from edgenext_search.search.store.run_folder import RunFolder


def write_reports(folder: RunFolder, summary: RunSummary, trials: Sequence[TrialRecord]) -> Document:
    """Write ``summary.json``, ``report/index.html`` and ``report/trials.csv``; returns the report."""
    from edgenext_search.report.render.html import write_page
    from edgenext_search.report.run.document import run_document
    from edgenext_search.report.trials.page_data import trials_data
    from edgenext_search.report.trials.study import Study
    from edgenext_search.report.trials.table import write_csv

    folder.write_summary(summary)
    document = run_document(summary, trials)
    write_page(document, folder.report_file, trials=trials_data([Study(summary, trials)]))
    write_csv(trials, folder.csv_file)
    return document


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
