"""Peak activation memory of a built network by measurement: the independent check of the closed form."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx, nn

from edgenext_search.arch.blocks import IN_CHANNELS, PATCH
from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment
from edgenext_search.models.build import build


def measure_memory(candidate: Candidate, deployment: Deployment) -> int:
    """Peak bytes of the activations of one image, by running the network's graph an operator at a time.

    The graph is torch.export's. Every tensor is dropped after the last operator that reads it; after each operator
    the storages that are alive are added up. Weights, the image and the positional encoding do not count.
    """
    graph, image = deployed_graph(candidate, deployment)
    watcher = _Watcher(graph)
    with torch.inference_mode():
        watcher.run(image)
    return watcher.peak


def deployed_graph(candidate: Candidate, deployment: Deployment) -> tuple[fx.GraphModule, Tensor]:
    """The network as a graph for one image of fixed size, its positional encodings constants; and such an image.

    Returns:
        The graph of a network in evaluation mode, and float32 [1, 3, img_size, img_size].
    """
    model: Any = build(candidate, num_classes=deployment.num_classes).eval()
    image = torch.zeros(1, IN_CHANNELS, deployment.img_size, deployment.img_size)
    side = deployment.img_size // PATCH
    with torch.no_grad():
        for stage in model.stages:
            side = side if isinstance(stage.downsample, nn.Identity) else side // 2
            for block in stage.blocks:
                if getattr(block, "pos_embd", None) is not None:
                    block.pos_embd = _Constant(block.pos_embd((1, side, side)))
        graph: Any = torch.export.export(model, (image,)).module()
    return graph, image


class _Constant(nn.Module):
    """Gives out one tensor, whatever it is called with."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.register_buffer("value", value)

    def forward(self, _shape: object) -> Any:  # noqa: ANN401 - torch does not know what buffers are
        return self.value


class _Watcher(fx.Interpreter):
    """Runs a graph and keeps the most bytes that its operators' results took at any time."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.peak = 0

    def run_node(self, n: fx.Node) -> Any:  # noqa: ANN401 - whatever the operator gives
        result = super().run_node(n)
        if n.op == "call_function":
            # The interpreter has not yet dropped what this operator read last, so inputs and output are both here.
            alive = [value for node, value in self.env.items() if node.op == "call_function"]
            storages = {storage.data_ptr(): storage.nbytes() for storage in _storages([*alive, result])}
            self.peak = max(self.peak, sum(storages.values()))
        return result


def _storages(values: list[Any]) -> list[Any]:
    flat = [item for value in values for item in (value if isinstance(value, (list, tuple)) else [value])]
    return [item.untyped_storage() for item in flat if isinstance(item, Tensor)]
