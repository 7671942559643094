"""Peak activation memory: the closed form beside what torch's allocator and ONNX Runtime really take.

Random shapes of a space, projected into random budgets, one image each. Three measurements:

- tensors: torch.export's graph run an operator at a time, live tensors added up (what the closed form states);
- allocator: the same graph, everything that torch's CPU allocator hands out, the operators' scratch space too;
- ONNX Runtime: growth of the process's resident set during a run (arena off, every larger block from the system),
  with whatever layouts and buffer reuse that runtime chooses.

Baseline: multiply-adds, as the number that people rank memory by when they have no other.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import statistics
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from common import conditions, emit, parser, seeded, significant

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.projection import Projection
from edgenext_search.arch.spaces.space import Space

BUDGETS = ("0.6M", "1.3M", "2.3M", "5.6M")
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0", "KINETO_LOG_LEVEL": "99"}


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__)
    arguments.add_argument("--space", default="edgenext")
    arguments.add_argument("-n", type=int, default=50)
    options = arguments.parse_args()
    if not MALLOC.items() <= os.environ.items():  # glibc reads them when a process starts
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **MALLOC})  # noqa: S606
    n = 2 if options.quick else options.n
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    import torch

    from edgenext_search.models.build import build
    from edgenext_search.models.memory import deployed_graph, measure_memory

    torch.set_num_threads(1)
    deployment = Deployment()
    space = Space.from_dict({**Space.load(options.space).to_dict(), "norm_act": ["ln_gelu", "bn_hs"]})
    rng = seeded(options.seed)
    found: dict[str, list[float]] = {name: [] for name in ("closed", "madds", "tensors", "allocator", "onnxruntime")}
    for _ in range(n):
        projection = Projection(space, Budget.parse(rng.choice(BUDGETS)), deployment)
        candidate = projection.candidate(space.draw(rng))
        counted = cost(candidate, deployment)
        found["closed"].append(counted.memory)
        found["madds"].append(counted.madds)
        found["tensors"].append(measure_memory(candidate, deployment))
        graph, image = deployed_graph(candidate, deployment)
        found["allocator"].append(_allocator_peak(graph, image))
        model = build(candidate, num_classes=deployment.num_classes).eval()
        found["onnxruntime"].append(_onnxruntime_growth(model, image))
    emit(
        "memory",
        {
            "exact": sum(a == b for a, b in zip(found["closed"], found["tensors"], strict=True)) / n,
            **_comparison("allocator", found),
            **_comparison("onnxruntime", found),
        },
        conditions(
            "torch", "timm", "onnxruntime", n=n, seed=options.seed, budget=",".join(BUDGETS), space=options.space,
            deployment=str(deployment),
        ),
    )  # fmt: skip


def _comparison(name: str, found: dict[str, list[float]]) -> dict[str, float]:
    """How well the closed form predicts a measurement, up to one factor where runtimes hold more."""
    from scipy.stats import spearmanr

    ratios = [measured / closed for measured, closed in zip(found[name], found["closed"], strict=True)]
    factor = statistics.median(ratios)
    return {
        f"{name}_spearman": significant(float(spearmanr(found["closed"], found[name]).statistic)),
        f"{name}_spearman_of_madds": significant(float(spearmanr(found["madds"], found[name]).statistic)),
        f"{name}_over_closed": significant(factor),
        f"{name}_mean_error": significant(statistics.fmean(abs(ratio - 1) for ratio in ratios)),
        f"{name}_mean_error_scaled": significant(statistics.fmean(abs(ratio / factor - 1) for ratio in ratios)),
    }


def _allocator_peak(graph: Any, image: Any) -> int:  # noqa: ANN401 - torch is imported late
    import torch
    from torch.profiler import ProfilerActivity, profile

    with torch.inference_mode():
        torch.fx.Interpreter(graph).run(image)
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
            torch.fx.Interpreter(graph).run(image)
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    taken = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        taken += event.nbytes()
        peak = max(peak, taken)
    return peak


def _onnxruntime_growth(model: Any, image: Any) -> int:  # noqa: ANN401
    import onnxruntime
    import torch

    from edgenext_search.models.fold import fold_batch_norms

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model.onnx")
        with contextlib.redirect_stdout(io.StringIO()):
            torch.onnx.export(fold_batch_norms(model), (image,), path, input_names=["image"], dynamo=False)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = 1
        settings.enable_cpu_mem_arena = False
        settings.enable_mem_pattern = False
        session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    feed = {"image": image.numpy()}
    growths = []
    for _ in range(4):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the high-water mark starts anew
        before = _status("VmRSS")
        session.run(None, feed)
        growths.append(_status("VmHWM") - before)
    return sorted(growths[1:])[1]


def _status(key: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text("ascii").splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
