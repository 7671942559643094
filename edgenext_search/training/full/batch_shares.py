"""How a batch of the optimizer is shared out among processes and accumulated parts."""

from __future__ import annotations

from dataclasses import dataclass

from edgenext_search.errors import UserError
from edgenext_search.texts import counted

MOST_AT_ONCE = {"cuda": 256, "cpu": 64}
"""Images that a process takes through the network at once unless told otherwise; 256 is the published recipe's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchShares:
    """The parts of one step of the optimizer: ``world * accumulate`` parts of ``each`` images.

    Attributes:
        each: Images that a process takes through the network at once, at the recipe's image size.
        world: Number of processes.
        accumulate: Parts whose gradients each process adds up.
    """

    each: int
    world: int
    accumulate: int

    @property
    def total(self) -> int:
        """Images of a step."""
        return self.each * self.world * self.accumulate

    def __str__(self) -> str:
        parts = f"{counted(self.each, 'image')} x {counted(self.world, 'process', 'processes')}"
        return parts + (f" x {self.accumulate} accumulated" if self.accumulate > 1 else "")


def share_batch(batch_size: int, *, world: int, each: int | None, accumulate: int | None, device: str) -> BatchShares:
    """Share out a batch, or build one from given shares.

    Args:
        batch_size: Images of a step by the recipe; ignored where ``each`` is given.
        world: Number of processes.
        each: Images of a process at once; None for as many as the recipe's batch and :data:`MOST_AT_ONCE` allow.
        accumulate: Parts that each process adds up; None for the smallest possible number.
        device: ``cpu`` or ``cuda``.

    Raises:
        UserError: The recipe's batch cannot be shared equally.
    """
    if each is not None:
        return BatchShares(each=each, world=world, accumulate=accumulate or 1)
    parts = accumulate or next(
        (
            n
            for n in range(1, batch_size + 1)
            if batch_size % (world * n) == 0 and batch_size // (world * n) <= MOST_AT_ONCE[device]
        ),
        0,
    )
    if not parts or batch_size % (world * parts):
        among = f"{world} processes" + (f" x --accumulate {accumulate}" if accumulate else "")
        raise UserError(
            f"train.batch_size must be a multiple of {among}, but is {batch_size}; give --batch-size, the images of a "
            "process at once, instead: the learning rate is scaled along."
        )
    return BatchShares(each=batch_size // (world * parts), world=world, accumulate=parts)
