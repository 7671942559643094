"""What trial processes run in tests instead of a training; a module of its own, so that they can import it."""

import contextlib
import os
import pickle
import signal
import time

import torch
from full_builders import QUICK
from strategies import tiny
from torch import nn

from edgenext_search.data.loading.datasets import open_full_data
from edgenext_search.data.loading.loaders import TrainLoader
from edgenext_search.errors import UserError
from edgenext_search.models.build import build
from edgenext_search.training.engine.batch_norm import share_statistics
from edgenext_search.training.engine.distributed import joined
from edgenext_search.training.engine.loop import Manner, Trainer
from edgenext_search.training.engine.numerics import Numerics, ProbeResult, Timing
from edgenext_search.training.full.checkpoint import Checkpoints
from edgenext_search.training.full.epochs import FullRun, TrainingInterruptedError
from edgenext_search.training.full.job import SilentListener
from edgenext_search.training.full.recipe import FullRecipe
from edgenext_search.training.full.training import train_fully
from edgenext_search.training.proxy.job import Failed, OutOfMemory, Trained


def _sized(job, messages, most):
    taken = job.micro_batch or job.recipe.batch_size
    if taken > most:
        messages.send(OutOfMemory(reason=f"out of memory: {most} images fit"))
    else:
        messages.send(Trained(score=0.5, seconds=1.0, micro_batch=job.micro_batch))


def has_memory_for_20_images(job, messages, rank, meeting):
    _sized(job, messages, 20)


def only_job_1_has_memory(job, messages, rank, meeting):
    _sized(job, messages, 1000 if job.name == "job-1" else 0)


def on_rank(rank, world, meeting, sender, function, *arguments):
    torch.set_num_threads(1)
    with joined(rank, world, meeting, torch.device("cpu")) as ranks:
        result = globals()[function](ranks, *arguments)
        sender.send_bytes(pickle.dumps(result))  # whole: torch's own way of sending tensors needs this process to stay


def gradients(ranks):
    parameters = [nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(1))]
    parameters[0].grad = ranks.rank * torch.tensor([[1.0, 3.0], [2.0, 4.0]]).T  # not contiguous
    parameters[2].grad = ranks.rank * torch.tensor([5.0])
    ranks.add_gradients(parameters)
    found = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return found, ranks.total(torch.tensor([1, 4])).tolist()


def words(ranks):
    def refuse():
        raise UserError(f"rank {ranks.rank} refuses")

    refusal = None
    try:
        ranks.from_first(refuse)
    except UserError as error:
        refusal = type(error).__name__, str(error)
    made = ranks.from_first(lambda: f"made by {ranks.rank}")
    return ranks.any_of(False, ranks.rank == 2), made, refusal, ranks.gathered(torch.tensor(ranks.rank + 0.5))


def batch_norm(ranks, images):
    norm = nn.BatchNorm2d(4)
    share_statistics(norm)
    inputs = images[ranks.rank :: ranks.world].clone().requires_grad_()
    output = norm(inputs)
    output.pow(3).sum().backward()
    ranks.add_gradients(norm.parameters())
    return output.detach(), inputs.grad, {**norm.state_dict()}, norm.weight.grad


def probed(_request, messages):
    chosen = Numerics(channels_last=True)
    timings = (Timing(numerics=Numerics(), ratio=1.0, agrees=True), Timing(numerics=chosen, ratio=0.8, agrees=True))
    messages.send(ProbeResult(chosen=chosen, step_seconds=0.1, timings=timings, gpu_bytes=0))


def probe_fails(_request, messages):
    messages.send(Failed(reason="ValueError: no"))


def probe_dies(_request, _messages):
    os.kill(os.getpid(), signal.SIGKILL)


def probe_hangs(_request, _messages):
    time.sleep(600)


def interrupted(ranks, job):
    """The checkpoints that are there when this process stops, on a slow disk."""
    save = Checkpoints.save

    def slowly(*given):
        time.sleep(1)
        save(*given)

    Checkpoints.save = slowly
    FullRun._show = lambda run, _clock: os.kill(os.getpid(), signal.SIGTERM) if run.trainer.updates == 2 else None
    with contextlib.suppress(TrainingInterruptedError):
        train_fully(job, ranks, torch.device("cpu"), SilentListener())
    return [path.name for path in Checkpoints(job.out / "checkpoints").newest_first()]


class Enough(Exception):  # noqa: N818 - no error
    """So many steps were done as were wanted."""


def losses(ranks, data, each, accumulate, steps):
    """The loss of each step, over all ranks, of full training on a folder of images."""
    recipe = FullRecipe(**QUICK | {"drop_path": 0.0, "epochs": 100}).for_size(10**6)
    torch.manual_seed(0)
    network = build(tiny(), num_classes=3, layer_scale_init=0.1)
    manner = Manner(accumulate=accumulate, spare_temperatures=True, reseed_steps=True)
    trainer = Trainer(network, recipe, seed=0, ranks=ranks, manner=manner)
    loader = TrainLoader(
        open_full_data(str(data)).train,
        batch_size=each * ranks.world,
        img_size=32,
        seed=0,
        shard=ranks.shard,
    )
    found = []
    step = trainer.step

    def recording(*batch):
        found.append(ranks.total(step(*batch)).item())
        if len(found) == steps * accumulate:
            raise Enough
        return torch.zeros(())

    trainer.step = recording
    with contextlib.suppress(Enough):
        trainer.fit(loader, until=100)
    return [sum(found[first : first + accumulate]) for first in range(0, len(found), accumulate)]
