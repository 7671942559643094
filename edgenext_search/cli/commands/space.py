"""``edgenext-search space``."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgenext_search.cli.options import UserPath, deployment_options, drop_missing, json_option, print_json, print_text
from edgenext_search.texts import counted

if TYPE_CHECKING:
    from edgenext_search.arch.cost import Deployment
    from edgenext_search.arch.projection import Projection
    from edgenext_search.arch.spaces.parameter import Parameter, Value
    from edgenext_search.arch.spaces.space import Space

LONGEST_NUMBER = 10**15  # longer ones are rounded where people read them


@click.group("space")
def space_group() -> None:
    """Look at search spaces, and check your own."""


@space_group.command("show")
@click.argument("space", default="edgenext", metavar="[NAME|FILE]")
@json_option
def show_command(*, space: str, as_json: bool) -> None:
    """What a search space varies, and over which values."""
    from edgenext_search.arch.spaces.space import Space

    loaded = Space.load(space)
    if as_json:
        parameters = {p.name: _values(p) for p in loaded.parameters}
        no_effect = [entry.to_dict() for entry in loaded.no_effect]
        print_json({**loaded.to_dict(), "parameters": parameters, "no_effect": no_effect})
        return
    print_text(f"{loaded.name}: {loaded.file.description}".removesuffix(": "))
    for parameter in loaded.parameters:
        print_text(f"{parameter.name:<20}{_text(parameter)}", first="  ", indent=22)
    print_text(f"Widths are multiples of {loaded.file.width_multiple}; the budget decides their scale.")
    for entry in loaded.no_effect:
        print_text(f"No effect: {entry.key}, as {entry.reason}.")


@space_group.command("check")
@click.argument("space", metavar="FILE|NAME")
@click.option("--budget", help="Whether these caps can be reached, such as 1.3M or params=1.3M,memory=2MB.")
@deployment_options
@json_option
def check_command(
    *, space: str, budget: str | None, num_classes: int | None, img_size: int | None, as_json: bool
) -> None:
    """Whether a space file is right, and which of its keys and choices change nothing."""
    from edgenext_search.arch.cost import Deployment, cost
    from edgenext_search.arch.results import DeploymentResult
    from edgenext_search.arch.spaces.space import Space
    from edgenext_search.arch.spaces.space_results import CandidateCosts, SpaceCheck

    deployment = Deployment(**drop_missing(num_classes=num_classes, img_size=img_size))
    loaded = Space.load(space)
    projection = _projection(loaded, budget, deployment)
    if as_json:
        result = SpaceCheck(
            space=loaded.name,
            parameters=tuple(parameter.name for parameter in loaded.parameters),
            no_effect=loaded.no_effect,
            alike=loaded.alike,
            not_reached=loaded.not_reached,
            budget=projection.budget.to_dict() if projection else None,
            deployment=DeploymentResult(**deployment.to_dict()) if projection else None,
            smallest=CandidateCosts.of(projection.smallest, deployment) if projection else None,
        )
        print_json(result.to_dict())
        return
    print_text(f"{space} is a valid search space: {loaded.name}, with {len(loaded.parameters)} parameters.")
    _print_remarks(loaded)
    if projection is not None:
        candidate = projection.smallest
        costs = cost(candidate, deployment).to_dict()
        numbers = ", ".join(f"{name} {value:,}" for name, value in costs.items())
        shape = ", ".join(f"{name} {_dashed(getattr(candidate, name))}" for name in ("widths", "depths"))
        print_text(f"The budget {projection.budget} can be reached ({deployment}).")
        print_text(f"Smallest candidate: {numbers}; {shape}.")


@space_group.command("size")
@click.argument("space", default="edgenext", metavar="[NAME|FILE]")
@click.option("--budget", help="Count candidates within these caps too, such as 1.3M or params=1.3M,memory=2MB.")
@deployment_options
@click.option(
    "--samples",
    type=click.IntRange(min=10, max=1_000_000),
    default=5000,
    show_default=True,
    help="Most assignments that are looked at.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@json_option
def size_command(
    *,
    space: str,
    budget: str | None,
    num_classes: int | None,
    img_size: int | None,
    samples: int,
    seed: int,
    as_json: bool,
) -> None:
    """How many assignments a space has, and how many different networks random ones build.

    A space of no more than --samples assignments is gone through completely.
    """
    from edgenext_search.arch.cost import Deployment
    from edgenext_search.arch.projection import space_size
    from edgenext_search.arch.spaces.space import Space

    loaded = Space.load(space)
    deployment = Deployment(**drop_missing(num_classes=num_classes, img_size=img_size))
    projection = _projection(loaded, budget, deployment)
    size = space_size(loaded, projection, samples=samples, seed=seed)
    if as_json:
        print_json(size.to_dict())
        return
    ratios = f"{counted(len(size.continuous), 'continuous width ratio')} ({', '.join(size.continuous)})"
    times = f", times {ratios}" if size.continuous else ""
    print_text(f"{loaded.name} has {_number(size.assignments)} assignments of listed values{times}.")
    which = f"All {size.samples:,} of them" if size.exact else f"{size.samples:,} random ones (seed {seed})"
    within = ""
    if projection is not None:
        within = f", and {counted(size.candidates or 0, 'candidate')} within {projection.budget} ({deployment})"
    print_text(f"{which} build {counted(size.shapes, 'different shape')}{within}.")


@space_group.command("schema")
@click.option("--out", type=UserPath(dir_okay=False), help="A file to write instead of printing.")
def schema_command(*, out: Path | None) -> None:
    """The JSON schema of space files, for editors that complete and check them."""
    from edgenext_search.arch.spaces.schema import space_schema
    from edgenext_search.files import write_output

    text = json.dumps(space_schema(), indent=2)
    if out is None:
        click.echo(text)
    else:
        write_output(out, text + "\n")


@space_group.command("sample")
@click.option("--space", default="edgenext", show_default=True, metavar="NAME|FILE", help="The search space.")
@click.option("--budget", required=True, help="Caps, such as 1.3M or params=1.3M,memory=2MB.")
@deployment_options
@click.option("-n", "count", type=click.IntRange(min=1), default=10, show_default=True, help="How many.")
@click.option("--seed", type=int, default=0, show_default=True)
@json_option
def sample_command(
    *, space: str, budget: str, num_classes: int | None, img_size: int | None, count: int, seed: int, as_json: bool
) -> None:
    """Draw random candidates, projected into the budget; with --json one line for each."""
    from edgenext_search.arch.budget import Budget
    from edgenext_search.arch.cost import Deployment, cost
    from edgenext_search.arch.projection import Projection, require_sensible
    from edgenext_search.arch.spaces.space import Space
    from edgenext_search.arch.spaces.space_results import CandidateCosts

    deployment = Deployment(**drop_missing(num_classes=num_classes, img_size=img_size))
    caps = Budget.parse(budget)
    require_sensible(caps, deployment)
    projection = Projection(Space.load(space), caps, deployment)
    rng = random.Random(seed)
    if not as_json:
        click.echo(f"{count} candidates of {space} within {projection.budget} at {deployment}")
    for _ in range(count):
        candidate = projection.candidate(projection.space.draw(rng))
        if as_json:
            click.echo(json.dumps(CandidateCosts.of(candidate, deployment).to_dict()))
        else:
            costs = cost(candidate, deployment).to_dict()
            shape = "  ".join(_dashed(v) for v in (candidate.widths, candidate.depths))
            names = dict.fromkeys(("params", "madds", *projection.budget.to_dict()))
            numbers = "  ".join(f"{name} {costs[name]:,}" for name in names)
            click.echo(f"{candidate.fingerprint}  {shape:<26}  {numbers}")


def _projection(space: Space, budget: str | None, deployment: Deployment) -> Projection | None:
    from edgenext_search.arch.budget import Budget
    from edgenext_search.arch.projection import Projection

    return Projection(space, Budget.parse(budget), deployment) if budget is not None else None


def _print_remarks(space: Space) -> None:
    for entry in space.no_effect:
        print_text(f"No effect: {entry.key}, as {entry.reason}.", indent=2)
    for same in space.alike:
        values = " and ".join(_one(value) for value in same.values) if len(same.values) < 5 else None
        values = values or f"{_one(same.values[0])} to {_one(same.values[-1])}"
        print_text(f"The same networks: {same.key} {values}.", indent=2)
    for end in space.not_reached:
        print_text(f"Not reached: {end.key} ends at {end.largest:g}, not at max: {end.max:g}.", indent=2)
    if not (space.no_effect or space.alike or space.not_reached):
        print_text("Every key and every choice has an effect.")


def _number(value: int) -> str:
    return f"{value:,}" if value < LONGEST_NUMBER else f"{value:.3g}"


def _values(parameter: Parameter) -> object:
    from edgenext_search.arch.spaces.parameter import Choice

    if isinstance(parameter, Choice):
        return list(parameter.values)
    return {"min": parameter.low, "max": parameter.high}


def _text(parameter: Parameter) -> str:
    from edgenext_search.arch.spaces.parameter import Choice

    if isinstance(parameter, Choice):
        return ", ".join(_one(value) for value in parameter.values)
    return f"{parameter.low:g} to {parameter.high:g}"


def _one(value: Value) -> str:
    """A choice as people read it."""
    if isinstance(value, tuple):
        return _dashed(value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _dashed(values: tuple[Any, ...]) -> str:
    return "-".join(_one(value) for value in values)
