"""Candidates as timm networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgenext_search.arch.candidate import Candidate

if TYPE_CHECKING:
    from torch import nn

# The entry point of timm whose arguments a candidate overrides. All of them build the same class.
TIMM_ARCHITECTURE = "edgenext_xx_small"


def timm_args(candidate: Candidate) -> dict[str, Any]:
    """The candidate in the words of ``timm.models.edgenext.EdgeNeXt``."""
    return {
        "dims": candidate.widths,
        "depths": candidate.depths,
        "kernel_sizes": candidate.kernel_sizes,
        "d2_scales": candidate.sdta_splits,
        "global_block_counts": candidate.sdta_blocks,
        "heads": candidate.heads,
        "expand_ratio": candidate.expand_ratio,
        "use_pos_emb": candidate.pos_emb,
    }


def candidate_of(args: dict[str, Any]) -> Candidate:
    """The candidate that :func:`timm_args` wrote, with timm's defaults where an argument is missing."""
    return Candidate(
        widths=tuple(args.get("dims", (24, 48, 88, 168))),
        depths=tuple(args.get("depths", (2, 2, 6, 2))),
        kernel_sizes=tuple(args.get("kernel_sizes", (3, 5, 7, 9))),
        sdta_splits=tuple(args.get("d2_scales", (2, 2, 3, 4))),
        sdta_blocks=tuple(args.get("global_block_counts", (0, 1, 1, 1))),
        heads=tuple(args.get("heads", (4, 4, 4, 4))),
        expand_ratio=int(args.get("expand_ratio", 4)),
        pos_emb=tuple(args.get("use_pos_emb", (False, True, False, False))),
    )


def build(
    candidate: Candidate, *, num_classes: int, drop_path: float = 0.0, layer_scale_init: float = 1e-6
) -> nn.Module:
    """The candidate as an untrained timm EdgeNeXt.

    Args:
        candidate: The network.
        num_classes: Outputs of the classifier.
        drop_path: Largest stochastic-depth rate; it grows linearly from 0 over the blocks.
        layer_scale_init: First value of every layer scale (1e-6 in the paper).

    Returns:
        A module from images [batch, 3, height, width] to logits [batch, num_classes].
    """
    import timm

    args = timm_args(candidate)
    model: nn.Module = timm.create_model(
        TIMM_ARCHITECTURE,
        pretrained=False,
        num_classes=num_classes,
        drop_path_rate=drop_path,
        ls_init_value=layer_scale_init,
        **args,
    )
    return model
