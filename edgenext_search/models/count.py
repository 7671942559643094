"""The costs of a built network by measurement: the independent check of the closed form."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from edgenext_search.arch.blocks import IN_CHANNELS
from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment
from edgenext_search.models.build import build

if TYPE_CHECKING:
    from torch import Tensor, nn

# Operators of EdgeNeXt that do no multiply-adds by the published convention. Any other one is an error.
_FREE = {
    "aten::add", "aten::add_", "aten::clamp_min", "aten::cos", "aten::cumsum", "aten::div", "aten::expand_as",
    "aten::gelu", "aten::hardswish", "aten::linalg_vector_norm", "aten::mul", "aten::bitwise_not", "aten::pow",
    "aten::rsub", "aten::sin", "aten::softmax",
}  # fmt: skip


def measure(candidate: Candidate, deployment: Deployment) -> dict[str, int]:
    """Parameters, multiply-adds and activations, counted on the built network in the published convention.

    The multiply-adds are fvcore's, less those of the channel-first LayerNorm in stem and downsampling layers and
    of the global pool; the activations are what convolutions and linear layers give out in a forward pass.

    Raises:
        RuntimeError: The network has an operator that fvcore does not count and that is not known to be free.
    """
    model = build(candidate, num_classes=deployment.num_classes).eval()
    params = sum(parameter.numel() for parameter in model.parameters())
    acts = _acts(model, deployment)
    return {"params": params, "madds": _madds(model, deployment), "acts": acts}


def _image(deployment: Deployment) -> Tensor:
    import torch

    return torch.zeros(1, IN_CHANNELS, deployment.img_size, deployment.img_size)


def _madds(model: nn.Module, deployment: Deployment) -> int:
    from fvcore.nn import FlopCountAnalysis

    logging.getLogger("fvcore.nn.jit_analysis").setLevel(logging.ERROR)  # it warns of what is checked below
    analysis = FlopCountAnalysis(model, _image(deployment))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    total = analysis.total()
    uncounted = sorted(set(analysis.unsupported_ops()) - _FREE)
    if uncounted:
        raise RuntimeError(f"fvcore does not count the operators {', '.join(uncounted)}, and they may not be free.")
    by_module = analysis.by_module()
    kinds = {name: type(module).__name__ for name, module in model.named_modules()}
    outside = [name for name, kind in kinds.items() if kind == "LayerNorm2d" and not name.startswith("head.")]
    return int(total - sum(by_module[name] for name in [*outside, "head.global_pool"]))


def _acts(model: nn.Module, deployment: Deployment) -> int:
    import torch
    from torch import nn

    total = 0

    def add(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal total
        total += output.numel()

    hooks = [m.register_forward_hook(add) for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    with torch.inference_mode():
        model(_image(deployment))
    for hook in hooks:
        hook.remove()
    return total
