"""``edgenext-search doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from edgenext_search.cli.options import json_option, print_json
from edgenext_search.texts import counted

if TYPE_CHECKING:
    from edgenext_search.execution.numerics import TimingResult

EXTRAS = {
    "matplotlib": "report --figures: pip install 'edgenext-search[figures]'",
    "optuna-dashboard": "dashboard: pip install 'edgenext-search[dashboard]'",
    "tensorboard": "curves of train: pip install tensorboard",
    "wandb": "train --wandb: pip install wandb",
}
"""Packages that single commands need, with the command and how to get them."""


@click.command("doctor")
@json_option
def doctor_command(*, as_json: bool) -> None:
    """What this machine has: versions, devices, threads, spaces and studies, and what is missing."""
    from edgenext_search.execution.doctor import examine_host

    report = examine_host(EXTRAS)
    if as_json:
        print_json(report.to_dict())
        return
    for group, values in report.model_dump(include={"versions", "extras", "host", "shipped"}).items():
        click.echo(group)
        for name, value in values.items():
            text = ", ".join(map(str, value)) if isinstance(value, tuple) else value
            missing = f"not there; {EXTRAS[name]}" if group == "extras" else "none"
            click.echo(f"  {name:<16}  {missing if text in ('', None) else text}")
    if report.numerics:
        click.echo("numerics (timed for studies here; time of a step against eager fp32)")
    for probe in report.numerics:
        times = ", ".join(map(_timing, probe.timings))
        size = f"{probe.img_size} px, batch {probe.batch_size}, {counted(probe.threads, 'thread')}"
        click.echo(f"  {size:<32}{probe.chosen.numerics} of {times}")
    for problem in report.problems:
        click.echo(f"problem: {problem}")
    if not report.problems:
        click.echo("Nothing is missing.")


def _timing(timing: TimingResult) -> str:
    ratio = "given up" if timing.ratio is None else f"{timing.ratio:.2f}"
    differs = timing.ratio is not None and not timing.agrees
    return f"{timing.numerics} {ratio}{' (differs)' if differs else ''}"
