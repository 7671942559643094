"""Batch norms whose statistics are those of the whole batch when several processes share it, on CPUs and GPUs alike."""

from __future__ import annotations

import torch
from torch import nn

from edgenext_search.training.engine.distributed import sum_over_ranks


class SharedBatchNorm2d(nn.BatchNorm2d):
    """``nn.BatchNorm2d`` with mean and variance over all ranks; torch's SyncBatchNorm needs a GPU."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[b, c, h, w] to the same; each rank may have another b."""
        if not self.training:
            return super().forward(x)
        values = x.float()
        count = values.new_full((1,), x.numel() / x.shape[1])
        total = sum_over_ranks(torch.cat([values.sum((0, 2, 3)), count]))
        n = total[-1].detach()
        mean = total[:-1] / n
        centred = values - mean.view(1, -1, 1, 1)
        variance = sum_over_ranks(centred.square().sum((0, 2, 3))) / n
        assert self.running_mean is not None  # noqa: S101 - these networks' batch norms track their statistics
        assert self.running_var is not None  # noqa: S101
        assert self.num_batches_tracked is not None  # noqa: S101
        momentum = self.momentum or 0.0
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * (n / (n - 1)), momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        normed: torch.Tensor = centred * scale.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)
        return normed.to(x.dtype)


def share_statistics(model: nn.Module) -> None:
    """Turn the batch norms of a network into such, in place; names and values of its state stay."""
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SharedBatchNorm2d
