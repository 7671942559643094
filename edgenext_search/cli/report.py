"""``edgenext-search report``, and writing the report at the end of a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgenext_search.cli.options import json_option, print_json
from edgenext_search.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgenext_search.search.folder import RunFolder
    from edgenext_search.search.records import TrialRecord


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--storage", metavar="URL", help="The run's Optuna storage, if it has a password.")
@json_option
def report_command(*, run: Path, storage: str | None, as_json: bool) -> None:
    """Write the report of a run afresh, and print its summary; works while the run goes on."""
    from edgenext_search.search.folder import RunFolder
    from edgenext_search.search.scaling_study import SCALING
    from edgenext_search.search.summary import summarize

    folder = RunFolder(run)
    recipe = folder.recipe()
    folder.check_writable()
    store = folder.open_store(recipe, storage, must_exist=True)
    if store.fact(SCALING) is not None:
        raise UserError(f"{run} is a scaling study; `edgenext-search scale report {run}` writes its report.")
    summary = summarize(folder, recipe, store, running=folder.is_running())
    write_reports(folder, summary, store.records())
    show_summary(summary, as_json=as_json)


def write_reports(folder: RunFolder, summary: Mapping[str, Any], trials: Sequence[TrialRecord]) -> None:
    """Write ``summary.json``, ``report/index.html`` and ``report/trials.csv``."""
    from edgenext_search.report.html import write_report
    from edgenext_search.report.table import write_csv

    folder.write_summary(summary)
    folder.report_file.parent.mkdir(parents=True, exist_ok=True)
    write_report(summary, trials, folder.report_file)
    write_csv(trials, folder.csv_file)


def show_summary(summary: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the summary for people, or as one JSON object."""
    if as_json:
        print_json(summary)
        return
    from rich.console import Console

    from edgenext_search.report.terminal import print_summary

    print_summary(summary, Console(file=sys.stdout))
