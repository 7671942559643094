"""Accuracy and loss of networks on labelled images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from edgenext_search.training.engine.loader import Batch

TOP_K = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Accuracy and loss of a network on labelled images.

    Attributes:
        top1: Share of the images whose class comes first, in [0, 1].
        loss: Mean cross-entropy, without label smoothing, in nats.
        top5: Share of the images whose class is among the first five, in [0, 1].
    """

    top1: float
    loss: float
    top5: float


def score_networks(
    networks: Sequence[nn.Module],
    batches: Iterable[Batch],
    *,
    device: torch.device,
    micro_batch: int | None = None,
    layout: torch.memory_format = torch.contiguous_format,
    all_reduce: Callable[[torch.Tensor], torch.Tensor] = lambda sums: sums,
) -> list[Evaluation]:
    """Evaluate networks on the same images, which are loaded once.

    Args:
        networks: Modules from images [b, 3, h, w] to logits [b, classes]; they are put into evaluation mode.
        batches: This process's images and their labels int64 [b]; a batch may be empty.
        device: Where networks and images lie.
        micro_batch: Most images that go through a network at once; None for a whole batch.
        layout: Memory layout of the images.
        all_reduce: Sums a tensor over all processes.

    Returns:
        The evaluation of each network on the images of all processes.
    """
    for network in networks:
        network.eval()
    sums = torch.zeros(len(networks), 4, dtype=torch.float64, device=device)
    with torch.inference_mode():
        for images, labels in batches:
            size = micro_batch or max(1, len(labels))
            for start in range(0, len(labels), size):
                part = images[start : start + size].contiguous(memory_format=layout)
                wanted = labels[start : start + size]
                for network, row in zip(networks, sums, strict=True):
                    logits = network(part).float()
                    row[0] += (logits.argmax(1) == wanted).sum()
                    row[1] += functional.cross_entropy(logits, wanted, reduction="sum")
                    row[2] += (logits.topk(min(TOP_K, logits.shape[1])).indices == wanted[:, None]).sum()
                    row[3] += len(wanted)
    return [
        Evaluation(top1=right / count, loss=loss / count, top5=among / count)
        for right, loss, among, count in all_reduce(sums).tolist()
    ]
