"""``edgenext-search report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgenext_search.api.reports import write_reports
from edgenext_search.cli.options import UserPath, json_option
from edgenext_search.cli.reports import show
from edgenext_search.errors import UserError
from edgenext_search.texts import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgenext_search.report.comparison.results import ComparisonResult
    from edgenext_search.report.document import Document
    from edgenext_search.report.trials.study import Study
    from edgenext_search.results import Result
    from edgenext_search.search.recipe import ResolvedRecipe
    from edgenext_search.search.results import RunSummary
    from edgenext_search.search.store.run_folder import RunFolder
    from edgenext_search.search.store.store import StudyStore

SEVERAL = Path("comparison") / "index.html"
FIGURES = "figures"  # folder beside a page


@click.command("report")
@click.argument("runs", nargs=-1, required=True, metavar="RUN [RUN ...]", type=UserPath())
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
    type=UserPath(),
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
    """Write the report of a run again and print its summary, also while the run is in progress.

    With several runs, compare the winners and draw the fronts together on a page of its own.
    """
    from edgenext_search.report.render.static import check_formats

    formats = check_formats(figures) if figures is not None else []
    if out is not None and len(runs) == 1:
        raise UserError("--out is the page of several runs; the report of one lies in its folder.")
    result: Result
    if len(runs) == 1:
        page, result, document = _one(runs[0], storage)
    else:
        page = out or SEVERAL
        if page.suffix.lower() not in (".html", ".htm"):
            page /= SEVERAL.name
        result, document = _several(runs, storage, page)
    if formats:
        from edgenext_search.report.render.static import write_figures

        write_figures(document.figures(), page.parent / FIGURES, formats)
    markdown = form == "md" and not as_json
    show(result, document, as_json=as_json, markdown=markdown)
    if markdown and len(runs) > 1:
        click.echo(f"report   {page}", err=True)
    if formats and not as_json:
        click.echo(f"figures  {page.parent / FIGURES}", err=markdown)
    if opened:
        click.launch(page.resolve().as_uri())


def _one(run: Path, storage: str | None) -> tuple[Path, RunSummary, Document]:
    from edgenext_search.search.store.run_folder import RunFolder

    folder = RunFolder(run)
    recipe = folder.recipe()
    folder.check_writable()
    study, _ = _read(folder, recipe, storage)
    return folder.report_file, study.summary, write_reports(folder, study.summary, study.trials)


def _several(runs: Sequence[Path], storage: str | None, page: Path) -> tuple[ComparisonResult, Document]:
    from edgenext_search.report.comparison.document import comparison_document
    from edgenext_search.report.comparison.results import compare_runs
    from edgenext_search.report.render.html import write_page
    from edgenext_search.report.trials.page_data import trials_data
    from edgenext_search.search.comparability import conditions_of, differences
    from edgenext_search.search.store.run_folder import RunFolder

    resolved = [run.resolve() for run in runs]
    if len(set(resolved)) < len(resolved):
        raise UserError(f"Each run must be given once, but got {', '.join(map(str, runs))}.")
    names = [printable(run.name) for run in resolved]
    studies, conditions = [], []
    for run, name in zip(runs, names, strict=True):
        folder = RunFolder(run)
        recipe = folder.recipe()
        study, store = _read(folder, recipe, storage, name=name if names.count(name) == 1 else printable(str(run)))
        studies.append(study)
        conditions.append(conditions_of(recipe, store))
    result = compare_runs(studies, differences(conditions)).model_copy(update={"report": str(page)})
    document = comparison_document(studies, result)
    write_page(document, page, trials=trials_data(studies))
    return result, document


def _read(folder: RunFolder, recipe: ResolvedRecipe, storage: str | None, name: str = "") -> tuple[Study, StudyStore]:
    """A run as reports read it, and its record."""
    from edgenext_search.report.trials.study import Study
    from edgenext_search.search.store.kind import require_search
    from edgenext_search.search.study.summary import summarize

    store = folder.open_store(recipe, storage, must_exist=True)
    require_search(folder, store)
    summary = summarize(folder, recipe, store, running=folder.is_running())
    return Study(summary, store.records(), name), store
