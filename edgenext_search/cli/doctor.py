"""``edgenext-search doctor``."""

from __future__ import annotations

from typing import Any

import click

from edgenext_search.cli.options import json_option, print_json

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
    facts = _facts()
    if as_json:
        print_json(facts)
        return
    for group in ("versions", "extras", "host", "shipped"):
        click.echo(f"{group}")
        for name, value in facts[group].items():
            text = ", ".join(map(str, value)) if isinstance(value, list) else value
            missing = f"not there; {EXTRAS[name]}" if group == "extras" else "none"
            click.echo(f"  {name:<16}  {missing if text in ('', None) else text}")
    if facts["numerics"]:
        click.echo("numerics (timed for studies here; time of a step against eager fp32)")
    for probe in facts["numerics"]:
        times = ", ".join(_timing(timing) for timing in probe["timings"])
        threads = "1 thread" if probe["threads"] == 1 else f"{probe['threads']} threads"
        size = f"{probe['img_size']} px, batch {probe['batch_size']}, {threads}"
        click.echo(f"  {size:<32}{_numerics(probe['chosen'])} of {times}")
    for problem in facts["problems"]:
        click.echo(f"problem: {problem}")
    if not facts["problems"]:
        click.echo("Nothing is missing.")


def _numerics(facts: dict[str, Any]) -> str:
    from edgenext_search.training.engine.numerics import Numerics

    return str(Numerics(**{name: facts[name] for name in ("precision", "channels_last", "compile")}))


def _timing(facts: dict[str, Any]) -> str:
    ratio = "given up" if facts["ratio"] is None else f"{facts['ratio']:.2f}"
    differs = facts["ratio"] is not None and not facts["agrees"]
    return f"{_numerics(facts)} {ratio}{' (differs)' if differs else ''}"


def _facts() -> dict[str, Any]:
    """What the command reports; never raises for what is missing."""
    import os
    import shutil

    from edgenext_search.data import default_cache_dir
    from edgenext_search.execution.numerics import probes
    from edgenext_search.files import shipped_folder, shipped_names
    from edgenext_search.machine import cpu_cores, cpu_name
    from edgenext_search.versions import PACKAGES, installed, versions

    found = versions()
    problems = [f"{package} is not installed; pip install {package}" for package in PACKAGES if package not in found]
    gpus: list[str] = []
    threads = None
    try:
        import torch

        gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        threads = torch.get_num_threads()
    except (ImportError, OSError, RuntimeError) as error:
        problems.append(f"torch cannot be used: {error}")
    cache = default_cache_dir()
    parent = next(path for path in (cache, *cache.parents) if path.exists())
    if not os.access(parent, os.W_OK):
        problems.append(f"the data cache {cache} cannot be written; set EDGENEXT_SEARCH_CACHE or give --cache-dir")
    missing = [shipped_folder(kind) for kind in ("space", "study") if not shipped_names(kind)]
    problems += [f"{folder} has no files; install the package again" for folder in missing]
    return {
        "versions": found,
        "extras": {package: installed(package) for package in EXTRAS},
        "host": {
            "cpu": cpu_name(),
            "cores": cpu_cores(),
            "torch_threads": threads,
            "gpus": gpus,
            "trials_at_once": len(gpus) or cpu_cores(),
            "cache_dir": str(cache),
            "cache_free_gb": round(shutil.disk_usage(parent).free / 1e9, 1),
        },
        "shipped": {"spaces": shipped_names("space"), "studies": shipped_names("study")},
        "numerics": [probe.to_dict() for probe in probes(cache)],
        "problems": problems,
    }
