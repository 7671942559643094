"""``edgenext-search scale``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment
from edgenext_search.cli.commands.scale_study import (
    compare_command,
    profile_option,
    report_command,
    resume_command,
    study_command,
)
from edgenext_search.cli.options import UserPath, deployment_options, drop_missing, json_option, print_json
from edgenext_search.cli.reports import show
from edgenext_search.errors import UserError
from edgenext_search.files import expanded

STUDY_FILE = "study.yaml"  # a folder that has it is a run


@click.group("scale")
def scale_group() -> None:
    """Other sizes of a network, and the law that errors follow with size."""


@scale_group.command("fit")
@click.argument("file", type=UserPath())
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
    from edgenext_search.scaling.families import fit_families, read_families
    from edgenext_search.scaling.law import PRIORS

    result = fit_families(read_families(file), by=by, prior=PRIORS[prior_name])
    if as_json:
        print_json({"file": str(file), "prior": prior_name, **result.to_dict()})
        return
    from edgenext_search.report.scaling.families import fit_document

    show(result, fit_document(result), as_json=False)


@scale_group.command("family")
@click.argument("what", metavar="CANDIDATE|RUN")
@click.option(
    "--budgets",
    required=True,
    help="Of the members: 0.6M,1.3M,2.3M,5.6M, or madds=0.3G;madds=0.6G, or with --profile latency=5ms;latency=10ms.",
    metavar="BUDGETS",
)
@click.option(
    "--rule",
    "rule_name",
    type=click.Choice(["width", "compound", "w-dominant"]),
    help="All widths alike; depth, width and image size as EfficientNet; or mostly width, as Fast and Accurate Model "
    "Scaling.  [default: width]",
)
@profile_option
@click.option("--exponents", metavar="D:W:R", help="Shares of depth, width and image size instead of a rule's.")
@click.option("--out", type=UserPath(file_okay=False), help="Where members are saved.")
@deployment_options
@json_option
def family_command(
    *,
    what: str,
    budgets: str,
    rule_name: str | None,
    exponents: str | None,
    profile: Path | None,
    out: Path | None,
    num_classes: int | None,
    img_size: int | None,
    as_json: bool,
) -> None:
    """A family of sizes from one network, each filling its budget, beside the published variants.

    The network is a published variant (edgenext_xx_small), a YAML or JSON file with a candidate's fields, a model
    folder, or the winner of a run's folder. Members that are saved are candidates for cost, --enqueue and others.
    """
    from edgenext_search.arch.scaling import RULES, ScalingRule, parse_budgets, scale_family
    from edgenext_search.models.family import save_family
    from edgenext_search.scaling.family import family_result
    from edgenext_search.scaling.latency import timed

    if exponents and rule_name:
        raise UserError(f"--exponents {exponents} is a rule of its own; leave out --rule {rule_name}.")
    wanted, rule = parse_budgets(budgets), ScalingRule.parse(exponents) if exponents else RULES[rule_name or "width"]
    if profile is not None and rule.size:
        raise UserError(
            f"A latency profile is of one image size, which the rule {rule} changes; take --rule width, --exponents "
            "with 0 for the size, or leave out --profile."
        )
    candidate, deployment, multiple = _start(what, num_classes=num_classes, img_size=img_size)
    deployment = timed(deployment, profile)
    members = scale_family(candidate, wanted, rule, deployment, width_multiple=multiple)
    places = [] if out is None else save_family(members, rule, out)
    result = family_result(candidate, members, rule, deployment, places)
    if as_json:
        print_json({"from": what, **result.to_dict()})
        return
    from edgenext_search.report.scaling.families import family_document

    show(result, family_document(result), as_json=False)


def _start(what: str, *, num_classes: int | None, img_size: int | None) -> tuple[Candidate, Deployment, int]:
    """The network that a family begins with, its deployment and what its widths are multiples of.

    By default they are those of the run or model folder; model folders do not say of what widths are multiples.
    """
    from edgenext_search.arch.candidate import WIDTH_MULTIPLE
    from edgenext_search.arch.cost import Deployment
    from edgenext_search.models.find import find_candidate
    from edgenext_search.models.folder import deployment_of

    flags = drop_missing(num_classes=num_classes, img_size=img_size)
    path = expanded(what)
    if not (path / STUDY_FILE).is_file():
        return find_candidate(what), replace(deployment_of(path) or Deployment(), **flags), WIDTH_MULTIPLE
    from edgenext_search.search.store.kind import winner_of
    from edgenext_search.search.store.run_folder import RunFolder

    folder = RunFolder(path)
    winner = winner_of(folder)
    recipe = folder.recipe()
    deployment = Deployment(**recipe.deployment.to_dict() | flags)
    return winner, deployment, recipe.space.file.width_multiple


for command in (study_command, compare_command, resume_command, report_command):
    scale_group.add_command(command)
