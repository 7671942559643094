"""Full training from beginning to end."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from edgenext_search.models.build import build
from edgenext_search.signals import handled, stop_requests
from edgenext_search.training.engine.distributed import Ranks
from edgenext_search.training.engine.trainer import Objective
from edgenext_search.training.errors import TrainingInterruptedError
from edgenext_search.training.full.distill import distillation, open_teacher
from edgenext_search.training.full.folder import TrainingFolder
from edgenext_search.training.full.init_weights import read_init_weights
from edgenext_search.training.full.job import FullJob
from edgenext_search.training.full.listener import TrainListener
from edgenext_search.training.full.plan import Plan, plan_training, settle
from edgenext_search.training.full.readable import unreadable_images
from edgenext_search.training.full.summary import TrainSummary
from edgenext_search.training.full.training_run import TrainingRun

ACKNOWLEDGED = b"\nStopping after this step, which is saved first; Ctrl-C once more stops at once.\n"
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


def train_fully(job: FullJob, ranks: Ranks, device: torch.device, listener: TrainListener) -> TrainSummary | None:
    """Train a candidate in full, or resume its training; called on all ranks.

    On CPUs weights and metrics equal those of an uninterrupted training bit by bit, however often it is interrupted.

    Args:
        job: The training.
        ranks: This process among those that train together.
        device: Its device.
        listener: Hears of the progress, on the first rank alone.

    Returns:
        The summary on the first rank; None on the others.

    Raises:
        UserError: Something of the job cannot be used; found before the first epoch.
        TrainingInterruptedError: A signal came.
        TrainingDivergedError: The loss is not a finite number.
        OSError: A checkpoint cannot be written; the former ones are left as they were.
    """
    if job.threads is not None:
        torch.set_num_threads(job.threads)
    folder = TrainingFolder(job.out, keep=job.keep)
    plan = _plan(job, folder, ranks, device, listener.note)
    model, objective = _networks(job, plan, device, listener.note)
    with contextlib.ExitStack() as stack:

        def begin() -> TrainSummary | None:
            stack.enter_context(folder.lock())
            folder.begin(plan.record)
            return folder.summary()

        if (summary := ranks.run_on_first(begin)) is not None:
            listener.note(f"{job.out} holds this training, and it is complete.")
            return summary
        for line in plan.lines():
            listener.note(line)
        run = TrainingRun(
            job, plan, folder, model=model, objective=objective, ranks=ranks, device=device, listener=listener
        )

        def announce(_number: signal.Signals) -> None:
            if ranks.rank == 0:
                with contextlib.suppress(OSError):  # a terminal that was closed
                    os.write(2, ACKNOWLEDGED)  # print() must not be entered again where the signal interrupted it

        with stop_requests(STOP_SIGNALS, announce=announce, interrupting=(signal.SIGINT,)) as stopping:
            run.train(stopping)
            late = stopping()

        def stop(_number: int, _frame: object) -> None:
            raise TrainingInterruptedError(
                f"Stopped after the last step, which is saved in {job.out}. The same command writes the model folder."
            )

        with handled(STOP_SIGNALS, stop):  # what follows can be repeated: the whole training is saved
            if late:
                signal.raise_signal(signal.SIGTERM)
            return run.finish()


def _plan(
    job: FullJob, folder: TrainingFolder, ranks: Ranks, device: torch.device, note: Callable[[str], None]
) -> Plan:
    """The plan, without images that cannot be decoded; a training that was begun keeps to those it left out then."""
    plan = plan_training(job, world=ranks.world, device=device.type)
    unreadable = ranks.run_on_first(folder.unreadable)
    if unreadable is None:
        unreadable = unreadable_images(plan.data, ranks, workers=job.workers, note=note)
    if unreadable:
        plan = settle(job, plan.data, world=ranks.world, device=device.type, unreadable=unreadable)
    images = ranks.run_on_first(plan.data.fingerprint)
    return replace(plan, record=plan.record.model_copy(update={"images": images}))


def _networks(
    job: FullJob, plan: Plan, device: torch.device, note: Callable[[str], None]
) -> tuple[nn.Module, Objective | None]:
    """The network with its initial weights, and its loss; None for cross-entropy."""
    recipe, classes = plan.recipe, plan.data.classes
    torch.manual_seed(recipe.seed)
    model = build(
        job.candidate,
        num_classes=len(classes),
        drop_path=recipe.drop_path,
        dropout=recipe.dropout,
        layer_scale_init=recipe.layer_scale_init,
    )
    if job.init is not None and not read_init_weights(job.init).fill(model, classes):
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
