"""The processes that train one job together, each on its share of every batch."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from torch import distributed

from edgenext_search.data.loading.shard import Shard
from edgenext_search.errors import UserError

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

T = TypeVar("T")
PATIENCE = timedelta(minutes=10)  # with the slowest rank; one that dies is noticed at once


class FirstRefusedError(UserError):
    """A UserError of the first rank, as raised on the others; the first rank reports it."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those that train together.

    Attributes:
        rank: Its number, from 0.
        world: Number of processes.
        gloo_group: Process group for what lies in the memory of the hosts; None for the default group.
    """

    rank: int = 0
    world: int = 1
    gloo_group: distributed.ProcessGroup | None = None

    @property
    def shard(self) -> Shard:
        """The share of this process of what all of them read."""
        return Shard(self.rank, self.world)

    def all_reduce_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Give every rank the sum of all ranks' gradients, in one message.

        The networks are so small that overlapping communication with the backward pass would gain nothing.
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

    def all_reduce(self, values: torch.Tensor) -> torch.Tensor:
        """Replace a tensor by its sum over all ranks, and return it."""
        if self.world > 1:
            distributed.all_reduce(values)
        return values

    def any_rank(self, *flags: bool) -> list[bool]:
        """For each flag whether it is set on any rank; GPUs continue to work meanwhile."""
        if self.world == 1:
            return list(flags)
        values = torch.tensor(flags, dtype=torch.uint8)
        distributed.all_reduce(values, distributed.ReduceOp.MAX, group=self.gloo_group)
        return [bool(value) for value in values]

    def run_on_first(self, make: Callable[[], T]) -> T:
        """Call a function on the first rank and give all ranks what it returns.

        Raises:
            UserError: Raised by the function; on the other ranks :class:`FirstRefusedError`, with the same message.
        """
        if self.world == 1:
            return make()
        made: list[tuple[T | None, str | None]] = [(None, None)]
        if self.rank == 0:
            try:
                made = [(make(), None)]
            except UserError as error:
                made = [(None, str(error))]
        distributed.broadcast_object_list(made, group=self.gloo_group)
        value, refusal = made[0]
        if refusal is not None:
            raise (FirstRefusedError if self.rank else UserError)(refusal)
        return cast("T", value)

    def gather(self, value: T) -> list[T]:
        """What each rank has, by rank."""
        if self.world == 1:
            return [value]
        values = cast("list[T]", [None] * self.world)
        distributed.all_gather_object(values, value, group=self.gloo_group)
        return values

    def all_gather(self, value: torch.Tensor) -> list[float]:
        """The numbers of all ranks, by rank."""
        if self.world == 1:
            return [value.item()]
        values = [torch.empty_like(value) for _ in range(self.world)]
        distributed.all_gather(values, value)
        return [number.item() for number in values]


def differentiable_all_reduce(values: torch.Tensor) -> torch.Tensor:
    """The sum of a tensor over all ranks; gradients flow back to all of them."""
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
def init_local_process_group(rank: int, world: int, rendezvous: Path | None, device: torch.device) -> Iterator[Ranks]:
    """Join the process group of a training on this host alone: NCCL for GPUs, gloo for CPUs.

    Args:
        rank: Number of this process.
        world: Number of processes.
        rendezvous: A file that does not exist yet, the same for all ranks; None for one process alone.
        device: This process's device.
    """
    if sys.platform == "linux" and world > 1:  # nothing listens beyond loopback
        for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
            os.environ.setdefault(name, "lo")
    store = distributed.FileStore(str(rendezvous), world) if world > 1 else None  # type: ignore[attr-defined]
    with init_process_group(rank, world, device, store=store) as ranks:
        yield ranks


@contextlib.contextmanager
def init_process_group(rank: int, world: int, device: torch.device, *, store: Store | None = None) -> Iterator[Ranks]:
    """Join the process group of a training on any hosts.

    Args:
        rank: Number of this process.
        world: Number of processes; a single one needs no group.
        device: This process's device.
        store: Where the processes meet; None for what torchrun says in the environment.
    """
    if world == 1:
        yield Ranks()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        store=store,
        rank=rank,
        world_size=world,
        timeout=PATIENCE,
    )
    gloo_group = distributed.new_group(backend="gloo") if device.type == "cuda" else None
    yield Ranks(rank, world, cast("distributed.ProcessGroup | None", gloo_group))
    distributed.destroy_process_group()
