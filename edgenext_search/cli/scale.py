"""``edgenext-search scale``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from edgenext_search.cli.options import json_option, print_json


@click.group("scale")
def scale_group() -> None:
    """What the next size gives: families of networks, and the law that their errors follow."""


@scale_group.command("fit")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--by",
    type=click.Choice(["gmacs", "params_m", "macts"]),
    default="gmacs",
    show_default=True,
    help="The cost that sizes are measured by.",
)
@click.option(
    "--prior",
    "prior_name",
    type=click.Choice(["imagenet", "general"]),
    default="imagenet",
    show_default=True,
    help="What is known of families before: on ImageNet, or whatever the data.",
)
@json_option
def fit_command(*, file: Path, by: Any, prior_name: str, as_json: bool) -> None:  # noqa: ANN401 - a choice
    """Fit error = a * cost^-b + c to known families, and predict each one's largest member from the others.

    FILE is JSON with families of networks, each with its size and top-1, as benchmarks/imagenet_families.json.
    """
    from edgenext_search.search.families import fit_families, read_families
    from edgenext_search.search.scaling_law import PRIORS

    found = {
        "file": str(file),
        "prior": prior_name,
        **fit_families(read_families(file), by=by, prior=PRIORS[prior_name]),
    }
    if as_json:
        print_json(found)
        return
    from rich.console import Console

    from edgenext_search.report.scale_terminal import print_fit

    print_fit(found, Console(file=sys.stdout))
