"""Training of one rung: from the state after the previous rung to a score and the next state."""

from __future__ import annotations

import socket
import statistics
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

from edgenext_search.data import open_prepared
from edgenext_search.files import replacing
from edgenext_search.machine import device_name
from edgenext_search.models.build import build
from edgenext_search.training.engine.distributed import init_local_process_group
from edgenext_search.training.engine.loader import MemoryLoader, evaluation_batches
from edgenext_search.training.engine.scoring import Evaluation
from edgenext_search.training.engine.trainer import State, StepHook, Trainer
from edgenext_search.training.proxy.job import Place, Trained, TrainJob
from edgenext_search.versions import PACKAGE, installed


def train_rung(
    job: TrainJob, on_step: StepHook | None = None, *, rank: int = 0, rendezvous: Path | None = None
) -> Trained:
    """Train a candidate up to ``job.until`` epochs and score it.

    The result depends on candidate, recipe, data, seed, numerics and the kind of device. The number of processes and
    the size of micro-batches change it by rounding alone, but for batch norms, which see each micro-batch on its own.
    A state that fits is resumed from; otherwise the training starts over.

    Args:
        job: The job.
        on_step: Called after each step with the steps done and to do.
        rank: Which of the job's devices this process has.
        rendezvous: File in which several processes meet.

    Raises:
        TrainingDivergedError: The loss is not a finite number.
    """
    start = time.perf_counter()
    placement, recipe = job.placement, job.recipe
    torch.set_num_threads(placement.threads)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    device = torch.device(placement.devices[rank])
    data = open_prepared(job.data)
    with init_local_process_group(rank, len(placement.devices), rendezvous, device) as ranks:
        torch.manual_seed(job.seed)
        model = build(
            job.candidate,
            num_classes=len(data.classes),
            drop_path=recipe.drop_path,
            layer_scale_init=recipe.layer_scale_init,
        )
        trainer = Trainer(
            model,
            recipe,
            seed=job.seed,
            device=device,
            numerics=job.numerics,
            ranks=ranks,
            micro_batch=job.micro_batch,
        )
        state = _read_state(job, device)
        if state and state["epoch"] == job.until:
            return Trained(**state["result"])  # wherever that was
        if state:
            trainer.restore(state)
        loader = MemoryLoader(
            data.train,
            batch_size=recipe.batch_size,
            img_size=recipe.img_size,
            seed=job.seed,
            device=device,
            augmentation=recipe.augmentation,
            num_classes=len(data.classes),
            shard=ranks.shard,
        )
        evaluations: list[Evaluation] = []
        since = max((epoch for epoch in recipe.rung_epochs if epoch < job.until), default=0)

        def on_epoch(epoch: int) -> None:
            if epoch > max(since, job.until - recipe.score_epochs):
                held_out = evaluation_batches(data.val, img_size=recipe.img_size, device=device, shard=ranks.shard)
                evaluations.append(trainer.evaluate(held_out))

        for until in (epoch for epoch in recipe.rung_epochs if trainer.epoch < epoch <= job.until):
            trainer.fit(loader, until=until, on_step=on_step, on_epoch=on_epoch)
        result = Trained(
            score=statistics.fmean(evaluation.top1 for evaluation in evaluations),
            seconds=time.perf_counter() - start,
            loss=statistics.fmean(evaluation.loss for evaluation in evaluations),
            train_loss=statistics.fmean(trainer.losses),
            place=place_of(job),
        )
        if rank == 0:
            _write(job, trainer, result)
    return result


def _read_state(job: TrainJob, device: torch.device) -> State | None:
    """The state after an earlier rung; None if there is none that can be read and used."""
    try:
        state: State = torch.load(job.state_file, map_location=device, weights_only=True)
        return state if state["epoch"] <= job.until else None
    except Exception:  # missing, or damaged when a machine went down; torch raises many types
        return None


def _write(job: TrainJob, trainer: Trainer, result: Trained) -> None:
    """Write the state for the next rung, and after the last one the scored weights."""
    job.folder.mkdir(parents=True, exist_ok=True)
    if job.until == job.recipe.epochs:  # before the state, which says that the job is done
        weights = {name: tensor.contiguous().cpu() for name, tensor in trainer.scored.state_dict().items()}
        with replacing(job.written(job.weights_file)) as temporary:
            save_file(weights, temporary)
    kept = {name: getattr(result, name) for name in ("score", "seconds", "loss", "train_loss")}
    with replacing(job.written(job.state_file)) as temporary:
        torch.save({**trainer.state(), "result": kept}, temporary)


def place_of(job: TrainJob) -> Place:
    """What the scores of this process depend on beside the job."""
    return Place(
        host=socket.gethostname(),
        device=device_name(job.placement.devices),
        numerics=str(job.numerics),
        package=installed(PACKAGE) or "",
        torch=installed("torch") or "",
        micro_batch=job.micro_batch,
    )
