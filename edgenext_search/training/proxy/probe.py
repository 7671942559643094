"""A probe of the fastest precision and memory layout of a device: all options are timed in turns on training steps."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from edgenext_search.arch.blocks import IN_CHANNELS
from edgenext_search.arch.candidate import Candidate
from edgenext_search.models.build import build
from edgenext_search.training.engine.numerics import Numerics, Precision
from edgenext_search.training.engine.trainer import Trainer
from edgenext_search.training.proxy.probe_request import ProbeRequest, ProbeResult, Timing
from edgenext_search.training.proxy.recipe import TrainRecipe

WARMUP = 1  # steps that are not timed
STEPS = 5
LONGEST = 10.0  # seconds after which no further turn is begun, once each option has been timed
LARGEST_BATCH = {"cpu": 64, "cuda": 1024}  # larger batches do not change which option is fastest
HOPELESS = 1.5  # an option that is this much slower than the fastest in the first timed turn is given up
LARGEST_DIFFERENCE = 0.02  # of the loss after all steps, relative to eager float32's
GAIN = 0.95  # an option is taken when its steps take at most this share of eager float32's
WORTH_COMPILING = 600.0  # seconds of a whole trial, below which no compilation is tried


def options(recipe: TrainRecipe, device: torch.device) -> list[Numerics]:
    """The options that a recipe leaves open on a device, without compilation; the plainest first."""
    precisions: list[Precision]
    if recipe.precision != "auto":
        precisions = [recipe.precision]
    else:
        precisions = ["fp32", "bf16"] if device.type == "cpu" or torch.cuda.is_bf16_supported() else ["fp32"]
        precisions += ["fp16"] if device.type == "cuda" else []
    layouts = [False, True] if recipe.channels_last is None else [recipe.channels_last]
    return [
        Numerics(precision=precision, channels_last=layout, compile=bool(recipe.compile))
        for precision in precisions
        for layout in layouts
    ]


def probe(request: ProbeRequest) -> ProbeResult:
    """Time a few training steps of each option on random images.

    The options take turns, so that a busy spell of the machine affects them alike.
    """
    torch.set_num_threads(request.threads)
    device = torch.device(request.device)
    asked = options(request.recipe, device)
    reference = Numerics()
    runs = {
        numerics: [_Run(candidate, request, device, numerics) for candidate in request.candidates]
        for numerics in dict.fromkeys([reference, *asked])
    }
    seconds: dict[Numerics, list[float]] = {numerics: [] for numerics in runs}
    given_up: set[Numerics] = set()
    start = time.monotonic()
    for turn in range(WARMUP + STEPS):
        if turn > WARMUP and time.monotonic() - start > LONGEST:
            break
        for numerics in [numerics for numerics in runs if numerics not in given_up]:
            seconds[numerics].append(sum(network.step() for network in runs[numerics]))
        if turn == WARMUP:
            best = min(times[-1] for times in seconds.values())
            given_up = {n for n, times in seconds.items() if times[-1] > HOPELESS * best} - {reference}
    timings = [
        Timing(
            numerics=numerics,
            ratio=None if numerics in given_up else _ratio(seconds[numerics][WARMUP:], seconds[reference][WARMUP:]),
            agrees=all(a.agrees_with(b) for a, b in zip(runs[numerics], runs[reference], strict=True)),
        )
        for numerics in runs
    ]
    chosen = choose([timing for timing in timings if timing.numerics in asked])
    step_seconds = statistics.median(seconds[reference][WARMUP:])
    if request.recipe.compile is None and _trial_seconds(request, step_seconds) >= WORTH_COMPILING:
        timings.append(_compiled(request, device, replace(chosen, compile=True)))
        chosen = choose([next(t for t in timings if t.numerics == chosen), timings[-1]])
    gpu_bytes = torch.cuda.max_memory_reserved(device) if device.type == "cuda" else 0
    return ProbeResult(chosen=chosen, step_seconds=step_seconds, timings=tuple(timings), gpu_bytes=gpu_bytes)


def choose(timings: Sequence[Timing]) -> Numerics:
    """The fastest option that agrees, if it is faster than the first one by a margin; else the first one."""
    plainest = timings[0]
    sound = [timing for timing in timings if timing.agrees and timing.ratio is not None]
    best = min(sound, key=lambda timing: timing.ratio or 0.0, default=plainest)
    if plainest in sound and (best.ratio or 0.0) > GAIN * (plainest.ratio or 0.0):
        return plainest.numerics
    return best.numerics


class _Run:
    """A candidate in training with some numerics, a step at a time."""

    def __init__(self, candidate: Candidate, request: ProbeRequest, device: torch.device, numerics: Numerics) -> None:
        torch.manual_seed(0)
        recipe = request.recipe
        self.trainer = Trainer(
            build(candidate, num_classes=request.num_classes, layer_scale_init=recipe.layer_scale_init),
            recipe,
            seed=0,
            device=device,
            numerics=numerics,
        )
        shape = (min(recipe.batch_size, LARGEST_BATCH[device.type]), IN_CHANNELS, recipe.img_size, recipe.img_size)
        self.images = torch.randn(shape).to(device)
        self.labels = torch.randint(request.num_classes, shape[:1]).to(device)
        self.loss = float("nan")

    def step(self) -> float:
        """Time one training step, in seconds."""
        start = time.perf_counter()
        loss = self.trainer.step(self.images, self.labels, len(self.labels))
        self.loss = loss.item()  # a GPU is waited for here
        return time.perf_counter() - start

    def agrees_with(self, other: _Run) -> bool:
        """Whether the losses are equal within the expected rounding."""
        return abs(self.loss - other.loss) <= LARGEST_DIFFERENCE * abs(other.loss)


def _ratio(times: Sequence[float], reference: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(times, reference, strict=True))


def _trial_seconds(request: ProbeRequest, step_seconds: float) -> float:
    return request.steps_of_a_trial * step_seconds / len(request.candidates)


def _compiled(request: ProbeRequest, device: torch.device, numerics: Numerics) -> Timing:
    """Time the first candidate compiled, with the compilation spread over the steps of a trial."""
    eager = _Run(request.candidates[0], request, device, Numerics())
    compiled = _Run(request.candidates[0], request, device, numerics)
    first = compiled.step()
    eager.step()
    pairs = [(compiled.step(), eager.step()) for _ in range(WARMUP + STEPS)][WARMUP:]
    times, reference = zip(*pairs, strict=True)
    overhead = first / request.steps_of_a_trial
    return Timing(
        numerics=numerics,
        ratio=_ratio([seconds + overhead for seconds in times], reference),
        agrees=compiled.agrees_with(eager),
    )
