"""What trial processes run in tests instead of a training; a module of its own, so that they can import it."""

import os
import signal
import time

import torch
from torch import nn

from edgenext_search.training.batch_norm import share_statistics
from edgenext_search.training.job import Failed, OutOfMemory, Trained
from edgenext_search.training.numerics import Numerics, ProbeResult, Timing
from edgenext_search.training.ranks import joined


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
        sender.send(globals()[function](ranks, *arguments))


def gradients(ranks):
    parameters = [nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(1))]
    parameters[0].grad = ranks.rank * torch.tensor([[1.0, 3.0], [2.0, 4.0]]).T  # not contiguous
    parameters[2].grad = ranks.rank * torch.tensor([5.0])
    ranks.add_gradients(parameters)
    found = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return found, ranks.total(torch.tensor([1, 4])).tolist()


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
