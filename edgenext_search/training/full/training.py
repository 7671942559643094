"""Full training from beginning to end: checked, resumed, trained, evaluated after each epoch, and delivered."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import torch

from edgenext_search.models.build import build
from edgenext_search.training.full.distill import distillation, open_teacher
from edgenext_search.training.full.epochs import FullRun, TrainingInterruptedError
from edgenext_search.training.full.folder import TrainingFolder
from edgenext_search.training.full.initial import read_initial
from edgenext_search.training.full.plan import plan_training

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import nn

    from edgenext_search.training.engine.distributed import Ranks
    from edgenext_search.training.engine.loop import Objective
    from edgenext_search.training.full.job import FullJob, TrainListener
    from edgenext_search.training.full.plan import Plan

ACKNOWLEDGED = b"\nStopping after this step, which is saved first; Ctrl-C once more stops at once.\n"
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


def train_fully(job: FullJob, ranks: Ranks, device: torch.device, listener: TrainListener) -> dict[str, Any]:
    """Train a candidate in full, or go on with it; called on all ranks.

    On CPUs the weights and metrics are those of an undisturbed training to the bit, however often it is interrupted.

    Args:
        job: What to train.
        ranks: This process among those that train together.
        device: Its device.
        listener: Whoever watches the first rank.

    Returns:
        The summary; ``docs/json.md`` describes its keys.

    Raises:
        UserError: Something of the job cannot be used; found before any epoch.
        TrainingInterruptedError: A signal came.
        TrainingDivergedError: The loss is no longer a number.
        OSError: A checkpoint cannot be written; the former ones are left as they were.
    """
    if job.threads is not None:
        torch.set_num_threads(job.threads)
    folder = TrainingFolder(job.out, keep=job.keep)
    plan = plan_training(job, world=ranks.world, device=device.type)
    model, objective = _networks(job, plan, device, listener.note)
    with contextlib.ExitStack() as stack:

        def begin() -> dict[str, Any] | None:
            stack.enter_context(folder.lock())
            folder.begin(plan.training)
            return folder.summary()

        if (summary := ranks.from_first(begin)) is not None:
            listener.note(f"{job.out} holds this training, and it is complete.")
            return summary
        for line in plan.lines():
            listener.note(line)
        run = FullRun(
            job, plan, folder, model=model, objective=objective, ranks=ranks, device=device, listener=listener
        )
        with _stop_signals(speaks=ranks.rank == 0) as stopping:
            run.train(stopping)
            late = stopping()
        with _stopped_at_once(job):
            if late:
                signal.raise_signal(signal.SIGTERM)
            return run.finish()


def _networks(
    job: FullJob, plan: Plan, device: torch.device, note: Callable[[str], None]
) -> tuple[nn.Module, Objective | None]:
    """The network to train, with its first weights, and its loss, None for the plain one."""
    recipe, classes = plan.recipe, plan.data.classes
    assert recipe.drop_path != "auto"  # noqa: S101 - for_size() saw to it
    torch.manual_seed(recipe.seed)
    model = build(
        job.candidate,
        num_classes=len(classes),
        drop_path=recipe.drop_path,
        dropout=recipe.dropout,
        layer_scale_init=recipe.layer_scale_init,
    )
    if job.init is not None and not read_initial(job.init).fill(model, classes):
        note(f"{job.init} was trained on other classes: the classifier is a new one.")
    if job.teacher is None:
        return model, None
    teacher = open_teacher(job.teacher, num_classes=len(classes)).to(device)
    objective = distillation(
        teacher,
        weight=recipe.distill_weight,
        temperature=recipe.distill_temperature,
        label_smoothing=recipe.label_smoothing,
    )
    return model, objective


@contextlib.contextmanager
def _stop_signals(*, speaks: bool) -> Iterator[Callable[[], bool]]:
    """Turn the first signal of :data:`STOP_SIGNALS` into a wish to stop; a second Ctrl-C interrupts at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop.is_set
        return

    def handle(number: int, _frame: object) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not stop.is_set():
            stop.set()
            if speaks:
                os.write(2, ACKNOWLEDGED)  # as print() must not be entered again where it was interrupted

    with _handled(handle):
        yield stop.is_set


@contextlib.contextmanager
def _stopped_at_once(job: FullJob) -> Iterator[None]:
    """Let a signal end what follows, which can be done again: all of the training is saved."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(_number: int, _frame: object) -> None:
        raise TrainingInterruptedError(
            f"Stopped after the last step, which is saved in {job.out}. The same command writes the model folder."
        )

    with _handled(handle):
        yield


@contextlib.contextmanager
def _handled(handle: Callable[[int, object], None]) -> Iterator[None]:
    previous = {number: signal.signal(number, handle) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
