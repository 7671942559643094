"""``edgenext-search evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgenext_search.cli.options import DATA, DATA_HELP, UserPath, json_option, print_json, say
from edgenext_search.errors import UserError

if TYPE_CHECKING:
    from edgenext_search.models.trained import Weights
    from edgenext_search.training.evaluation.results import EvaluationResult


@click.command("evaluate")
@click.argument("folder", type=UserPath(), metavar="FOLDER|CHECKPOINT")
@click.option("--data", required=True, metavar=DATA, help=DATA_HELP)
@click.option("--data-dir", type=UserPath(), metavar="FOLDER", help="Where a timm dataset lies.")
@click.option(
    "--classes",
    "classes_file",
    type=UserPath(),
    metavar="FILE",
    help="The data's class of each output, one per line.  [default: matched by name]",
)
@click.option("--weights", type=click.Choice(["ema", "raw"]), help="Which weights, where there are both.")
@click.option(
    "--onnx",
    type=UserPath(),
    metavar="FILE",
    help="ONNX file to run in place of the folder's network, on the CPU; it may be quantized.",
)
@click.option("--img-size", type=int, help="Size of the images, in pixels.  [default: the size trained on]")
@click.option("--batch-size", type=click.IntRange(min=1), default=256, show_default=True, help="Images at once.")
@click.option("--workers", type=click.IntRange(min=0), help="Processes that load images.  [default: the CPU cores]")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@json_option
def evaluate_command(
    *,
    folder: Path,
    data: str,
    data_dir: Path | None,
    classes_file: Path | None,
    weights: Weights | None,
    onnx: Path | None,
    img_size: int | None,
    batch_size: int,
    workers: int | None,
    device: str,
    as_json: bool,
) -> None:
    """Top-1, top-5 and loss of a trained network on the validation images.

    FOLDER is a model folder, the folder of a full training, or a run's, for its winner. CHECKPOINT is a file that
    `import` takes, of any EdgeNeXt.

    Training images are never used. Images are prepared as the folder's config.json says, so a plain evaluation with
    timm has the same result. The data may have images of a part of the classes.
    """
    import torch

    from edgenext_search.execution.placement import local_devices
    from edgenext_search.machine import cpu_cores
    from edgenext_search.models.folder import model_folder
    from edgenext_search.training.evaluation.evaluate import evaluate_folder

    if onnx is not None and device == "cuda":
        raise UserError("ONNX files are run on the CPU; leave out --device cuda.")
    where = torch.device(local_devices(device, 1)[0])
    folder = model_folder(folder)
    result = evaluate_folder(
        folder,
        data,
        data_dir=data_dir,
        classes_file=classes_file,
        weights=weights,
        onnx=onnx,
        img_size=img_size,
        batch_size=batch_size,
        workers=min(cpu_cores(), 16) if workers is None else workers,
        device=where,
        note=say,
    )
    if as_json:
        print_json(result.to_dict())
        return
    _show(result)


def _show(result: EvaluationResult) -> None:
    weights = {"ema": ", averaged weights", "raw": ", weights of the last step"}.get(result.weights or "", "")
    click.echo(
        f"{result.folder}  {result.fingerprint}{weights}"
        if result.onnx is None
        else f"{result.onnx}  of {result.folder}"
    )
    part = f"{result.evaluated_classes} of " if result.evaluated_classes < result.classes else ""
    click.echo(
        f"  on {result.n:,} validation images of {result.data}, {part}{result.classes} classes, {result.img_size} px"
    )
    click.echo(f"  top-1    {result.top1:8.2%}")
    if result.top5 is not None:
        click.echo(f"  top-5    {result.top5:8.2%}")
    click.echo(f"  loss     {result.loss:8.4f}")
    click.echo(f"  {result.images_per_second:,.0f} images/s on {result.device}, loading included")
    if result.unreadable:
        click.echo(f"  {result.unreadable} image(s) could not be read and are left out.")
