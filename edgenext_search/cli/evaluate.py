"""``edgenext-search evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgenext_search.cli.options import json_option, print_json
from edgenext_search.errors import UserError

if TYPE_CHECKING:
    from edgenext_search.training.evaluation.evaluate import FolderEvaluation, Weights


@click.command("evaluate")
@click.argument("folder", type=click.Path(path_type=Path), metavar="FOLDER")
@click.option("--data", required=True, metavar="FOLDER|NAME", help="Folder with val/, or a dataset name of timm.")
@click.option("--data-dir", type=click.Path(path_type=Path), metavar="FOLDER", help="Where a timm dataset lies.")
@click.option(
    "--classes",
    "classes_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The data's class of each output, one a line.  [default: matched by name]",
)
@click.option("--weights", type=click.Choice(["ema", "raw"]), help="Which weights, where the folder has both.")
@click.option(
    "--onnx",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Run this ONNX file in place of the folder's network, on the CPU: exported, or quantized since.",
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
    """Top-1, top-5 and loss of a model folder on the validation images.

    FOLDER is a model folder, the folder of a full training, or a run's, for its winner.

    The training images are never used. Images are prepared as the folder's config.json says, so that a plain evaluation
    with timm comes to the same.
    """
    import torch

    from edgenext_search.execution.conditions import versions
    from edgenext_search.execution.launch import local_devices
    from edgenext_search.machine import cpu_cores
    from edgenext_search.models.folder import model_folder
    from edgenext_search.training.evaluation.evaluate import evaluate_folder

    if onnx is not None and device == "cuda":
        raise UserError("ONNX files are run on the CPU; leave out --device cuda.")
    where = torch.device(local_devices(device, 1)[0])
    folder = model_folder(folder)
    found = evaluate_folder(
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
    )
    if as_json:
        print_json({"folder": str(folder), **found.to_dict(), "versions": versions()})
        return
    _show(folder, found)


def _show(folder: Path, found: FolderEvaluation) -> None:
    weights = {"ema": ", averaged weights", "raw": ", weights of the last step"}.get(found.weights or "", "")
    click.echo(f"{folder}  {found.fingerprint}{weights}" if found.onnx is None else f"{found.onnx}  of {folder}")
    click.echo(f"  on {found.n:,} validation images of {found.data}, {found.classes} classes, {found.img_size} px")
    click.echo(f"  top-1    {found.top1:8.2%}")
    if found.top5 is not None:
        click.echo(f"  top-5    {found.top5:8.2%}")
    click.echo(f"  loss     {found.loss:8.4f}")
    click.echo(f"  {found.images_per_second:,.0f} images/s on {found.device}, loading included")
    if found.unreadable:
        click.echo(f"  {found.unreadable} image(s) could not be read and are left out.")
