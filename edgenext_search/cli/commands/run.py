"""``edgenext-search run`` and ``resume``."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgenext_search.api.reports import write_reports
from edgenext_search.cli.commands.train import show_training
from edgenext_search.cli.failures import resumable
from edgenext_search.cli.options import (
    DATA,
    DATA_HELP,
    EXIT_FAILURE,
    EXIT_INTERRUPTED,
    UserPath,
    deployment_options,
    execution_from,
    execution_options,
    json_option,
    moved_data_options,
    say,
)
from edgenext_search.cli.reports import show
from edgenext_search.texts import command_line

if TYPE_CHECKING:
    from edgenext_search.search.recipe import ResolvedRecipe
    from edgenext_search.search.results import RunSummary
    from edgenext_search.search.store.run_folder import RunFolder
    from edgenext_search.search.study.session import Execution

train_top_option = click.option(
    "--train-top",
    type=click.IntRange(min=1),
    metavar="K",
    help="Then train the K best finalists in full, by the study's train: section.",
)


@click.command("run")
@click.option(
    "--budget",
    help="Hard caps on the deployed model: 1.3M, or params=1.3M,madds=260M; also acts, memory=2MB, footprint, "
    "latency=12ms@host.",
)
@click.option("--data", metavar=DATA, help=DATA_HELP)
@click.option("--data-dir", metavar="FOLDER", help="Where a timm dataset lies.")
@click.option("--study", metavar="NAME|FILE", help="Study recipe.  [default: demo; imagenet with --data]")
@click.option("--space", metavar="NAME|FILE", help="Search space.  [default: the study's]")
@deployment_options
@click.option(
    "--enqueue",
    multiple=True,
    metavar="FILE|FOLDER|NAME",
    help="Candidate to start with: a file, a model folder or a published name; or a run folder, for its finalists. "
    "Repeatable.",
)
@click.option(
    "--objectives",
    metavar="NAMES",
    help="accuracy,madds searches the front of both: costs to be small, under the caps.",
)
@click.option("--trials", type=int, help="Candidates to score.  [default: the study's]")
@click.option("--time", metavar="TIME", help="Time limit of the proposals, such as 30m or 8h.")
@click.option("--seed", type=int, help="Seed of proposals and trainings.  [default: the study's]")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any study key: --set proxy.epochs=3.")
@click.option("--out", type=UserPath(), help="Run folder.  [default: runs/STUDY-BUDGET-DATE]")
@train_top_option
@execution_options
@json_option
def run_command(
    *,
    budget: str | None,
    data: str | None,
    data_dir: str | None,
    study: str | None,
    space: str | None,
    num_classes: int | None,
    img_size: int | None,
    enqueue: tuple[str, ...],
    objectives: str | None,
    trials: int | None,
    time: str | None,
    seed: int | None,
    settings: tuple[str, ...],
    out: Path | None,
    train_top: int | None,
    as_json: bool,
    **execution: Any,  # noqa: ANN401 - execution_options
) -> None:
    """Search for the best EdgeNeXt within a budget.

    Without --data the built-in images are used, and the ranking is a demonstration. A run folder that exists is
    resumed when the recipe is the same, and refused otherwise.
    """
    from edgenext_search.api.run import default_study, folder_for
    from edgenext_search.search.resolver import load_study

    flags = {
        "budget": budget,
        "data.source": data,
        "data.dir": data_dir,
        "space": space,
        "deployment.num_classes": num_classes,
        "deployment.img_size": img_size,
        "search.enqueue": list(enqueue) or None,
        "search.objectives": objectives,
        "search.trials": trials,
        "search.time": time,
        "search.seed": seed,
    }
    recipe = load_study(default_study(study, data), flags=flags, settings=settings)
    folder = folder_for(recipe, out, train_too=train_top is not None)  # else it changes nothing of a search
    _run(folder, recipe, execution_from(**execution), train_top=train_top, as_json=as_json)


@click.command("resume")
@click.argument("run", type=UserPath())
@click.option("--trials", type=int, help="Candidates to score, more than before.")
@click.option("--time", metavar="TIME", help="Time limit of the proposals in all sessions, such as 30m or 8h.")
@moved_data_options
@train_top_option
@execution_options
@json_option
def resume_command(
    *,
    run: Path,
    trials: int | None,
    time: str | None,
    data: str | None,
    data_dir: str | None,
    train_top: int | None,
    as_json: bool,
    **execution: Any,  # noqa: ANN401
) -> None:
    """Continue a run that was interrupted, also with more trials."""
    from edgenext_search.search.resolver import relocate
    from edgenext_search.search.store.run_folder import RunFolder

    folder = RunFolder(run)
    again = command_line("resume", folder.path)
    moved = relocate(folder.recipe(), source=data, folder=data_dir, again=again)
    recipe = replace(folder.extend(trials=trials, time=time), data=moved.data)
    _run(folder, recipe, execution_from(**execution), train_top=train_top, as_json=as_json)


def _run(
    folder: RunFolder, recipe: ResolvedRecipe, execution: Execution, *, train_top: int | None, as_json: bool
) -> None:
    from rich.console import Console

    from edgenext_search.api.run import conduct
    from edgenext_search.search.full_training import check_full_training

    if train_top is not None:
        check_full_training(recipe, device=execution.device)
    with resumable(command_line("resume", folder.path), begun=folder.exists):
        summary = conduct(folder, recipe, execution, Console(stderr=True))
    if train_top is not None and summary.status == "complete":
        summary = _train_finalists(folder, recipe, summary, train_top, execution.device)
    document = write_reports(folder, summary, folder.open_store(recipe, execution.storage).records())
    show(summary, document, as_json=as_json)
    if not as_json:
        for trained in summary.trained:
            show_training(trained, as_json=False)
    if summary.status == "interrupted":
        sys.exit(EXIT_INTERRUPTED)
    if summary.winner is None:
        sys.exit(EXIT_FAILURE)


def _train_finalists(
    folder: RunFolder, recipe: ResolvedRecipe, summary: RunSummary, count: int, device: str
) -> RunSummary:
    """Train the best finalists in full; gives the summary with what they came to."""
    from rich.console import Console

    from edgenext_search.cli.train_progress import train_listener
    from edgenext_search.search.full_training import train_finalists, trained_in
    from edgenext_search.training.errors import TrainingInterruptedError

    try:
        with train_listener(Console(stderr=True)) as listener:
            train_finalists(folder, recipe, count, device=device, listener=listener)
    except TrainingInterruptedError:
        again = command_line("resume", folder.path, "--train-top", count)
        say(f"Stopped in full training, which is saved: `{again}` goes on.")
        sys.exit(EXIT_INTERRUPTED)
    summary = summary.model_copy(update={"trained": trained_in(folder)})
    folder.write_summary(summary)
    return summary
