"""``edgenext-search space``."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import click

from edgenext_search.cli.options import deployment_options, drop_missing, json_option, print_json

if TYPE_CHECKING:
    from edgenext_search.arch.parameter import Parameter


@click.group("space")
def space_group() -> None:
    """Look at search spaces."""


@space_group.command("show")
@click.argument("space", default="edgenext", metavar="[NAME|FILE]")
@json_option
def show_command(*, space: str, as_json: bool) -> None:
    """What a search space varies, and over which values."""
    from edgenext_search.arch.space import Space

    loaded = Space.load(space)
    if as_json:
        print_json({**loaded.to_dict(), "parameters": {p.name: _values(p) for p in loaded.parameters}})
        return
    click.echo(f"{loaded.name}: {loaded.file.description}")
    for parameter in loaded.parameters:
        click.echo(f"  {parameter.name:<20}{_text(parameter)}")
    click.echo(f"Widths are multiples of {loaded.file.width_multiple}; the budget decides their scale.")


@space_group.command("sample")
@click.option("--space", default="edgenext", show_default=True, metavar="NAME|FILE", help="The search space.")
@click.option("--budget", required=True, help="Caps, such as 1.3M or params=1.3M,madds=260M.")
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
    from edgenext_search.arch.projection import Projection
    from edgenext_search.arch.space import Space

    deployment = Deployment(**drop_missing(num_classes=num_classes, img_size=img_size))
    projection = Projection(Space.load(space), Budget.parse(budget), deployment)
    rng = random.Random(seed)  # noqa: S311 - no secret hangs on it
    if not as_json:
        click.echo(f"{count} candidates of {space} within {projection.budget} at {deployment}")
    for _ in range(count):
        candidate = projection.candidate(projection.space.sample(rng))
        costs = cost(candidate, deployment).to_dict()
        if as_json:
            line = {"candidate": candidate.to_dict(), "fingerprint": candidate.fingerprint, **costs}
            click.echo(json.dumps(line))
        else:
            shape = "  ".join("-".join(map(str, v)) for v in (candidate.widths, candidate.depths))
            numbers = "  ".join(f"{name} {value:,}" for name, value in costs.items())
            click.echo(f"{candidate.fingerprint}  {shape:<28}  {numbers}")


def _values(parameter: Parameter) -> object:
    from edgenext_search.arch.parameter import Choice

    if isinstance(parameter, Choice):
        return list(parameter.values)
    return {"min": parameter.low, "max": parameter.high}


def _text(parameter: Parameter) -> str:
    from edgenext_search.arch.parameter import Choice

    if isinstance(parameter, Choice):
        return ", ".join("-".join(map(str, v)) if isinstance(v, tuple) else str(v) for v in parameter.values)
    return f"{parameter.low:g} to {parameter.high:g}"
