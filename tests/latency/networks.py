"""Small ONNX networks to be timed, of known order."""

import itertools

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def convolutions(path, count, channels=16, side=32):
    """``count`` 3x3 convolutions one after the other; image [1, channels, side, side]."""
    shape = [1, channels, side, side]
    weight = np.random.default_rng(0).standard_normal((channels, channels, 3, 3)).astype(np.float32) / 12
    names = ["image", *(f"x{number}" for number in range(1, count)), "logits"]
    nodes = [
        helper.make_node("Conv", [ours, "weight"], [theirs], pads=[1, 1, 1, 1])
        for ours, theirs in itertools.pairwise(names)
    ]
    graph = helper.make_graph(
        nodes,
        "convolutions",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(weight, "weight")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path
