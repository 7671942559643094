"""A session of a run: its locked folder, record, images, devices and numerics, ready for trainings."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgenext_search.arch.projection import Projection, require_sensible
from edgenext_search.data import PreparedData, Source, default_cache_dir, former_fingerprint
from edgenext_search.errors import UserError
from edgenext_search.execution.attempts import recover
from edgenext_search.execution.executor import Executor
from edgenext_search.execution.local import LocalExecutor
from edgenext_search.execution.numerics import ProbedNumerics, fixed_numerics, probe_host, trials_that_fit
from edgenext_search.execution.placement import gpu_memory, local_places
from edgenext_search.execution.processes import start_server
from edgenext_search.files import write_bytes
from edgenext_search.machine import cpu_cores
from edgenext_search.search.recipe import ResolvedRecipe
from edgenext_search.search.store.records import DataFacts, StudyFacts
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.store.store import StudyStore
from edgenext_search.search.study.images import open_images, prepare_images
from edgenext_search.search.study.latency import StudyDevice, open_study_device
from edgenext_search.search.study.listener import Listener
from edgenext_search.signals import stop_requests
from edgenext_search.texts import counted
from edgenext_search.training.engine.numerics import Numerics
from edgenext_search.training.proxy.job import Placement
from edgenext_search.training.proxy.probe_request import ProbeRequest

FOR_GPUS = "imagenet"  # the shipped study that would take weeks on a CPU
MAX_SKIPPED_NAMED = 3
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AT_ONCE = (signal.SIGINT, signal.SIGTERM)  # the second time; a lost connection may send several SIGHUP
STOPPING = "stopping with a report; once more to stop at once"


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """Devices and parallelism of a study. On the same kind of device they change results by rounding only.

    Attributes:
        device: ``auto``, ``cpu`` or ``cuda``.
        parallel: Trials at once; None for as many as the devices hold.
        gpus_per_trial: GPUs that train a trial together, each a share of every batch; on the CPU, processes.
        trials_per_gpu: Trials that share a GPU; 0 for as many as its memory holds.
        threads: CPU threads of each process; None for one on the CPU, and the cores shared out on GPUs.
        timeout: Seconds after which a rung of a trial fails; None for no limit.
        cache_dir: Cache of prepared images; None for the user's cache.
        storage: URL of an Optuna storage; None for SQLite in the run folder.
    """

    device: str = "auto"
    parallel: int | None = None
    gpus_per_trial: int = 1
    trials_per_gpu: int = 1
    threads: int | None = None
    timeout: float | None = None
    cache_dir: Path | None = None
    storage: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A run that this process has exclusively, with everything that its trainings need.

    Attributes:
        projection: Projection of assignments to candidates within the budget.
        store: Record of the run.
        data: Prepared images.
        places: Places of trainings that run at the same time.
        numerics: Precision, memory layout and compilation of all trainings.
        executor: Executor of the trainings.
        should_stop: Whether Ctrl-C, SIGTERM or SIGHUP came.
        study_device: The device and its predictor; None where latency is not asked for.
    """

    projection: Projection
    store: StudyStore
    data: PreparedData
    places: Sequence[Placement]
    numerics: Numerics
    executor: Executor
    should_stop: Callable[[], bool]
    study_device: StudyDevice | None = None


@contextlib.contextmanager
def open_session(
    run: RunFolder,
    recipe: ResolvedRecipe,
    execution: Execution,
    listener: Listener,
    *,
    announce: Callable[[StudyStore], None],
    measures: bool = True,
) -> Iterator[Session]:
    """Lock a run, created where there is none, and prepare everything that its trainings need.

    Recipe, data and devices are checked before any training.

    Args:
        run: Run folder.
        recipe: Resolved study.
        execution: Devices and parallelism.
        listener: Listener to the study's progress.
        announce: Called once the record is open, before anything that takes time; it may raise.
        measures: Whether latency will be measured on the study's device; if not, the device is not contacted.

    Raises:
        UserError: The recipe, the data or the folder cannot be used, or another process works on the run.
        KeyboardInterrupt: Ctrl-C came while the images were prepared.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: the sampler is small work
    source = open_images(recipe)
    places = _places(execution, execution.trials_per_gpu or 1)
    _check_shares(recipe, execution)
    study_device = open_study_device(run, recipe, listener, cache_dir=execution.cache_dir, measures=measures)
    projection = _projection(recipe, study_device)
    resumed = run.exists()
    if not resumed:
        run.create(recipe, storage=execution.storage)
    if study_device is not None and not run.latency_profile.is_file():
        write_bytes(run.latency_profile, study_device.profile.read_bytes())
    with (
        _removed_when_refused(run, new=not resumed) as begun,
        run.lock(),
        stop_requests(
            STOP_SIGNALS, announce=lambda number: listener.note(f"{number.name}: {STOPPING}"), interrupting=AT_ONCE
        ) as should_stop,
    ):
        store = run.open_store(recipe, execution.storage, must_exist=run.holds_results())
        announce(store)
        store.record_facts(StudyFacts(began=time.time()))
        _tell(listener, source.notes)
        if study_device is not None:
            store.record_facts(StudyFacts(latency=study_device.facts(recipe.budget)))
            _tell(listener, study_device.notes(recipe.budget, projection))
        if not resumed and recipe.name == FOR_GPUS and all(_on_cpu(place) for place in places):
            listener.note(f"Note: no GPU is used, and the study {FOR_GPUS} is sized for GPUs; --study laptop is not.")
        if execution.trials_per_gpu != 1 and _on_cpu(places[0]):
            listener.note(
                "Note: without a GPU --trials-per-gpu changes nothing; --parallel says how many trials run at once."
            )
        start_server()  # it imports torch while images are prepared

        with should_stop.interruptible():
            data = prepare_images(
                source,
                recipe,
                cache_dir=execution.cache_dir,
                workers=cpu_cores(),
                progress=listener.data_progress,
            )
        _record_data(recipe, store, source, data, listener)
        run.record_place(recipe.data)
        begun.set()
        probe = functools.partial(
            probe_host,
            probe_request(recipe, projection, places[0], data),
            cache_dir=execution.cache_dir or default_cache_dir(),
            should_stop=should_stop,
        )
        numerics, trials_per_gpu = _numerics(recipe, execution, places[0], store=store, listener=listener, probe=probe)
        if trials_per_gpu > 1:
            places = _places(execution, trials_per_gpu)
        recover(run.scratch)
        with contextlib.closing(LocalExecutor(places, timeout=execution.timeout)) as executor:
            yield Session(
                projection=projection,
                store=store,
                data=data,
                places=places,
                numerics=numerics,
                executor=executor,
                should_stop=should_stop,
                study_device=study_device,
            )


def _on_cpu(place: Placement) -> bool:
    return all(device == "cpu" for device in place.devices)


def _projection(recipe: ResolvedRecipe, study_device: StudyDevice | None) -> Projection:
    space, budget, deployment = recipe.space, recipe.budget, recipe.deployment
    require_sensible(budget, deployment)
    if study_device is None:
        return Projection(space, budget, deployment)
    return Projection(space, study_device.effective_budget(budget), study_device.deployment(deployment))


def _tell(listener: Listener, notes: Iterable[str]) -> None:
    for note in notes:
        listener.note(note)


def _record_data(
    recipe: ResolvedRecipe, store: StudyStore, source: Source, data: PreparedData, listener: Listener
) -> None:
    """Record the images of the run; refuse other images than those that the run began with."""
    begun = store.facts().data
    if (
        begun is not None
        and begun.fingerprint != data.fingerprint
        and begun.fingerprint != former_fingerprint(data, source, name=begun.name)
    ):
        raise UserError(
            f"The images of {data.name} are not those that the run began with, so its scores would not be comparable. "
            "Give the run its images again, or start a new run with another --out."
        )
    facts = DataFacts(
        name=data.name,
        classes=len(data.classes),
        train_images=len(data.train.labels),
        val_images=len(data.val.labels),
        skipped_images=len(data.skipped),
        demonstration=data.demonstration,
        fingerprint=data.fingerprint,
    )
    store.record_facts(StudyFacts(data=facts))
    deployed = recipe.deployment.num_classes
    if begun is None and not data.demonstration and deployed != len(data.classes):
        listener.note(
            f"Note: {data.name} has {counted(len(data.classes), 'class', 'classes')}, but costs are counted for "
            f"{deployed:,}; --num-classes says for how many."
        )
    if data.skipped:
        named = ", ".join(data.skipped[:MAX_SKIPPED_NAMED])
        more = f" and {len(data.skipped) - MAX_SKIPPED_NAMED} more" if len(data.skipped) > MAX_SKIPPED_NAMED else ""
        listener.note(f"{len(data.skipped)} unreadable images were skipped: {named}{more}")


def _places(execution: Execution, trials_per_gpu: int) -> list[Placement]:
    return local_places(
        execution.device,
        parallel=execution.parallel,
        threads=execution.threads,
        gpus_per_trial=execution.gpus_per_trial,
        trials_per_gpu=trials_per_gpu,
    )


def _check_shares(recipe: ResolvedRecipe, execution: Execution) -> None:
    if recipe.proxy.batch_size < execution.gpus_per_trial:
        raise UserError(
            f"Each of a trial's devices needs an image of every batch, but --gpus-per-trial {execution.gpus_per_trial} "
            f"exceeds proxy.batch_size={recipe.proxy.batch_size}; use fewer, or a larger batch."
        )


def _numerics(
    recipe: ResolvedRecipe,
    execution: Execution,
    place: Placement,
    *,
    store: StudyStore,
    listener: Listener,
    probe: Callable[[], ProbedNumerics],
) -> tuple[Numerics, int]:
    """Numerics of all trainings of the run, and the number of trials that share a GPU.

    A resumed run keeps the numerics that it began with, so that its scores stay comparable.
    """
    numerics = store.facts().numerics or fixed_numerics(recipe.proxy)
    pack = not execution.trials_per_gpu and place.devices[0].startswith("cuda")
    if numerics is not None and not pack:
        return numerics, 1
    listener.note("Timing precision and memory layout on this host")
    probed = probe()
    if probed.note:
        listener.note(probed.note)
    numerics = numerics or probed.numerics
    if probed.note is None:
        store.record_facts(StudyFacts(numerics=numerics))
    return numerics, trials_that_fit(probed.gpu_bytes, gpu_memory()) if pack else 1


def probe_request(recipe: ResolvedRecipe, projection: Projection, place: Placement, data: PreparedData) -> ProbeRequest:
    """The work that is timed: the published shape nearest to the budget, and one random shape of the space."""
    proxy = recipe.proxy
    return ProbeRequest(
        candidates=(
            projection.published(projection.nearest_published()[0]),
            projection.candidate(projection.space.draw(random.Random(0))),
        ),
        recipe=proxy,
        num_classes=len(data.classes),
        device=place.devices[0],
        threads=place.threads,
        steps_of_a_trial=proxy.epochs * max(1, len(data.train.labels) // proxy.batch_size),
    )


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
