"""``edgenext-search cost``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgenext_search.cli.options import deployment_options, drop_missing, json_option, print_json

if TYPE_CHECKING:
    from edgenext_search.arch.candidate import Candidate


@click.command("cost")
@click.argument("what", metavar="NAME|FILE|FOLDER")
@deployment_options
@click.option("--verify", is_flag=True, help="Build the network and count again with fvcore (imports torch).")
@json_option
def cost_command(*, what: str, num_classes: int | None, img_size: int | None, verify: bool, as_json: bool) -> None:
    """Parameters, multiply-adds and activations of a network.

    WHAT is a published variant (edgenext_xx_small), a YAML or JSON file with a candidate's fields, or a model folder.
    """
    from edgenext_search.arch.cost import Deployment, cost

    candidate = _candidate(what)
    deployment = Deployment(**drop_missing(num_classes=num_classes, img_size=img_size))
    counted = cost(candidate, deployment)
    if verify:
        from edgenext_search.models.count import measure

        measured = measure(candidate, deployment)
        if measured != counted:
            raise RuntimeError(f"the closed form gives {counted}, but fvcore counts {measured}")
    if as_json:
        print_json(
            {
                "fingerprint": candidate.fingerprint,
                "candidate": candidate.to_dict(),
                "num_classes": deployment.num_classes,
                "img_size": deployment.img_size,
                **counted.to_dict(),
            }
        )
        return
    click.echo(f"{what}  {candidate.fingerprint}  at {deployment}")
    for name, value in counted.to_dict().items():
        click.echo(f"  {name:<7}{value:>16,}")
    if verify:
        click.echo("  fvcore counts the same on the built network.")


def _candidate(what: str) -> Candidate:
    from edgenext_search.arch.published import published_variant, published_variants
    from edgenext_search.errors import UserError
    from edgenext_search.models.folder import read_candidate
    from edgenext_search.validation import nearest

    if what in published_variants():
        return published_variant(what).candidate
    path = Path(what).expanduser()
    if path.exists():
        return read_candidate(path)
    names = ", ".join(published_variants())
    raise UserError(
        f"There is no {what!r}: it is neither a file or folder nor a published variant ({names})."
        f"{nearest(what, published_variants())}"
    )
