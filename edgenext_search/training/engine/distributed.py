"""The processes that train one job together, each on its share of every batch."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from torch import distributed

from edgenext_search.data.loading.shard import Shard
from edgenext_search.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

T = TypeVar("T")
PATIENCE = timedelta(minutes=10)  # for the slowest of the ranks; one that dies is noticed at once


class FirstRefusedError(UserError):
    """What the first rank refuses, on the others: it says so itself."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those that train together.

    Attributes:
        rank: Its number, from 0.
        world: How many there are.
        words: Where they exchange what lies in the memory of the hosts; None for where they exchange tensors.
    """

    rank: int = 0
    world: int = 1
    words: distributed.ProcessGroup | None = None

    @property
    def shard(self) -> Shard:
        """The share of this process of what all of them read."""
        return Shard(self.rank, self.world)

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

    def any_of(self, *mine: bool) -> list[bool]:
        """For each of some wishes whether any rank has it; devices go on working meanwhile."""
        if self.world == 1:
            return list(mine)
        wishes = torch.tensor(mine, dtype=torch.uint8)
        distributed.all_reduce(wishes, distributed.ReduceOp.MAX, group=self.words)
        return [bool(wish) for wish in wishes]

    def from_first(self, make: Callable[[], T]) -> T:
        """What the first rank makes, on all ranks.

        Raises:
            UserError: It could not be made; on the other ranks :class:`FirstRefusedError`, with the same message.
        """
        if self.world == 1:
            return make()
        made: list[tuple[T | None, str | None]] = [(None, None)]
        if self.rank == 0:
            try:
                made = [(make(), None)]
            except UserError as error:
                made = [(None, str(error))]
        distributed.broadcast_object_list(made, group=self.words)
        value, refusal = made[0]
        if refusal is not None:
            raise (FirstRefusedError if self.rank else UserError)(refusal)
        return cast("T", value)

    def gathered(self, value: torch.Tensor) -> list[float]:
        """All ranks' numbers, in their order."""
        if self.world == 1:
            return [value.item()]
        values = [torch.empty_like(value) for _ in range(self.world)]
        distributed.all_gather(values, value)
        return [number.item() for number in values]


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
    if sys.platform == "linux" and world > 1:  # nothing listens beyond loopback
        for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
            os.environ.setdefault(name, "lo")
    with met(rank, world, f"file://{meeting}", device) as ranks:
        yield ranks


@contextlib.contextmanager
def met(rank: int, world: int, where: str, device: torch.device) -> Iterator[Ranks]:
    """Meet the other ranks, on any hosts.

    Args:
        rank: Number of this process.
        world: How many processes; one alone meets nobody.
        where: URL of the meeting as torch takes it, such as ``env://``, which torchrun's processes use.
        device: This process's device.
    """
    if world == 1:
        yield Ranks()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        init_method=where,
        rank=rank,
        world_size=world,
        timeout=PATIENCE,
    )
    words = distributed.new_group(backend="gloo") if device.type == "cuda" else None
    yield Ranks(rank, world, cast("distributed.ProcessGroup | None", words))
    distributed.destroy_process_group()
