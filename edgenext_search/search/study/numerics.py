"""The numerics of a study: what its recipe fixes, and for the rest what a probe on this host finds fastest."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from edgenext_search.execution.conditions import device_name, versions
from edgenext_search.execution.local import PRELOAD
from edgenext_search.execution.worker import run_probe
from edgenext_search.files import write_text
from edgenext_search.training.engine.numerics import Numerics, ProbeRequest, ProbeResult
from edgenext_search.training.proxy.job import Failed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edgenext_search.arch.projection import Projection
    from edgenext_search.search.recipe import ResolvedRecipe
    from edgenext_search.training.proxy.job import Placement
    from edgenext_search.training.proxy.recipe import TrainRecipe

FORMAT = 1
FOLDER = "numerics"  # in the cache
LONGEST = 600.0  # seconds that a probe may take
POLL = 0.2  # seconds between two looks at whether to stop
GPU_CONTEXT = 600 * 2**20  # bytes that a process takes on a GPU beside its tensors
GPU_SHARE = 0.9  # of a GPU's memory that trials may plan with
MOST_TRIALS_PER_GPU = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What is known of this host for a study.

    Attributes:
        numerics: What to train with.
        gpu_bytes: Memory that a trial takes on a GPU, without its process's own; 0 if unknown, or on a CPU.
        note: What to tell people, or None.
    """

    numerics: Numerics
    gpu_bytes: int = 0
    note: str | None = None


def fixed_numerics(recipe: TrainRecipe) -> Numerics | None:
    """The numerics of a recipe that leaves nothing open."""
    if recipe.precision == "auto" or recipe.channels_last is None or recipe.compile is None:
        return None
    return Numerics(precision=recipe.precision, channels_last=recipe.channels_last, compile=recipe.compile)


def probe_host(
    recipe: ResolvedRecipe,
    projection: Projection,
    place: Placement,
    *,
    num_classes: int,
    train_images: int,
    cache_dir: Path,
    should_stop: Callable[[], bool],
) -> Probed:
    """The fastest numerics of this host for a study: from the cache, or by a probe of some seconds, done once.

    Timed are the published shape nearest to the budget and one random shape of the space.

    Args:
        recipe: The study.
        projection: Its space and budget.
        place: Where its jobs are trained; the first device is probed.
        num_classes: Outputs of the proxy's networks.
        train_images: Training images of the proxy.
        cache_dir: Where earlier probes lie.
        should_stop: Asked often; once it answers yes, a probe is ended.

    Returns:
        Eager float32 where the probe failed, with a note that says so.
    """
    proxy, space = recipe.proxy, projection.space
    request = ProbeRequest(
        candidates=(
            projection.published(projection.nearest_published()[0]),
            projection.candidate(space.sample(random.Random(0))),  # noqa: S311 - no secret hangs on it
        ),
        recipe=proxy,
        num_classes=num_classes,
        placement=place,
        steps_of_a_trial=proxy.epochs * max(1, train_images // proxy.batch_size),
    )
    file = cache_dir.expanduser() / FOLDER / f"{_key(request)}.json"
    known = _read(file)
    if known is not None:
        return known
    found = _run(request, should_stop)
    if isinstance(found, Failed):
        return Probed(numerics=Numerics(), note=f"The probe of precision and layout failed, so fp32: {found.reason}")
    _write(file, request, found)
    return Probed(numerics=found.chosen, gpu_bytes=found.gpu_bytes)


def probes(cache_dir: Path) -> list[dict[str, Any]]:
    """What the probes in a cache found, newest first."""
    files = sorted((cache_dir.expanduser() / FOLDER).glob("*.json"), key=lambda file: -file.stat().st_mtime)
    found = []
    for file in files:
        try:
            found.append(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue
    return found


def trials_that_fit(gpu_bytes: int, total_bytes: int) -> int:
    """How many trials share a GPU, given the memory of one and of the GPU; one where it is not known."""
    if not gpu_bytes:
        return 1
    return max(1, min(MOST_TRIALS_PER_GPU, int(GPU_SHARE * total_bytes / (gpu_bytes + GPU_CONTEXT))))


def _key(request: ProbeRequest) -> str:
    recipe = request.recipe
    facts = {
        "format": FORMAT,
        "device": device_name(request.placement.devices[:1]),
        "threads": request.placement.threads,
        "versions": {name: versions().get(name) for name in ("torch", "timm")},
        "candidates": [candidate.fingerprint for candidate in request.candidates],
        "recipe": {
            name: getattr(recipe, name)
            for name in ("img_size", "batch_size", "lr", "precision", "channels_last", "compile")
        },
        "steps": request.steps_of_a_trial if recipe.compile is None else None,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:20]


def _run(request: ProbeRequest, should_stop: Callable[[], bool]) -> ProbeResult | Failed:
    """Probe in a process of its own, like a trial."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=run_probe, args=(request, sender), name="probe", daemon=True)
    process.start()
    sender.close()
    deadline = time.monotonic() + LONGEST
    try:
        while time.monotonic() < deadline and not should_stop():
            if receiver.poll(POLL):
                return cast("ProbeResult | Failed", receiver.recv())
    except EOFError:
        process.join()
        return Failed(reason=f"its process ended with exit code {process.exitcode}")
    finally:
        process.kill()
        process.join()
        receiver.close()
    return Failed(reason="it was stopped" if should_stop() else f"it took longer than {LONGEST:g} s")


def _read(file: Path) -> Probed | None:
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        return Probed(numerics=Numerics(**facts["chosen"]), gpu_bytes=facts["gpu_bytes"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not probed yet, or not readable: probed anew


def _write(file: Path, request: ProbeRequest, found: ProbeResult) -> None:
    facts = {
        "device": device_name(request.placement.devices[:1]),
        "threads": request.placement.threads,
        "img_size": request.recipe.img_size,
        "batch_size": request.recipe.batch_size,
        "chosen": found.chosen.to_dict(),
        "gpu_bytes": found.gpu_bytes,
        "step_seconds": found.step_seconds / len(request.candidates),
        "timings": [
            {**timing.numerics.to_dict(), "ratio": timing.ratio, "agrees": timing.agrees} for timing in found.timings
        ],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, json.dumps(facts, indent=1) + "\n")
