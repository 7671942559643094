"""Batch norms with statistics of the whole batch when several processes share it, on CPUs and GPUs alike."""

from __future__ import annotations

import torch
from torch import nn

from edgenext_search.training.engine.distributed import differentiable_all_reduce


class SyncBatchNorm2d(nn.BatchNorm2d):
    """``nn.BatchNorm2d`` with mean and variance over all ranks; torch's SyncBatchNorm needs a GPU.

    The networks' batch norms always track their statistics.
    """

    running_mean: torch.Tensor
    running_var: torch.Tensor
    num_batches_tracked: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[b, c, h, w] to the same shape; b may differ between ranks."""
        if not self.training:
            return super().forward(x)
        values = x.float()
        count = values.new_full((1,), x.numel() / x.shape[1])
        total = differentiable_all_reduce(torch.cat([values.sum((0, 2, 3)), count]))
        n = total[-1].detach()
        mean = total[:-1] / n
        centred = values - mean.view(1, -1, 1, 1)
        variance = differentiable_all_reduce(centred.square().sum((0, 2, 3))) / n
        momentum = self.momentum or 0.0
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * (n / (n - 1)), momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        normed: torch.Tensor = centred * scale.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)
        return normed.to(x.dtype)


def convert_sync_batchnorm(model: nn.Module) -> None:
    """Convert the batch norms of a network in place; names and values of its state stay."""
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SyncBatchNorm2d
