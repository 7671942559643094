"""``edgenext-search train``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from edgenext_search.cli.failures import resumable
from edgenext_search.cli.options import (
    DATA,
    DATA_HELP,
    EXIT_INTERRUPTED,
    EXIT_USER_ERROR,
    UserPath,
    json_option,
    print_json,
    print_loading,
    print_text,
    say,
)
from edgenext_search.errors import UserError
from edgenext_search.files import expanded
from edgenext_search.texts import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgenext_search.execution.launch import TorchrunRank
    from edgenext_search.training.full.job import FullJob
    from edgenext_search.training.full.summary import TrainSummary

AMP = {"bf16": "bf16", "fp16": "fp16", "off": "fp32"}


@click.command("train")
@click.argument("what", metavar="RUN|CANDIDATE|FOLDER|NAME")
@click.option("--data", metavar=DATA, help=DATA_HELP)
@click.option("--data-dir", type=UserPath(), metavar="FOLDER", help="Where a timm dataset lies.")
@click.option("--out", required=True, type=UserPath(), help="Folder of the training; resumed if begun.")
@click.option(
    "--study", metavar="NAME|FILE", help="Study with the recipe, in train:.  [default: the run's, or the published one]"
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any key: --set train.epochs=100.")
@click.option(
    "--batch-size", "each", type=click.IntRange(min=1), help="Images per process at once.  [default: from the recipe]"
)
@click.option("--accumulate", type=click.IntRange(min=1), help="Batches that make one step of the optimizer.")
@click.option("--amp", type=click.Choice([*AMP]), help="Precision.  [default: fp16 on GPUs, as published]")
@click.option(
    "--classes",
    "classes_file",
    type=UserPath(),
    metavar="FILE",
    help="Classes to train on, one per line.",
)
@click.option("--teacher", metavar="FOLDER|NAME", help="Model folder or model of timm to distil from.")
@click.option("--init", type=UserPath(), metavar="FOLDER|CHECKPOINT", help="Initial weights.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--processes", type=click.IntRange(min=1), help="Processes on this host.  [default: the visible GPUs]")
@click.option("--workers", type=click.IntRange(min=0), help="Processes that load images, for each of them.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads of each process.")
@click.option(
    "--checkpoint-minutes",
    "minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="Minutes between checkpoints, beside those after each epoch.",
)
@click.option("--keep", type=click.IntRange(min=1), default=3, show_default=True, help="Recent checkpoints to keep.")
@click.option("--wandb", is_flag=True, help="Send metrics to Weights & Biases too.")
@json_option
def train_command(
    *,
    what: str,
    data: str | None,
    study: str | None,
    settings: tuple[str, ...],
    amp: str | None,
    device: str,
    processes: int | None,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - FullJob's
) -> None:
    """Train a network in full, by the published ImageNet recipe unless told otherwise.

    Trains the winner of a run, a candidate's file, the network of a model folder or a published variant, from random
    weights or those of --init. The same command resumes an interrupted training.
    """
    from edgenext_search.execution.launch import torchrun_rank
    from edgenext_search.execution.placement import local_devices, split_cores

    place = torchrun_rank()
    try:
        if place is not None and processes is not None:
            raise UserError("torchrun says how many processes there are; leave --processes out.")  # noqa: TRY301
        if options["each"] is not None and any(text.startswith("train.batch_size=") for text in settings):
            raise UserError(  # noqa: TRY301
                "--batch-size makes the batch (its images x processes x --accumulate), so it contradicts --set "
                "train.batch_size; give one of them."
            )
        devices = local_devices(device, processes)
        here = len(devices) if place is None else place.local_world
        shares = split_cores(here, devices[0], workers=options["workers"], threads=options["threads"])
        options["workers"], options["threads"] = shares
        job = _job(what, data=data, study=study, settings=[*settings, *_precision(amp)], options=options)
        summary = _train(job, devices, place)
    except UserError as error:
        if place is None or place.rank == 0:
            raise
        from edgenext_search.training.engine.distributed import FirstRefusedError

        if not isinstance(error, FirstRefusedError):
            say(f"Error on process {place.rank}: {error}")
        sys.exit(EXIT_USER_ERROR)
    if summary is not None:
        show_training(summary, as_json=as_json)


def _job(
    what: str, *, data: str | None, study: str | None, settings: Sequence[str], options: dict[str, Any]
) -> FullJob:
    from edgenext_search.search.full_training import find_subject
    from edgenext_search.training.full.job import FullJob

    subject = find_subject(what, data=data, data_dir=options.pop("data_dir"), study=study, settings=settings)
    if subject.data is None:
        raise UserError("Full training needs images; give --data, a folder with train/ and val/ or a dataset of timm.")
    if (teacher := options.pop("teacher")) is not None and (folder := expanded(teacher)).is_dir():
        teacher = str(folder.resolve())
    if (init := options.pop("init")) is not None:
        init = init.resolve()
    return FullJob(
        candidate=subject.candidate,
        name=subject.name,
        recipe=subject.recipe,
        data=subject.data,
        data_dir=subject.data_dir,
        teacher=teacher,
        init=init,
        **options,
    )


def _precision(amp: str | None) -> list[str]:
    return [] if amp is None else [f"train.precision={AMP[amp]}"]


def _train(job: FullJob, devices: Sequence[str], place: TorchrunRank | None) -> TrainSummary | None:
    from rich.console import Console

    from edgenext_search.cli.train_progress import train_listener
    from edgenext_search.execution.launch import launch, train_as_rank
    from edgenext_search.training.errors import TrainingInterruptedError

    try:
        with resumable(None, begun=lambda: any(job.out.glob("*"))), train_listener(Console(stderr=True)) as listener:
            if place is not None:
                return train_as_rank(job, place, devices[0].partition(":")[0], listener)
            return launch(job, devices, listener)
    except TrainingInterruptedError as error:
        if place is None or place.rank == 0:
            say(str(error))
        sys.exit(EXIT_INTERRUPTED)


def show_training(summary: TrainSummary, *, as_json: bool) -> None:
    """Print the result of a full training."""
    if as_json:
        print_json(summary.to_dict())
        return
    size, data = summary.deployment.img_size, summary.data
    which = "averaged weights" if summary.weights == "ema" else "last weights"
    top5 = "" if summary.top5 is None else f", top-5 {summary.top5:.2%}"
    click.echo(f"{summary.name}  {summary.fingerprint}  {summary.params:,} parameters")
    print_text(
        f"top-1 {summary.top1:.2%}{top5} on {data.val_images:,} validation images of {data.name} at {size}x{size} px, "
        f"after {counted(summary.epochs, 'epoch')}, {which}, seed {summary.seed}",
        first="  ",
        indent=2,
    )
    click.echo(f"  best of all epochs: {summary.best.top1:.2%} after epoch {summary.best.epoch}")
    print_loading(summary.model_dir, summary.candidate.norm_act)
