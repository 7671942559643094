"""The numerics of a study on this host: what its recipe fixes, and for the rest what a probe finds fastest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from edgenext_search.execution.processes import ProcessGroup, Send
from edgenext_search.files import write_text
from edgenext_search.machine import device_name
from edgenext_search.results import Result
from edgenext_search.training.engine.numerics import Numerics, Precision
from edgenext_search.training.proxy.probe_request import ProbeRequest, ProbeResult
from edgenext_search.training.proxy.recipe import TrainRecipe
from edgenext_search.versions import versions

FORMAT = 1
FOLDER = "numerics"  # in the cache
LONGEST = 600.0  # seconds that a probe may take
GPU_CONTEXT = 600 * 2**20  # bytes that a process takes on a GPU beside its tensors
GPU_SHARE = 0.9  # of a GPU's memory that trials may plan with
MOST_TRIALS_PER_GPU = 8


class NumericsResult(Result):
    """Arithmetic of a network in training."""

    precision: Precision
    """float32, or autocast to bfloat16 or float16."""
    channels_last: bool
    """Whether feature maps lie in memory as [n, h, w, c]."""
    compile: bool
    """Whether torch.compile makes kernels for the network."""

    @property
    def numerics(self) -> Numerics:
        """The same as the trainer takes it."""
        return Numerics(precision=self.precision, channels_last=self.channels_last, compile=self.compile)


class TimingResult(NumericsResult):
    """One option of a probe."""

    ratio: float | None
    """Time of a step over that of eager float32; null if it was given up."""
    agrees: bool
    """Whether the loss agrees with that of float32."""


class ProbeRecord(Result):
    """A probe of this host, as kept in the cache."""

    device: str
    """Name of the device."""
    threads: int
    """CPU threads."""
    img_size: int
    """Height and width of the images, in pixels."""
    batch_size: int
    """Images of a step."""
    chosen: NumericsResult
    """The fastest option that agrees with float32."""
    gpu_bytes: int
    """Peak memory of a training on a GPU; 0 on a CPU."""
    step_seconds: float
    """Seconds of a step in eager float32."""
    timings: tuple[TimingResult, ...]
    """All options."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedNumerics:
    """The numerics that a host should train with.

    Attributes:
        numerics: Precision, memory layout and compilation.
        gpu_bytes: Memory of a training on a GPU, without its process's own; 0 if unknown, or on a CPU.
        note: A message for people, or None.
    """

    numerics: Numerics
    gpu_bytes: int = 0
    note: str | None = None


def fixed_numerics(recipe: TrainRecipe) -> Numerics | None:
    """The numerics of a recipe that leaves nothing open; None for other recipes."""
    if recipe.precision == "auto" or recipe.channels_last is None or recipe.compile is None:
        return None
    return Numerics(precision=recipe.precision, channels_last=recipe.channels_last, compile=recipe.compile)


def probe_host(request: ProbeRequest, *, cache_dir: Path, should_stop: Callable[[], bool]) -> ProbedNumerics:
    """The fastest numerics of this host: from the cache, or by a probe of some seconds, done once.

    Args:
        request: The work to time.
        cache_dir: Cache with earlier probes.
        should_stop: Asked often; once it answers yes, a probe is ended.

    Returns:
        Eager float32 where the probe failed, with a note that says so.
    """
    file = cache_dir / FOLDER / f"{_key(request)}.json"
    record = _read(file)
    if record is None:
        try:
            with ProcessGroup(run_probe, [(request,)], name="probe") as group:
                (result,) = group.wait(should_stop=should_stop, timeout=LONGEST)
        except Exception as error:  # whatever goes wrong, the study can do without
            reason = " ".join(str(error).split())
            return ProbedNumerics(
                numerics=Numerics(), note=f"The probe of precision and layout failed, so fp32: {reason}"
            )
        record = _record(request, result)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps(record.to_dict(), indent=1) + "\n")
    return ProbedNumerics(numerics=record.chosen.numerics, gpu_bytes=record.gpu_bytes)


def run_probe(request: ProbeRequest, *, send: Send) -> ProbeResult:  # noqa: ARG001 - a process group's target
    """Probe in a process of its own, like a trial."""
    from edgenext_search.training.proxy.probe import probe

    return probe(request)


def probes(cache_dir: Path) -> list[ProbeRecord]:
    """The probes in a cache, newest first."""
    files = sorted((cache_dir / FOLDER).glob("*.json"), key=lambda file: -file.stat().st_mtime)
    return [record for file in files if (record := _read(file))]


def trials_that_fit(gpu_bytes: int, total_bytes: int) -> int:
    """How many trials share a GPU, given the memory of one and of the GPU; one where it is not known."""
    if not gpu_bytes:
        return 1
    return max(1, min(MOST_TRIALS_PER_GPU, int(GPU_SHARE * total_bytes / (gpu_bytes + GPU_CONTEXT))))


def _key(request: ProbeRequest) -> str:
    recipe = request.recipe
    facts = {
        "format": FORMAT,
        "device": device_name([request.device]),
        "threads": request.threads,
        "versions": {name: versions().get(name) for name in ("torch", "timm")},
        "candidates": [candidate.fingerprint for candidate in request.candidates],
        "recipe": {
            name: getattr(recipe, name)
            for name in ("img_size", "batch_size", "lr", "precision", "channels_last", "compile")
        },
        "steps": request.steps_of_a_trial if recipe.compile is None else None,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:20]


def _record(request: ProbeRequest, result: ProbeResult) -> ProbeRecord:
    return ProbeRecord(
        device=device_name([request.device]),
        threads=request.threads,
        img_size=request.recipe.img_size,
        batch_size=request.recipe.batch_size,
        chosen=NumericsResult(**result.chosen.to_dict()),
        gpu_bytes=result.gpu_bytes,
        step_seconds=result.step_seconds / len(request.candidates),
        timings=tuple(
            TimingResult(**timing.numerics.to_dict(), ratio=timing.ratio, agrees=timing.agrees)
            for timing in result.timings
        ),
    )


def _read(file: Path) -> ProbeRecord | None:
    """A probe in the cache; None where there is none, or it cannot be read."""
    try:
        return ProbeRecord.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError):
        return None
