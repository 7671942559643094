"""``edgenext-search import``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgenext_search.cli.options import UserPath, drop_missing, json_option, print_json, print_loading

if TYPE_CHECKING:
    from edgenext_search.models.checkpoint import Weights


@click.command("import")
@click.argument("checkpoint", type=UserPath())
@click.option("--variant", required=True, metavar="NAME", help="The published variant, such as edgenext_small.")
@click.option("--out", required=True, type=UserPath(), help="The model folder to write.")
@click.option("--img-size", type=int, help="Image size that it was trained with.  [default: the file's, or 256]")
@click.option("--classes", type=UserPath(), metavar="FILE", help="Names of the classes, one a line.")
@click.option("--weights", type=click.Choice(["ema", "model"]), help="Which weights.  [default: ema, if there are any]")
@json_option
def import_command(
    *,
    checkpoint: Path,
    variant: str,
    out: Path,
    img_size: int | None,
    classes: Path | None,
    weights: Weights | None,
    as_json: bool,
) -> None:
    """Turn a checkpoint of a published network into a model folder.

    CHECKPOINT is a .pth or .safetensors file with the names of timm or of github.com/mmaaz60/EdgeNeXt.
    """
    from edgenext_search.models.import_ import import_checkpoint, read_class_names

    imported = import_checkpoint(
        checkpoint,
        out,
        variant=variant,
        class_names=read_class_names(classes) if classes else None,
        weights=weights,
        **drop_missing(img_size=img_size),
    )
    if as_json:
        print_json(imported.to_dict())
        return
    size = imported.img_size
    click.echo(f"{variant}  {imported.fingerprint}  from {checkpoint}: {imported.weights.entry}")
    click.echo(f"  {imported.num_classes} classes, {size}x{size} px, {imported.params:,} parameters")
    print_loading(out, imported.candidate.norm_act)
