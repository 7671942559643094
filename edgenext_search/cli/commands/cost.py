"""``edgenext-search cost``."""

from __future__ import annotations

from dataclasses import replace

import click

from edgenext_search.cli.options import deployment_options, drop_missing, json_option, print_json


@click.command("cost")
@click.argument("what", metavar="WHAT")
@deployment_options
@click.option(
    "--verify", is_flag=True, help="Build the network, count again with fvcore and measure its memory (imports torch)."
)
@json_option
def cost_command(*, what: str, num_classes: int | None, img_size: int | None, verify: bool, as_json: bool) -> None:
    """Parameters, multiply-adds, activations and peak memory of a network.

    WHAT is a published variant (edgenext_xx_small), a YAML or JSON file with a candidate's fields, or a model folder,
    whose own classes and image size are then the default.
    """
    from edgenext_search.arch.cost import Deployment, cost
    from edgenext_search.arch.metrics import METRICS
    from edgenext_search.models.find import find_candidate
    from edgenext_search.models.folder import deployment_of

    candidate = find_candidate(what)
    given = drop_missing(num_classes=num_classes, img_size=img_size)
    deployment = replace(deployment_of(what) or Deployment(), **given)
    counted = cost(candidate, deployment)
    if verify:
        from edgenext_search.models.count import measure
        from edgenext_search.models.memory import measure_memory

        measured = measure(candidate, deployment) | {"memory": measure_memory(candidate, deployment)}
        wrong = {name: value for name, value in measured.items() if value != getattr(counted, name)}
        if wrong:
            raise RuntimeError(f"the closed form gives {counted}, but the built network has {wrong}")
    if as_json:
        from edgenext_search.arch.spaces.space_results import CostResult

        print_json(CostResult.of(candidate, deployment).to_dict())
        return
    click.echo(f"{what}  {candidate.fingerprint}  at {deployment}")
    costs = counted.to_dict()
    for metric in METRICS.values():
        if metric.key in costs:
            click.echo(f"  {metric.key:<9}{costs[metric.key]:>16,} {metric.quantity.base}".rstrip())
    if verify:
        click.echo("  The built network has the same: fvcore's count, and its live tensors.")
