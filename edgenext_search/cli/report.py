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

    from edgenext_search.report.several import RunReport
    from edgenext_search.search.store.records import TrialRecord
    from edgenext_search.search.store.run_folder import RunFolder

SEVERAL = Path("comparison") / "index.html"
FIGURES = "figures"  # folder beside a page


@click.command("report")
@click.argument("runs", nargs=-1, required=True, metavar="RUN [RUN ...]", type=click.Path(path_type=Path))
@click.option("--open", "opened", is_flag=True, help="Open the page in a browser.")
@click.option("--figures", metavar="FORMATS", help="Write the figures as files too: pdf,png,svg.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "md"]),
    default="text",
    show_default=True,
    help="What is printed: md for pull requests.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help=f"Page of several runs (.html), or a folder for it.  [default: {SEVERAL.as_posix()}]",
)
@click.option("--storage", metavar="URL", help="The runs' Optuna storage, if it has a password.")
@json_option
def report_command(
    *,
    runs: tuple[Path, ...],
    opened: bool,
    figures: str | None,
    form: str,
    out: Path | None,
    storage: str | None,
    as_json: bool,
) -> None:
    """Write the report of a run afresh, and print its summary; works while the run goes on.

    Of several runs, compare the winners, and lay the fronts over each other in a page of their own.
    """
    formats = _formats(figures)
    if out is not None and len(runs) == 1:
        raise UserError("--out is the page of several runs; the report of one lies in its folder.")
    if len(runs) == 1:
        page, summary, text = _one(runs[0], storage, formats)
        if form == "text" or as_json:
            show_summary(summary, as_json=as_json)
        else:
            click.echo(text, nl=False)
    else:
        page = out or SEVERAL
        if page.suffix.lower() not in (".html", ".htm"):
            page /= SEVERAL.name
        known, found = _several(runs, storage, formats, page)
        _show_several(known, found, as_json=as_json, markdown=form == "md")
    if formats and not as_json:
        click.echo(f"figures  {page.parent / FIGURES}", err=form == "md")
    if opened:
        click.launch(page.resolve().as_uri())


def _formats(figures: str | None) -> list[str]:
    if figures is None:
        return []
    from edgenext_search.report.static import check_formats

    return check_formats(figures)


def _one(run: Path, storage: str | None, formats: Sequence[str]) -> tuple[Path, dict[str, Any], str]:
    from edgenext_search.report.markdown import markdown
    from edgenext_search.search.store.kind import require_search
    from edgenext_search.search.store.run_folder import RunFolder
    from edgenext_search.search.study.summary import summarize

    folder = RunFolder(run)
    recipe = folder.recipe()
    folder.check_writable()
    store = folder.open_store(recipe, storage, must_exist=True)
    require_search(folder, store)
    summary = summarize(folder, recipe, store, running=folder.is_running()).to_dict()
    trials = store.records()
    write_reports(folder, summary, trials)
    if formats:
        from edgenext_search.report.all_figures import all_figures
        from edgenext_search.report.static import write_figures

        write_figures(all_figures(trials, summary), folder.report_file.parent / FIGURES, formats)
    return folder.report_file, summary, markdown(summary)


def _several(
    runs: Sequence[Path], storage: str | None, formats: Sequence[str], page: Path
) -> tuple[list[RunReport], dict[str, Any]]:
    from edgenext_search.report.several import comparison, several_figures
    from edgenext_search.report.several_page import write_comparison

    known = _read(runs, storage)
    found = comparison(known)
    write_comparison(known, found, page)
    if formats:
        from edgenext_search.report.static import write_figures

        write_figures(several_figures(known), page.parent / FIGURES, formats)
    return known, {**found, "report": str(page)}


def _show_several(runs: Sequence[RunReport], found: Mapping[str, Any], *, as_json: bool, markdown: bool) -> None:
    if as_json:
        print_json(found)
    elif markdown:
        from edgenext_search.report.several_page import comparison_markdown

        click.echo(comparison_markdown(runs, found), nl=False)
        click.echo(f"report   {found['report']}", err=True)
    else:
        from rich.console import Console

        from edgenext_search.report.several_page import print_comparison

        print_comparison(runs, found, Console(file=sys.stdout))


def _read(runs: Sequence[Path], storage: str | None) -> list[RunReport]:
    from edgenext_search.report.several import RunReport
    from edgenext_search.search.comparability import conditions_of
    from edgenext_search.search.store.kind import require_search
    from edgenext_search.search.store.run_folder import RunFolder
    from edgenext_search.search.study.summary import summarize

    resolved = [run.resolve() for run in runs]
    if len(set(resolved)) < len(resolved):
        raise UserError(f"Each run must be given once, but got {', '.join(map(str, runs))}.")
    short = [run.name for run in resolved]
    found = []
    for run, name in zip(runs, short, strict=True):
        folder = RunFolder(run)
        recipe = folder.recipe()
        store = folder.open_store(recipe, storage, must_exist=True)
        require_search(folder, store)
        found.append(
            RunReport(
                name=name if short.count(name) == 1 else str(run),
                summary=summarize(folder, recipe, store, running=folder.is_running()).to_dict(),
                trials=store.records(),
                conditions=conditions_of(recipe, store),
            )
        )
    return found


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
