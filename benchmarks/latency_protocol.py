"""How far a measured latency can be trusted: from process to process, on a quiet and on a busy machine.

The same random candidates are measured in several processes of their own, while the other cores rest and while they
are kept busy. What varies between these measurements of one model is the figure: once as a median of its runs, which is
the usual way and the baseline, and once as the ratio to the reference that runs in turns with it. Then a model is
compared with a copy of itself: how often is a difference shown that is none, and how small a difference would show?
Last, the files of torch's two exporters are compared: what is measured should be as fast as what ships.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

from common import conditions, emit, median, parser, seeded, significant

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.projection import Projection
from edgenext_search.arch.published import published_variant
from edgenext_search.arch.spaces.space import Space
from edgenext_search.latency.compare import ROUNDS, Comparison, compare
from edgenext_search.latency.devices.open import open_device
from edgenext_search.latency.measurement import Measurement, MeasureSettings
from edgenext_search.models.build import build
from edgenext_search.models.export import export_onnx
from edgenext_search.models.measurable import export_for_measuring

BUDGETS = ("0.6M", "1.3M", "2.3M", "5.6M")
REFERENCE = "edgenext_xx_small"
LOADS = ("quiet", "busy")


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__)
    arguments.add_argument("--space", default="edgenext")
    arguments.add_argument("-n", type=int, default=20, help="candidates")
    arguments.add_argument("--processes", type=int, default=5, help="measurements of each")
    arguments.add_argument("--seconds", type=float, default=4.0, help="of a measurement")
    arguments.add_argument("--comparisons", type=int, default=6, help="of a model with its copy, 30 s each")
    options = arguments.parse_args()
    quick = options.quick
    n, processes = (2, 2) if quick else (options.n, options.processes)
    seconds, comparing = (0.3, 4.0) if quick else (options.seconds, 30.0)
    comparisons = 1 if quick else options.comparisons
    deployment = Deployment(num_classes=10, img_size=64) if quick else Deployment()
    device, rng = open_device("host"), seeded(options.seed)
    space = Space.load(options.space)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        published = published_variant(REFERENCE).candidate
        reference = folder / "reference.onnx"
        export_for_measuring(published, deployment, reference)  # the first one pays for imports
        models, exported = [], []
        for number in range(n):
            projection = Projection(space, Budget.parse(rng.choice(BUDGETS)), deployment)
            candidate = projection.candidate(space.draw(rng))
            models.append(folder / f"{number}.onnx")
            start = time.perf_counter()
            export_for_measuring(candidate, deployment, models[-1])
            exported.append(time.perf_counter() - start)
        settings = MeasureSettings(seconds=seconds, warmup_seconds=0.2, precision=1e-9)
        measured: dict[str, list[list[Measurement]]] = {load: [] for load in LOADS}
        for _, load in itertools.product(range(processes), LOADS):
            with _load(busy=load == "busy"):
                measured[load].append(device.measure(models, reference=reference, settings=settings))
        figures = _variations(measured)
        figures |= _comparisons(
            folder,
            published,
            reference,
            deployment,
            count=comparisons,
            rounds=4 if quick else ROUNDS,
            seconds=comparing,
        )
    figures["export_seconds"] = significant(median(exported))
    where = conditions(
        "onnxruntime",
        "torch",
        n=n,
        seed=options.seed,
        budget="/".join(BUDGETS),
        deployment=str(deployment),
        space=space.name,
        processes=processes,
        seconds=seconds,
        comparing_seconds=comparing,
        reference=REFERENCE,
    )
    emit("latency_protocol", figures, where)


def _variations(measured: dict[str, list[list[Measurement]]]) -> dict[str, object]:
    """How much the measurements of one model differ, as a median over the models; of the runs with either load."""
    figures: dict[str, object] = {}
    for load in (*LOADS, "both"):
        runs = [run for part in (LOADS if load == "both" else (load,)) for run in measured[part]]
        by_model = list(zip(*runs, strict=True))
        figures[f"{load}_p50_varies"] = significant(median([_variation([one.p50 for one in of]) for of in by_model]))
        ratios = [_variation([one.ratio or math.nan for one in of]) for of in by_model]
        figures[f"{load}_ratio_varies"] = significant(median(ratios))
    return figures


def _comparisons(
    folder: Path,
    published: Candidate,
    reference: Path,
    deployment: Deployment,
    *,
    count: int,
    rounds: int,
    seconds: float,
) -> dict[str, object]:
    """What ``compare`` finds between copies, between networks that differ by a block, and between two exporters."""
    device = open_device("host")
    copy, shorter, shipped = (folder / f"{name}.onnx" for name in ("copy", "shorter", "shipped"))
    shutil.copyfile(reference, copy)
    alike = [compare(device, reference, copy, rounds=rounds, seconds=seconds) for _ in range(count)]
    export_for_measuring(_shorter(published), deployment, shorter)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = build(published, num_classes=deployment.num_classes).eval()
        export_onnx(network, shipped, img_size=deployment.img_size)
    return {
        "newer_export_seconds": significant(time.perf_counter() - start),
        "comparisons": count,
        "false_differences": sum(one.finding != "no difference shown" for one in alike),
        "difference_shown": significant(median([math.sqrt(one.high / one.low) - 1 for one in alike])),
        "one_block_less": _words(compare(device, shorter, reference, rounds=rounds, seconds=seconds)),
        "newer_exporter": _words(compare(device, shipped, reference, rounds=rounds, seconds=seconds)),
    }


def _variation(values: list[float]) -> float:
    """Standard deviation as a share of the mean."""
    return statistics.stdev(values) / statistics.fmean(values)


def _words(found: Comparison) -> str:
    return f"{found.finding}: {found.ratio:.4f} [{found.low:.4f}, {found.high:.4f}]"


def _shorter(candidate: Candidate) -> Candidate:
    """The network without one of the blocks of its third stage."""
    one, two, three, four = candidate.depths
    return Candidate.from_dict({**candidate.to_dict(), "depths": [one, two, three - 1, four]})


@contextlib.contextmanager
def _load(*, busy: bool) -> Iterator[None]:
    """Processes that keep all cores but one busy, if asked for."""
    count = max((os.cpu_count() or 2) - 1, 1) if busy else 0
    workers = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


if __name__ == "__main__":
    main()
