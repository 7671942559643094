"""Candidates as timm networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgenext_search.arch.candidate import STAGES, Candidate, NormAct
from edgenext_search.arch.published import published_variant
from edgenext_search.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

# The entry point of timm whose arguments a candidate overrides. All of one norm_act build the same class.
TIMM_ARCHITECTURE: dict[NormAct, str] = {"ln_gelu": "edgenext_xx_small", "bn_hs": "edgenext_xx_small_bn_hs"}

# Arguments of timm's EdgeNeXt that make other blocks than the paper's, with the paper's values.
_PAPER_ARGS = {"in_chans": 3, "downsample_block": False, "conv_bias": True, "stem_type": "patch"}


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


def candidate_of(args: Mapping[str, Any], *, architecture: str) -> Candidate:
    """The candidate that timm builds as ``architecture`` when these of its arguments are overridden.

    Raises:
        UserError: The architecture is not a published EdgeNeXt, an argument asks for blocks that are not the
            paper's, or the candidate is not legal.
    """
    for name, paper in _PAPER_ARGS.items():
        if args.get(name, paper) != paper:
            raise UserError(f"{name} must be {paper!r}, as in the published networks, but got {args[name]!r}.")
    published = published_variant(architecture).candidate
    default = timm_args(published) | {"heads": published.heads[-1:] * STAGES}  # timm has the heads in stage 1 too
    merged = default | {name: args[name] for name in default if name in args}
    return Candidate(
        widths=merged["dims"],
        depths=merged["depths"],
        kernel_sizes=merged["kernel_sizes"],
        sdta_splits=merged["d2_scales"],
        sdta_blocks=merged["global_block_counts"],
        heads=merged["heads"],
        expand_ratio=merged["expand_ratio"],
        pos_emb=merged["use_pos_emb"],
        norm_act=published.norm_act,
    )


def build(
    candidate: Candidate,
    *,
    num_classes: int,
    drop_path: float = 0.0,
    dropout: float = 0.0,
    layer_scale_init: float = 1e-6,
) -> nn.Module:
    """The candidate as an untrained timm EdgeNeXt.

    Args:
        candidate: The network.
        num_classes: Outputs of the classifier.
        drop_path: Largest stochastic-depth rate; it grows linearly from 0 over the blocks.
        dropout: Dropout before the classifier.
        layer_scale_init: First value of every layer scale (1e-6 in the paper).

    Returns:
        A module from images [batch, 3, height, width] to logits [batch, num_classes].
    """
    import timm

    if candidate.norm_act == "bn_hs":
        import edgenext_search.models.bn_hs  # noqa: F401 - registers the network with timm

    args = timm_args(candidate)
    model: nn.Module = timm.create_model(
        TIMM_ARCHITECTURE[candidate.norm_act],
        pretrained=False,
        num_classes=num_classes,
        drop_path_rate=drop_path,
        drop_rate=dropout,
        ls_init_value=layer_scale_init,
        **args,
    )
    return model
