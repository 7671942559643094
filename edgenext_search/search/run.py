"""A study from beginning to end: data, search, finalists, winner, summary."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenext_search.arch.projection import Projection
from edgenext_search.data import default_cache_dir, open_source, prepare
from edgenext_search.errors import UserError
from edgenext_search.search.conditions import conditions, cpu_cores
from edgenext_search.search.coordinator import Coordinator
from edgenext_search.search.executor import LocalExecutor, local_slots
from edgenext_search.search.finalists import finalists_of, fresh_seeds
from edgenext_search.search.listener import Listener
from edgenext_search.search.summary import summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edgenext_search.arch.candidate import Candidate
    from edgenext_search.data import PreparedData
    from edgenext_search.search.folder import RunFolder
    from edgenext_search.search.recipe import StudyRecipe
    from edgenext_search.search.store import StudyStore

CROP_MARGIN = 0.875  # an image is stored at 1 / this of the training size, as ImageNet's 256 is for 224
MAX_SKIPPED_NAMED = 3
FEW_IMAGES = 200  # held-out images below which a score moves by half a point with a single one


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """Where and how fast a study runs; changes nothing of its result on the same kind of device.

    Attributes:
        device: ``auto``, ``cpu`` or ``cuda``.
        parallel: Trials at once; None for one on each GPU, or on each CPU core.
        threads: CPU threads of each trial; None for one on the CPU, and the cores shared out on GPUs.
        timeout: Seconds after which a rung of a trial fails; None for no limit.
        cache_dir: Where prepared images are kept; None for the user's cache.
        storage: URL of an Optuna storage; None for SQLite in the run folder.
    """

    device: str = "auto"
    parallel: int | None = None
    threads: int | None = None
    timeout: float | None = None
    cache_dir: Path | None = None
    storage: str | None = None


def run_study(
    run: RunFolder, recipe: StudyRecipe, execution: Execution, listener: Listener | None = None
) -> dict[str, Any]:
    """Run a study, or go on with it, until it is complete or interrupted by Ctrl-C.

    All that can be wrong with the recipe, the data and the devices is found before any training.

    Args:
        run: Its folder; begun here when there is no run in it yet.
        recipe: A resolved study; the one that the run was begun with.
        execution: Where and how fast.
        listener: Whoever watches.

    Returns:
        The summary, also written to the folder.

    Raises:
        UserError: The recipe, the data or the folder cannot be used.
        StudyFailedError: The first trials all failed.
        KeyboardInterrupt: Ctrl-C came before there was anything to report, or twice.
    """
    listener = listener or Listener()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: the sampler is small work
    started = time.monotonic()
    projection = Projection(recipe.load_space(), recipe.load_budget(), recipe.load_deployment())
    source = open_source(recipe.data.source, _path(recipe.data.dir))
    slots = local_slots(execution.device, execution.parallel)
    executor = LocalExecutor(slots, threads=execution.threads or _threads(slots), timeout=execution.timeout)
    resumed = run.exists()
    if not resumed:
        run.create(recipe, storage=execution.storage)
    with (
        _removed_when_refused(run, new=not resumed) as begun,
        run.lock(),
        _stop_signals(listener) as should_stop,
    ):
        store = run.open_store(recipe, execution.storage, must_exist=resumed)
        listener.study_started(resumed=resumed)

        def on_image(done: int, total: int) -> None:
            if should_stop():
                raise KeyboardInterrupt
            listener.data_progress(done, total)

        data = prepare(
            source,
            image_size=round(recipe.proxy.img_size / CROP_MARGIN),
            train_images=recipe.data.train_images,
            val_images=recipe.data.val_images,
            val_fraction=recipe.data.val_share,
            seed=recipe.data.seed,
            cache_dir=execution.cache_dir or default_cache_dir(),
            workers=cpu_cores(),
            progress=on_image,
        )
        _record_data(store, data, listener)
        begun.set()
        for warning in _warnings(recipe, data, slots):
            listener.note(warning)
        store.set_fact("conditions", conditions(executor.slots, executor.threads))
        coordinator = Coordinator(
            recipe,
            projection=projection,
            store=store,
            executor=executor,
            data=data.folder,
            scratch=run.scratch,
            listener=listener,
            should_stop=should_stop,
        )
        coordinator.search()
        if not should_stop():
            coordinator.rescore()
        complete = not should_stop()
        ranked = finalists_of(store, recipe)
        if ranked:
            listener.note("Writing the winner's model folder")
            _write_winner(run, recipe, coordinator, ranked[0].candidate, data)
        store.set_fact("complete", complete)
        store.set_fact("seconds", (store.fact("seconds") or 0.0) + time.monotonic() - started)
        summary = summarize(run, recipe, store)
        run.write_summary(summary)
        if complete:
            seeds = fresh_seeds(recipe.search.seed, 1)
            kept = [coordinator.job(f.candidate, seed=seeds[0], until=recipe.proxy.epochs).weights_file for f in ranked]
            _clean_scratch(run.scratch, kept)
    return summary


def _write_winner(
    run: RunFolder, recipe: StudyRecipe, coordinator: Coordinator, candidate: Candidate, data: PreparedData
) -> None:
    """Write the winner's model folder with the weights of its first fresh seed, or else of the search.

    A folder of an earlier call stays as it is where no weights are left.
    """
    from safetensors.torch import load_file

    from edgenext_search.models.build import build
    from edgenext_search.models.export import export_onnx
    from edgenext_search.models.folder import save_model_folder

    folder = run.winners / candidate.fingerprint
    search = recipe.search
    seeds = [*fresh_seeds(search.seed, search.rescore_seeds), search.seed]
    jobs = [coordinator.job(candidate, seed=seed, until=recipe.proxy.epochs) for seed in seeds]
    job = next((job for job in jobs if job.weights_file.is_file()), None)
    if job is None:
        return
    model = build(candidate, num_classes=len(data.classes)).eval()
    model.load_state_dict(load_file(job.weights_file))
    deployment = recipe.load_deployment()
    save_model_folder(
        model,
        candidate,
        folder,
        deployment=deployment,
        trained_size=recipe.proxy.img_size,
        class_names=data.classes,
        about={
            "from": "proxy training, not full training",
            "data": data.name,
            "epochs": recipe.proxy.epochs,
            "seed": job.seed,
        },
    )
    export_onnx(model, folder / "model.onnx", img_size=deployment.img_size)


def _clean_scratch(scratch: Path, kept: Sequence[Path]) -> None:
    """Remove what a complete run needs no more: all but the finalists' weights.

    With more trials, another of them may win.
    """
    for path in scratch.glob("*"):
        if path not in kept:
            path.unlink()
    if scratch.is_dir() and not any(scratch.iterdir()):
        scratch.rmdir()


def _record_data(store: StudyStore, data: PreparedData, listener: Listener) -> None:
    """Record what the run is trained on; refuse to go on with other images than it was begun with."""
    begun = store.fact("data")
    if begun is not None and begun["fingerprint"] != data.fingerprint:
        raise UserError(
            f"The images of {data.name} have changed since the run began, so its scores would not compare; "
            "start a new run with another --out, or bring the images back."
        )
    facts = {
        "name": data.name,
        "classes": len(data.classes),
        "train_images": len(data.train.labels),
        "val_images": len(data.val.labels),
        "skipped_images": len(data.skipped),
        "demonstration": data.demonstration,
        "fingerprint": data.fingerprint,
    }
    store.set_fact("data", facts)
    if data.skipped:
        named = ", ".join(data.skipped[:MAX_SKIPPED_NAMED])
        more = f" and {len(data.skipped) - MAX_SKIPPED_NAMED} more" if len(data.skipped) > MAX_SKIPPED_NAMED else ""
        listener.note(f"{len(data.skipped)} unreadable images were skipped: {named}{more}")


def _warnings(recipe: StudyRecipe, data: PreparedData, slots: list[str]) -> list[str]:
    """What will make this study slow, or its scores coarse, with the way out."""
    found = []
    train, val = len(data.train.labels), len(data.val.labels)
    if slots[0] == "cpu" and recipe.name == "imagenet":
        found.append("The study imagenet is made for GPUs, and this host has none; --study laptop is made for a CPU.")
    if val < FEW_IMAGES:
        found.append(
            f"Only {val} held-out images score the candidates, {100 / val:.1f} points each, so close "
            "candidates cannot be told apart; --set data.val_share=0.3 holds out more."
        )
    if recipe.proxy.batch_size > train:
        found.append(
            f"proxy.batch_size is {recipe.proxy.batch_size}, but there are {train} training images: an epoch is a "
            "single step; --set proxy.batch_size=32 makes more of it."
        )
    return [f"Note: {text}" for text in found]


@contextlib.contextmanager
def _removed_when_refused(run: RunFolder, *, new: bool) -> Iterator[threading.Event]:
    """Leave no folder of a new run behind that is refused before the event that this yields is set."""
    begun = threading.Event()
    try:
        yield begun
    except UserError:
        if new and not begun.is_set():
            shutil.rmtree(run.path, ignore_errors=True)
        raise


def _threads(slots: list[str]) -> int:
    """One thread a trial on the CPU, where more trials beat more threads; the cores shared out where GPUs train."""
    return 1 if slots[0] == "cpu" else max(1, cpu_cores() // len(slots))


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text).expanduser()


@contextlib.contextmanager
def _stop_signals(listener: Listener) -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM into a wish to stop; the second one interrupts at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop.is_set
        return

    def handle(number: int, _frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        listener.note(f"{signal.Signals(number).name}: stopping with a report; once more to stop at once")

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop.is_set
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
