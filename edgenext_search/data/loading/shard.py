"""The share of one process among those that read the same images."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shard:
    """One process among those that share every batch.

    Attributes:
        rank: Number of this process, below ``world``.
        world: Number of processes.

    Raises:
        ValueError: ``rank`` is not below ``world``.
    """

    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world:
            raise ValueError(
                f"processes are numbered from 0 to world - 1, but rank is {self.rank} and world {self.world}"
            )

    @property
    def slice(self) -> slice:
        """Every ``world``-th item, beginning with number ``rank``."""
        return slice(self.rank, None, self.world)
