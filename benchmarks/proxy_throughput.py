"""Training images a second of a whole job, by the proxy engine and in the usual way.

The job: 8 random candidates of a space, projected into the budget, each trained for 3 epochs and scored. Whole-job
images a second are candidates x epochs x training images over the wall time from nothing to the last score: starting
processes, importing torch and preparing data are in it.

- jpeg: class folders of 256 px JPEGs, trained at 64 px. The usual way: a fresh process a trial, ImageFolder, PIL
  transforms, a DataLoader with 2 workers, eager fp32, all threads, one trial at a time (``usual_way.py``).
- memory: the images are already there as uint8 tensors, for both.

The ways are timed in turns, each in processes of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import conditions, emit, median, parser, seeded, significant

EPOCHS, CANDIDATES, CLASSES = 3, 8, 10
JPEG_SIDE = 256


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__)
    arguments.add_argument("--budget", default="1.3M")
    arguments.add_argument("--space", default="edgenext")
    arguments.add_argument("--images", type=int, default=2000, help="training images (default: 2000)")
    arguments.add_argument("--img-size", type=int, default=64)
    arguments.add_argument("--batch-size", type=int, default=64)
    arguments.add_argument("--repetitions", type=int, default=3)
    arguments.add_argument("--engine", help="internal: run the engine on the job in this folder")
    options = arguments.parse_args()
    if options.engine:
        _engine(Path(options.engine))
        return
    images, candidates, repetitions = options.images, CANDIDATES, options.repetitions
    if options.quick:
        images, candidates, repetitions = 40, 2, 1
        options.img_size, options.batch_size = 32, 20
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_jpegs(folder / "jpegs", images, options.seed)
        job = _job(options, candidates)
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        seconds = _timed(folder, job, repetitions)
    work = candidates * EPOCHS * images
    rates = {way: median([work / s for s in times]) for way, times in seconds.items()}
    emit(
        "proxy_throughput",
        {
            "speedup_jpeg": _speedup(seconds["usual, jpeg"], seconds["engine, jpeg"]),
            "speedup_memory": _speedup(seconds["usual, memory"], seconds["engine, memory"]),
            **{f"images_per_second ({way})": significant(rate) for way, rate in rates.items()},
            **{f"seconds ({way})": [significant(s, 3) for s in times] for way, times in seconds.items()},
        },
        conditions(
            "torch", "timm", "torchvision", n=candidates, epochs=EPOCHS, train_images=images, jpeg_px=JPEG_SIDE,
            img_size=options.img_size, batch_size=options.batch_size, repetitions=repetitions, seed=options.seed,
            budget=options.budget, space=options.space, deployment="1000 classes, 256x256 px",
        ) | {"threads": "all; 1 a trial in the engine"},
    )  # fmt: skip


def _speedup(usual: list[float], engine: list[float]) -> float:
    return significant(median([a / b for a, b in zip(usual, engine, strict=True)]))


def _job(options: Any, candidates: int) -> dict[str, Any]:  # noqa: ANN401 - argparse's
    from edgenext_search.search.resolver import load_study

    flags = {"budget": options.budget, "space": options.space}
    proxy = {"img_size": options.img_size, "epochs": EPOCHS, "batch_size": options.batch_size, "rungs": "[1.0]"}
    study = load_study("laptop", flags=flags, settings=[f"proxy.{key}={value}" for key, value in proxy.items()])
    projection, rng = _projection(study), seeded(options.seed)
    return {
        "candidates": [projection.candidate(projection.space.draw(rng)).to_dict() for _ in range(candidates)],
        "study": study.to_dict(),
        "recipe": study.proxy.to_dict(),
    }


def _projection(study: Any) -> Any:  # noqa: ANN401 - imported late
    from edgenext_search.arch.projection import Projection

    return Projection(study.space, study.budget, study.deployment)


def _write_jpegs(folder: Path, images: int, seed: int) -> None:
    """Class folders of textured images that take about as many bytes as photographs of their size."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(seed)
    for part, count in (("train", images), ("val", max(CLASSES, images // 5))):
        for index in range(count):
            label = index % CLASSES
            path = folder / part / f"class{label}" / f"{index:05d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            coarse = rng.uniform(0, 255, (3 + label, 3 + label, 3)).astype(np.uint8)
            picture = np.asarray(Image.fromarray(coarse).resize((JPEG_SIDE, JPEG_SIDE), Image.Resampling.BICUBIC))
            noise = rng.normal(0, 12, picture.shape)
            Image.fromarray((picture + noise).clip(0, 255).astype(np.uint8)).save(path, quality=85)
            both = folder / "all" / "train" / path.parent.name / f"{part}-{path.name}"  # the engine holds out its own
            both.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, both)


def _timed(folder: Path, job: dict[str, Any], repetitions: int) -> dict[str, list[float]]:
    """Wall seconds of each way, in turns."""
    seconds: dict[str, list[float]] = {
        way: [] for way in ("usual, jpeg", "engine, jpeg", "usual, memory", "engine, memory")
    }
    usual = [
        sys.executable,
        "-W",
        "ignore",
        str(Path(__file__).with_name("usual_way.py")),
        "--recipe",
        json.dumps(job["recipe"]),
    ]
    engine = [sys.executable, __file__, "--engine", str(folder)]
    free = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}  # all threads
    for repetition in range(repetitions):
        cache = folder / f"cache-{repetition}"
        with_cache = {**os.environ, "EDGENEXT_SEARCH_CACHE": str(cache)}
        seconds["engine, jpeg"].append(_seconds([engine], with_cache))
        seconds["engine, memory"].append(_seconds([engine], with_cache))  # the cache is warm now
        (entry,) = [path.parent for path in cache.glob("*/train_images.npy")]
        for way, data in (("usual, jpeg", folder / "jpegs"), ("usual, memory", entry)):
            commands = [
                [*usual, "--candidate", json.dumps(candidate), "--data", str(data)] for candidate in job["candidates"]
            ]
            seconds[way].append(_seconds(commands, free))
    return seconds


def _seconds(commands: list[list[str]], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    for command in commands:
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def _engine(folder: Path) -> None:
    """All candidates by the tool's own parts: data cache, executor and trial processes."""
    from edgenext_search.arch.candidate import Candidate
    from edgenext_search.data import default_cache_dir, open_source, prepare
    from edgenext_search.execution.dispatch import outcomes
    from edgenext_search.execution.local import LocalExecutor
    from edgenext_search.execution.numerics import probe_host
    from edgenext_search.execution.placement import local_places
    from edgenext_search.execution.processes import start_server
    from edgenext_search.search.recipe import ResolvedRecipe
    from edgenext_search.search.study.session import probe_request
    from edgenext_search.training.proxy.job import Trained, TrainJob

    start_server()
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    study = ResolvedRecipe.read(job["study"], where="job")
    recipe = study.proxy
    images = len(list((folder / "jpegs" / "train").glob("*/*.jpg")))
    validation = len(list((folder / "jpegs" / "val").glob("*/*.jpg")))
    share = validation / (images + validation)
    data = prepare(
        open_source(str(folder / "jpegs" / "all")),
        image_size=round(recipe.img_size / 0.875),
        train_images=images,
        val_images=validation,
        val_fraction=share,
        seed=0,
        cache_dir=default_cache_dir(),
        workers=os.cpu_count() or 1,
    )
    assert len(data.train.labels) == images, len(data.train.labels)
    places = local_places("cpu")
    request = probe_request(study, _projection(study), places[0], data)
    probed = probe_host(request, cache_dir=default_cache_dir(), should_stop=lambda: False)
    print(probed.numerics, file=sys.stderr)
    scratch = tempfile.mkdtemp(dir=folder)
    jobs = [
        TrainJob(
            name=f"job-{index}", label=f"trial {index}", candidate=Candidate.from_dict(candidate), recipe=recipe,
            data=data.folder, seed=0, until=recipe.epochs, folder=Path(scratch), numerics=probed.numerics,
        )
        for index, candidate in enumerate(job["candidates"])
    ]  # fmt: skip
    assert all(isinstance(outcome, Trained) for _, outcome in outcomes(LocalExecutor(places), jobs))


if __name__ == "__main__":
    main()
