"""``edgenext-search export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgenext_search.cli.options import UserPath, json_option, print_json, say
from edgenext_search.errors import UserError
from edgenext_search.models.export import LEAST_OPSET

if TYPE_CHECKING:
    from edgenext_search.models.trained import Weights


IMAGES = 256  # to compare on


@click.command("export")
@click.argument("folder", type=UserPath(), metavar="FOLDER|CHECKPOINT")
@click.option("--img-size", type=int, help="Size of the input, in pixels.  [default: the size trained on]")
@click.option("--uint8", is_flag=True, help="Take 8-bit pixels [1, height, width, 3] and normalise them inside.")
@click.option("--data", metavar="FOLDER|NAME", help="Compare on its validation images.  [default: a random image]")
@click.option("--data-dir", type=UserPath(), metavar="FOLDER", help="Where a timm dataset lies.")
@click.option("--images", type=click.IntRange(min=1), help="How many images of --data to compare on.  [default: 256]")
@click.option("--weights", type=click.Choice(["ema", "raw"]), help="Which weights, where there are both.")
@click.option("--out", type=UserPath(), metavar="FILE", help="[default: model.onnx or model-uint8.onnx in FOLDER]")
@click.option("--opset", type=click.IntRange(min=LEAST_OPSET), help="Version of ONNX's operators.")
@json_option
def export_command(
    *,
    folder: Path,
    img_size: int | None,
    uint8: bool,
    data: str | None,
    data_dir: Path | None,
    images: int | None,
    weights: Weights | None,
    out: Path | None,
    opset: int | None,
    as_json: bool,
) -> None:
    """Write a trained network as ONNX, checked against the network.

    FOLDER is a model folder, the folder of a full training, or a run's, for its winner. CHECKPOINT is a file that
    `import` takes, of any EdgeNeXt.
    """
    from edgenext_search.models.folder import model_folder
    from edgenext_search.training.evaluation.export import export_folder

    if images is not None and data is None:
        raise UserError(f"--images {images} says how many images of --data to compare on; give --data too.")
    folder = model_folder(folder)
    result = export_folder(
        folder,
        out=out,
        img_size=img_size,
        uint8=uint8,
        opset=opset,
        weights=weights,
        data=data,
        data_dir=data_dir,
        images=images or IMAGES,
        note=say,
    )
    if as_json:
        print_json(result.to_dict())
        return
    image, before, parity = result.input, result.preprocessing, result.parity
    click.echo(f"{result.onnx}  {result.fingerprint}, {result.bytes / 1e6:.1f} MB, opset {result.opset}")
    click.echo(f"  input {image.name}: {image.type} {[*image.shape]}, R, G, B")
    rest = "normalised inside"
    if before.mean is not None and before.std is not None:
        rest = f"mean {[*before.mean]}, std {[*before.std]} of values 0..1"
    click.echo(
        f"  images: shorter side to {before.resize} px ({before.interpolation}), the middle {before.crop} px; {rest}"
    )
    if parity is None:
        click.echo(f"  logits equal torch's to {result.random_image_difference:.1g} on a random image")
    else:
        click.echo(
            f"  on {parity.images} images of {parity.data}: same class for {parity.top1_agreement:.1%}, "
            f"logits equal torch's to {parity.largest_difference:.1g}"
        )
