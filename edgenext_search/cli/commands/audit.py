"""``edgenext-search audit``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from edgenext_search.api.reports import write_reports
from edgenext_search.cli.failures import resumable
from edgenext_search.cli.options import (
    EXIT_INTERRUPTED,
    UserPath,
    execution_from,
    execution_options,
    json_option,
    moved_data_options,
)
from edgenext_search.cli.reports import show
from edgenext_search.texts import command_line


@click.command("audit")
@click.argument("run", type=UserPath())
@click.option("--reference-epochs", type=int, metavar="E", help="Epochs of the longer trainings.  [default: 4 x proxy]")
@click.option("--n", type=int, default=16, show_default=True, help="Candidates, from the whole range of scores.")
@click.option("--seeds", type=int, default=2, show_default=True, help="Longer trainings of each, with fresh seeds.")
@moved_data_options
@execution_options
@json_option
def audit_command(
    *,
    run: Path,
    reference_epochs: int | None,
    n: int,
    seeds: int,
    data: str | None,
    data_dir: str | None,
    as_json: bool,
    **execution: Any,  # noqa: ANN401 - execution_options
) -> None:
    """Train a sample of a run's candidates longer, to check how well the search ranks them.

    The same command continues an interrupted audit; a larger --n or --seeds adds to it.
    """
    from rich.console import Console

    from edgenext_search.api.progress import progress_listener
    from edgenext_search.audit.run import Audit, run_audit
    from edgenext_search.report.audit.section import audit_document
    from edgenext_search.search.resolver import relocate
    from edgenext_search.search.store.run_folder import RunFolder

    folder, console = RunFolder(run), Console(stderr=True)
    recipe = relocate(folder.recipe(), source=data, folder=data_dir, again=command_line("audit", folder.path))
    audit = Audit.of(recipe, epochs=reference_epochs, n=n, seeds=seeds)
    where = execution_from(**execution)
    with resumable(None), progress_listener(console, folder, recipe) as listener:
        summary = run_audit(folder, recipe, audit, where, listener)
    write_reports(folder, summary, folder.open_store(recipe, where.storage).records())
    if summary.audit is not None:
        show(summary, audit_document(summary, summary.audit), as_json=as_json)
        if summary.audit.status == "interrupted":
            sys.exit(EXIT_INTERRUPTED)
