"""Functions that processes run in tests; a module of its own, so that processes can import it."""

import contextlib
import os
import pickle
import signal
import time

import torch
from full_builders import resolved
from strategies import tiny
from torch import nn

from edgenext_search.data.loading.datasets import open_full_data
from edgenext_search.data.loading.loaders import TrainLoader
from edgenext_search.errors import HostError, UserError
from edgenext_search.models.build import build
from edgenext_search.training.engine.batch_norm import convert_sync_batchnorm
from edgenext_search.training.engine.distributed import init_local_process_group
from edgenext_search.training.engine.numerics import Numerics
from edgenext_search.training.engine.trainer import Trainer, TrainerOptions
from edgenext_search.training.errors import PeerFailedError, TrainingInterruptedError
from edgenext_search.training.full.checkpoint import Checkpoints
from edgenext_search.training.full.listener import TrainListener
from edgenext_search.training.full.train import train_fully
from edgenext_search.training.full.training_run import TrainingRun
from edgenext_search.training.proxy.job import Trained
from edgenext_search.training.proxy.probe_request import ProbeResult, Timing
from edgenext_search.training.proxy.rung import place_of


def _train_at_most(most, job):
    if (job.micro_batch or job.recipe.batch_size) > most:
        raise MemoryError(f"{most} images fit")
    return Trained(score=0.5, seconds=1.0, place=place_of(job))


def has_memory_for_20_images(job, rank, rendezvous, *, send):
    return _train_at_most(20, job)


def only_job_1_has_memory(job, rank, rendezvous, *, send):
    return _train_at_most(1000 if job.name == "job-1" else 0, job)


def on_rank(rank, world, rendezvous, function, *arguments, send):
    torch.set_num_threads(1)
    with init_local_process_group(rank, world, rendezvous, torch.device("cpu")) as ranks:
        # Pickled here: torch's own way of sending tensors needs this process to stay.
        return pickle.dumps(globals()[function](ranks, *arguments))


def gradients(ranks):
    parameters = [nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(1))]
    parameters[0].grad = ranks.rank * torch.tensor([[1.0, 3.0], [2.0, 4.0]]).T  # not contiguous
    parameters[2].grad = ranks.rank * torch.tensor([5.0])
    ranks.all_reduce_gradients(parameters)
    found = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return found, ranks.all_reduce(torch.tensor([1, 4])).tolist()


def collectives(ranks):
    def refuse():
        raise UserError(f"rank {ranks.rank} refuses")

    refusal = None
    try:
        ranks.run_on_first(refuse)
    except UserError as error:
        refusal = type(error).__name__, str(error)
    made = ranks.run_on_first(lambda: f"made by {ranks.rank}")
    numbers = ranks.all_gather(torch.tensor(ranks.rank + 0.5))
    return ranks.any_rank(False, ranks.rank == 2), made, refusal, numbers, ranks.gather(str(ranks.rank))


def batch_norm(ranks, images):
    norm = nn.BatchNorm2d(4)
    convert_sync_batchnorm(norm)
    inputs = images[ranks.rank :: ranks.world].clone().requires_grad_()
    output = norm(inputs)
    output.pow(3).sum().backward()
    ranks.all_reduce_gradients(norm.parameters())
    return output.detach(), inputs.grad, {**norm.state_dict()}, norm.weight.grad


def probed(_request, *, send):
    chosen = Numerics(channels_last=True)
    timings = (Timing(numerics=Numerics(), ratio=1.0, agrees=True), Timing(numerics=chosen, ratio=0.8, agrees=True))
    return ProbeResult(chosen=chosen, step_seconds=0.1, timings=timings, gpu_bytes=0)


def returns(value, *, send):
    send("on the way")
    return value


def raises(error, *, send):
    raise error


def fails(*_, send):
    raise ValueError("no")


def ignores_ctrl_c(*, send):
    os.kill(os.getpid(), signal.SIGINT)
    return signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def is_killed(*_, send):
    os.kill(os.getpid(), signal.SIGKILL)


def exits(code, *, send):
    os._exit(code)


def hangs(*_, send):
    send("hanging")
    time.sleep(600)


def one_causes_the_failure_of_others(rank, cause, *, send):
    """Rank 1 fails first, for want of rank 2."""
    if rank == 2:
        time.sleep(0.3)
        cause[0](*cause[1:], send=send)
    if rank == 1:
        raise RuntimeError("connection closed by peer")
    time.sleep(600)


def interrupted(ranks, job):
    """The checkpoints that are there when this process stops, on a slow disk."""
    save = Checkpoints.save

    def slowly(*given):
        time.sleep(1)
        save(*given)

    Checkpoints.save = slowly
    TrainingRun._show = lambda run, _clock: os.kill(os.getpid(), signal.SIGTERM) if run.trainer.updates == 2 else None
    with contextlib.suppress(TrainingInterruptedError):
        train_fully(job, ranks, torch.device("cpu"), TrainListener())
    return [path.name for path in Checkpoints(job.out / "checkpoints").newest_first()]


def failing(ranks, job):
    """What ends this process where the second one cannot load the fourth batch, and the checkpoints that are there."""
    epoch = TrainLoader.epoch

    def broken(loader, number, start=0):
        for step, batch in enumerate(epoch(loader, number, start), start):
            if ranks.rank == 1 and step == 3:
                raise HostError("no drive")
            yield batch

    TrainLoader.epoch = broken
    try:
        train_fully(job, ranks, torch.device("cpu"), TrainListener())
    except (HostError, PeerFailedError) as error:
        ended = str(error)
    return ended, [path.name for path in Checkpoints(job.out / "checkpoints").newest_first()]


class Enough(Exception):  # noqa: N818 - no error
    """So many steps were done as were wanted."""


def losses(ranks, data, each, accumulate, steps):
    """The loss of each step, over all ranks, of full training on a folder of images."""
    recipe = resolved(drop_path=0.0, epochs=100)
    torch.manual_seed(0)
    network = build(tiny(), num_classes=3, layer_scale_init=0.1)
    options = TrainerOptions(accumulate=accumulate, decay_temperatures=False, reseed_steps=True)
    trainer = Trainer(network, recipe, seed=0, ranks=ranks, options=options)
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
        found.append(ranks.all_reduce(step(*batch)).item())
        if len(found) == steps * accumulate:
            raise Enough
        return torch.zeros(())

    trainer.step = recording
    with contextlib.suppress(Enough):
        trainer.fit(loader, until=100)
    return [sum(found[first : first + accumulate]) for first in range(0, len(found), accumulate)]
