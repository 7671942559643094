"""``edgenext-search scale study``, ``compare``, ``resume`` and ``report``."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgenext_search.cli.failures import resumable
from edgenext_search.cli.options import (
    DATA,
    DATA_HELP,
    EXIT_INTERRUPTED,
    UserPath,
    deployment_options,
    execution_from,
    execution_options,
    json_option,
    moved_data_options,
)
from edgenext_search.cli.reports import show
from edgenext_search.errors import UserError
from edgenext_search.texts import command_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgenext_search.scaling.plan import Plan
    from edgenext_search.scaling.records import ScalingResult
    from edgenext_search.search.recipe import ResolvedRecipe
    from edgenext_search.search.store.run_folder import RunFolder
    from edgenext_search.search.study.session import Execution

F = TypeVar("F", bound=Callable[..., Any])


def _study_options(function: F) -> F:
    """The terms of the trainings, as ``run`` has them."""
    for option in (
        click.option("--out", type=UserPath(), help="Run folder.  [default: runs/scale-STUDY-DATE]"),
        click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any study key."),
        click.option("--seed", type=int, help="Seed of shapes and trainings.  [default: the study's]"),
        click.option("--seeds", type=int, default=1, show_default=True, help="Trainings of each candidate."),
        click.option("--data-dir", metavar="FOLDER", help="Where a timm dataset lies."),
        click.option("--data", metavar=DATA, help=DATA_HELP),
        click.option("--study", default="scaling", show_default=True, metavar="NAME|FILE", help="Study recipe."),
    ):
        function = option(function)
    return function


profile_option = click.option(
    "--profile",
    type=UserPath(),
    metavar="FILE",
    help="A device's latency profile: the latency that it predicts becomes one of the costs.",
)


@click.command("study")
@click.option("--budgets", required=True, metavar="BUDGETS", help="0.3M,0.6M,1.3M, or madds=20M;madds=40M.")
@click.option("--shapes", type=int, default=12, show_default=True, help="Shapes, each trained in every budget.")
@click.option("--space", metavar="NAME|FILE", help="Search space.  [default: the study's]")
@profile_option
@_study_options
@deployment_options
@execution_options
@json_option
def study_command(
    *,
    budgets: str,
    shapes: int,
    space: str | None,
    profile: Path | None,
    seeds: int,
    as_json: bool,
    **options: Any,  # noqa: ANN401
) -> None:
    """Train the same shapes at several sizes, and fit the law of their errors.

    Says what the next size would give, and whether the order of the shapes holds across sizes. The same command with
    the same --out continues an interrupted study.
    """
    from edgenext_search.arch.scaling import parse_budgets
    from edgenext_search.scaling.plan import Plan

    wanted = _ascending(parse_budgets(budgets))
    recipe, folder, execution = _terms(budget=wanted[-1].to_dict(), space=space, **options)
    keys = recipe.space.to_dict()
    plan = Plan(kind="study", budgets=tuple(wanted), shapes=shapes, seeds=seeds, spaces=(keys,))
    _run(folder, recipe, plan, execution, profile=profile, as_json=as_json)


@click.command("compare")
@click.argument("space_a")
@click.argument("space_b")
@click.option("--budget", required=True, help="Hard caps, such as 1.3M.")
@click.option("--n", type=int, default=24, show_default=True, help="Random candidates of each space.")
@_study_options
@deployment_options
@execution_options
@json_option
def compare_command(
    *,
    space_a: str,
    space_b: str,
    budget: str,
    n: int,
    seeds: int,
    as_json: bool,
    **options: Any,  # noqa: ANN401
) -> None:
    """Which of two spaces has the better candidates in a budget, by the errors of random ones.

    SPACE_A and SPACE_B are names or files. The same command with the same --out continues an interrupted
    comparison.
    """
    from edgenext_search.arch.budget import Budget
    from edgenext_search.arch.spaces.space import Space
    from edgenext_search.scaling.plan import Plan

    caps, spaces = Budget.parse(budget), [Space.load(name) for name in (space_a, space_b)]
    keys = [space.to_dict() for space in spaces]
    if spaces[0].name == spaces[1].name:
        keys = [{**space, "name": f"{space['name']}-{end}"} for space, end in zip(keys, "AB", strict=True)]
    if spaces[0].to_dict() == spaces[1].to_dict():
        keys[1] = keys[0]
    recipe, folder, execution = _terms(budget=caps.to_dict(), space=keys[0], **options)
    plan = Plan(kind="compare", budgets=(caps,), shapes=n, seeds=seeds, spaces=(keys[0], keys[1]))
    _run(folder, recipe, plan, execution, as_json=as_json)


@click.command("resume")
@click.argument("run", type=UserPath())
@moved_data_options
@execution_options
@json_option
def resume_command(
    *,
    run: Path,
    data: str | None,
    data_dir: str | None,
    as_json: bool,
    **execution: Any,  # noqa: ANN401
) -> None:
    """Continue a scaling study that was interrupted."""
    from edgenext_search.search.resolver import relocate
    from edgenext_search.search.store.run_folder import RunFolder

    folder = RunFolder(run)
    again = command_line("scale", "resume", folder.path)
    recipe = relocate(folder.recipe(), source=data, folder=data_dir, again=again)
    _run(folder, recipe, None, execution_from(**execution), as_json=as_json)


@click.command("report")
@click.argument("run", type=UserPath())
@click.option("--storage", metavar="URL", help="The run's Optuna storage, if it has a password.")
@profile_option
@json_option
def report_command(*, run: Path, storage: str | None, profile: Path | None, as_json: bool) -> None:
    """Write the report of a scaling study again and print it, also while the study is in progress."""
    from edgenext_search.scaling.latency import keep_profile, timed
    from edgenext_search.scaling.plan import entries
    from edgenext_search.scaling.progress import plan_of
    from edgenext_search.scaling.summary import scaling_summary
    from edgenext_search.search.store.run_folder import RunFolder

    folder = RunFolder(run)
    recipe = folder.recipe()
    folder.check_writable()
    store = folder.open_store(recipe, storage, must_exist=True)
    own = timed(recipe.deployment, profile)
    entries(plan_of(folder, store), own, seed=recipe.search.seed)  # refuses a profile that lacks one of its blocks
    keep_profile(folder, profile)
    _show(folder, scaling_summary(folder, recipe, store, running=folder.is_running()), as_json=as_json)


def _ascending(budgets: Sequence[Any]) -> list[Any]:
    """Budgets, smallest first; of several caps each has to grow.

    Raises:
        UserError: They cap different costs, or one is smaller in one cost and larger in another.
    """
    names = tuple(budgets[0].to_dict())
    for budget in budgets:
        if tuple(budget.to_dict()) != names:
            raise UserError(f"The budgets of a study must cap the same costs, but got {budgets[0]} and {budget}.")
    ordered = sorted(budgets, key=lambda budget: list(budget.to_dict().values()))
    for small, large in itertools.pairwise(ordered):
        if any(a > b for a, b in zip(small.to_dict().values(), large.to_dict().values(), strict=True)):
            raise UserError(f"The budgets of a study must grow in every cap, but got {small} and {large}.")
    return ordered


def _terms(
    *,
    budget: Mapping[str, int],
    space: str | dict[str, Any] | None,
    study: str,
    data: str | None,
    data_dir: str | None,
    num_classes: int | None,
    img_size: int | None,
    seed: int | None,
    settings: tuple[str, ...],
    out: Path | None,
    **execution: Any,  # noqa: ANN401
) -> tuple[ResolvedRecipe, RunFolder, Execution]:
    """The study that the trainings are done by, where, and how fast.

    Raises:
        UserError: Something of it cannot be used, or the folder holds a run of another recipe.
    """
    import time

    from edgenext_search.search.resolver import load_study
    from edgenext_search.search.store.run_folder import RunFolder

    flags = {
        "budget": dict(budget),
        "data.source": data,
        "data.dir": data_dir,
        "space": space,
        "deployment.num_classes": num_classes,
        "deployment.img_size": img_size,
        "search.seed": seed,
    }
    recipe = load_study(study, flags=flags, settings=settings)
    folder = RunFolder(out or Path("runs") / f"scale-{recipe.name}-{time.strftime('%Y%m%d-%H%M%S')}")
    if folder.exists() and (differing := folder.recipe().differences(recipe)):
        raise UserError(
            f"{folder.path} holds a run of another recipe (there / here): {'; '.join(differing)}. "
            f"Continue it with `{command_line('scale', 'resume', folder.path)}`, or give another --out."
        )
    return recipe, folder, execution_from(**execution)


def _run(
    folder: RunFolder,
    recipe: ResolvedRecipe,
    plan: Plan | None,
    execution: Execution,
    *,
    profile: Path | None = None,
    as_json: bool,
) -> None:
    from rich.console import Console

    from edgenext_search.api.progress import progress_listener
    from edgenext_search.scaling.study import run_scaling

    with (
        resumable(command_line("scale", "resume", folder.path), begun=folder.holds_results),
        progress_listener(Console(stderr=True), folder, recipe) as listener,
    ):
        summary = run_scaling(folder, recipe, plan, execution, listener, profile=profile)
    _show(folder, summary, as_json=as_json)
    if summary.status == "interrupted":
        sys.exit(EXIT_INTERRUPTED)


def _show(folder: RunFolder, result: ScalingResult, *, as_json: bool) -> None:
    """Write the page, and print the result."""
    from edgenext_search.report.render.html import write_page
    from edgenext_search.report.scaling.document import scaling_document
    from edgenext_search.report.trials.page_data import trials_data

    folder.write_summary(result)
    document = scaling_document(result)
    write_page(document, folder.report_file, trials=trials_data())
    show(result, document, as_json=as_json)
