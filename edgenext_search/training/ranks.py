"""The processes that train one job together, each on its share of every batch."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import distributed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

PATIENCE = timedelta(minutes=10)  # for the slowest of the ranks; one that dies is noticed at once


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those that train together.

    Attributes:
        rank: Its number, from 0.
        world: How many there are.
    """

    rank: int = 0
    world: int = 1

    def add_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Give every rank the sum of all ranks' gradients, in one message.

        The networks are small, so there is nothing to gain from sending parts of it while others are computed.
        """
        if self.world == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view(gradient.shape))
            start += gradient.numel()

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The sum of all ranks' values, in the tensor that is given."""
        if self.world > 1:
            distributed.all_reduce(values)
        return values


def sum_over_ranks(values: torch.Tensor) -> torch.Tensor:
    """The sum of all ranks' values, through which gradients flow back to all of them."""
    return cast("torch.Tensor", _Sum.apply(values))


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, values: torch.Tensor) -> torch.Tensor:  # noqa: ANN401 - torch's
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_ctx: Any, gradient: torch.Tensor) -> torch.Tensor:  # noqa: ANN401 - torch's
        total = gradient.clone()
        distributed.all_reduce(total)
        return total


@contextlib.contextmanager
def joined(rank: int, world: int, meeting: Path | None, device: torch.device) -> Iterator[Ranks]:
    """Meet the other ranks in a file, by NCCL between GPUs and gloo between CPUs, on this host alone.

    Args:
        rank: Number of this process.
        world: How many processes.
        meeting: A file that does not exist yet, the same for all ranks; None for one process alone.
        device: This process's device.
    """
    if world == 1:
        yield Ranks()
        return
    if sys.platform == "linux":  # nothing listens beyond loopback
        for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
            os.environ.setdefault(name, "lo")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        init_method=f"file://{meeting}",
        rank=rank,
        world_size=world,
        timeout=PATIENCE,
    )
    yield Ranks(rank, world)
    distributed.destroy_process_group()
