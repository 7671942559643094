"""A single stage as a small ONNX model, in which its blocks make up most of the time."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from edgenext_search.arch.blocks import IN_CHANNELS, PATCH
from edgenext_search.arch.candidate import STAGES, Candidate
from edgenext_search.arch.cost import Deployment


def export_stage(candidate: Candidate, stage: int, deployment: Deployment, path: Path, *, seed: int = 0) -> None:
    """Export one stage of a network with random weights as ONNX, in the same way as whole networks.

    Networks are cut into stages, not blocks, because runtimes fuse operators and lay out tensors across blocks; within
    a stage they do so as in the network.

    Args:
        candidate: The network.
        stage: Number of the stage, from 1. The first takes the image, the last gives logits.
        deployment: Number of classes and image size of the network.
        path: File to write; its input is ``image`` float32 [1, channels, side, side], its output ``features``.
        seed: Seed of the weights, which do not affect the time.
    """
    import torch
    from torch import nn

    from edgenext_search.models.build import build
    from edgenext_search.models.fold import fold_batch_norms
    from edgenext_search.models.measurable import OPSET

    channels, side = IN_CHANNELS, deployment.img_size
    if stage > 1:
        channels, side = candidate.widths[stage - 2], side // PATCH >> (stage - 2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(candidate, num_classes=deployment.num_classes).eval()
        features = torch.randn(1, channels, side, side)
    folded: Any = fold_batch_norms(network)  # the modules of timm's networks are not typed
    parts = [folded.stages[stage - 1]]
    if stage == 1:
        parts.insert(0, folded.stem)
    if stage == STAGES:
        parts += [folded.norm_pre, folded.head]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # see export_for_measuring
        torch.onnx.export(
            nn.Sequential(*parts).eval(),
            (features,),
            str(path),
            input_names=["image"],
            output_names=["features"],
            opset_version=OPSET,
            dynamo=False,
        )
