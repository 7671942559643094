"""The learning rate of every step, in closed form: a resumed training needs no state for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

Schedule = Callable[[int], float]
"""Learning rate of a step, counted from 0 over the whole training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmupCosine:
    """Linear warm-up from zero, then a cosine, as in the EdgeNeXt repository (``utils.cosine_scheduler``).

    With W warm-up steps of T, step t has ``lr * t / (W - 1)`` below W, and from there on
    ``min_lr + (lr - min_lr) / 2 * (1 + cos(pi * (t - W) / (T - W)))``.

    Attributes:
        lr: Peak learning rate, reached in the last step of the warm-up.
        min_lr: What the cosine falls to; the last step is one before it.
        total: Steps of the training.
        warmup: Steps of the warm-up.
    """

    lr: float
    min_lr: float
    total: int
    warmup: int

    def __call__(self, step: int) -> float:
        """Learning rate of a step, from 0 to ``total - 1``."""
        if step < self.warmup:
            return self.lr * (step / max(self.warmup - 1, 1))
        share = (step - self.warmup) / (self.total - self.warmup)
        return self.min_lr + 0.5 * (self.lr - self.min_lr) * (1 + math.cos(math.pi * share))


@dataclass(frozen=True, slots=True, kw_only=True)
class RungWarmupCosine:
    """The schedule of a rung: a linear warm-up that never is zero, over the beginning of a cosine to zero.

    With W warm-up steps of T, the rate rises by equal steps from ``lr / (W + 1)``, and from step W on it is
    ``lr / 2 * (1 + cos(pi * t / T))``: timm's ``CosineLRScheduler``.

    Attributes:
        lr: Peak learning rate.
        first: Number of the rung's first step in the whole training.
        total: Steps of the rung.
        warmup: Steps of the warm-up.
    """

    lr: float
    first: int
    total: int
    warmup: int

    def __call__(self, step: int) -> float:
        """Learning rate of a step, from ``first`` to ``first + total - 1``."""
        step -= self.first
        if step < self.warmup:
            lowest = self.lr / (self.warmup + 1)
            return lowest + step * ((self.lr - lowest) / self.warmup)
        return 0.5 * self.lr * (1 + math.cos(math.pi * step / self.total))


def scaled_lr(lr: float, *, batch_size: int, lr_batch_size: int) -> float:
    """Peak learning rate of another batch size, by the linear rule (Goyal et al., arXiv 1706.02677).

    Args:
        lr: Learning rate for batches of ``lr_batch_size`` images.
        batch_size: Images of a step, over all processes and accumulated parts.
        lr_batch_size: The batch size that ``lr`` was chosen for.
    """
    return lr * batch_size / lr_batch_size
