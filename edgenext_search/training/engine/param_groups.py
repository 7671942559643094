"""Which parameters weight decay acts on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

NO_DECAY = "no_decay"
DECAY = "decay"


def decays(name: str, parameter: nn.Parameter) -> bool:
    """Whether weight decay acts on a parameter: on kernels and matrices alone.

    Norms, biases and layer scales are vectors; the temperatures of the attention, [heads, 1, 1], scale as norms do.
    """
    return parameter.ndim > 1 and not name.endswith((".bias", ".temperature"))


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The parameters of a network in two groups for its optimizer, in the order of its layers.

    Args:
        model: The network.
        weight_decay: Of the group ``decay``; that of ``no_decay`` is zero.
    """
    groups: dict[str, list[nn.Parameter]] = {NO_DECAY: [], DECAY: []}
    for name, parameter in model.named_parameters():
        groups[DECAY if decays(name, parameter) else NO_DECAY].append(parameter)
    return [
        {"name": name, "params": parameters, "weight_decay": weight_decay if name == DECAY else 0.0}
        for name, parameters in groups.items()
    ]
