import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from edgenext_search.errors import UserError
from edgenext_search.models.export import Normalisation
from edgenext_search.training.evaluation.onnx_network import OnnxNetwork

GREY = Normalisation(mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.5))


def mean_colours(path, shape, kind=TensorProto.FLOAT, axes=(2, 3), keep=0):
    """A file whose logits are the mean of each channel."""
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["logits"], axes=list(axes), keepdims=keep),
    ]
    graph = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info("image", kind, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [shape[0], 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path


def images(n, side=8):
    pixels = torch.randint(256, (n, 3, side, side), generator=torch.Generator().manual_seed(n))
    return pixels, GREY.apply(pixels)


@pytest.mark.parametrize(
    ("shape", "size"),
    [((1, 3, 8, 8), 8), ((4, 3, 8, 8), 8), (("b", 3, 8, 8), 8), (("b", 3, "h", "w"), None)],
    ids=["one image", "four at once", "any number", "any size"],
)
@pytest.mark.parametrize("n", [1, 4, 6])
def test_a_batch_goes_through_in_the_parts_that_the_file_takes(tmp_path, shape, size, n):
    network = OnnxNetwork(mean_colours(tmp_path / "m.onnx", shape), GREY)
    assert network.img_size == size
    _, given = images(n)
    logits = network(given)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, given.mean((2, 3)), rtol=0, atol=1e-5)


def test_a_file_of_bytes_sees_the_very_pixels(tmp_path):
    network = OnnxNetwork(mean_colours(tmp_path / "m.onnx", (1, 8, 8, 3), TensorProto.UINT8, (1, 2)), GREY)
    pixels, given = images(5)
    torch.testing.assert_close(network(given), pixels.double().mean((2, 3)).float(), rtol=0, atol=1e-4)


def test_half_precision_comes_back_in_full(tmp_path):
    network = OnnxNetwork(mean_colours(tmp_path / "m.onnx", (1, 3, 8, 8), TensorProto.FLOAT16), GREY)
    _, given = images(3)
    torch.testing.assert_close(network(given), given.half().float().mean((2, 3)), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "kind", "said"),
    [
        ((1, 4, 8, 8), TensorProto.FLOAT, r"a float image \[b, 3, h, w\] .* but has image \(float\)\[1, 4, 8, 8\]"),
        ((1, 3, 8, 8), TensorProto.INT8, r"but has image \(int8\)\[1, 3, 8, 8\]"),
        ((1, 3, 8, 8), TensorProto.UINT8, r"uint8 one \[b, h, w, 3\], but has image \(uint8\)\[1, 3, 8, 8\]"),
        ((1, 3, 8, 6), TensorProto.FLOAT, "must take square images, but takes 8x6 px"),
    ],
)
def test_other_inputs_are_refused(tmp_path, shape, kind, said):
    with pytest.raises(UserError, match=said):
        OnnxNetwork(mean_colours(tmp_path / "m.onnx", shape, kind), GREY)


@pytest.mark.parametrize(
    ("shape", "axes", "keep", "said"),
    [
        (
            ("b", 3, 8, 8),
            (2, 3),
            1,
            r"must answer 2 images .* output is float32 \[2, 3, 1, 1\]",
        ),
        (("b", 3, 8, 8), (0, 2, 3), 0, r"its output is float32 \[3\]"),
        (("b", 3, 8, 8), (0, 3), 0, r"its output is float32 \[3, 8\]"),
        (("b", 3, 8, 8), (9,), 0, r"ONNX Runtime cannot run "),
    ],
)
def test_other_outputs_are_refused(tmp_path, shape, axes, keep, said):
    with pytest.raises(UserError, match=said):
        OnnxNetwork(mean_colours(tmp_path / "m.onnx", shape, axes=axes, keep=keep), GREY)(images(2)[1])


def test_a_file_without_inputs_is_refused(tmp_path):
    path = mean_colours(tmp_path / "m.onnx", (1, 3, 8, 8))
    model = onnx.load(path)
    del model.graph.input[:], model.graph.node[:]
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros((1, 3), np.float32), "logits"))
    onnx.save(model, path)
    with pytest.raises(UserError, match=r"must have one input, .* but has none"):
        OnnxNetwork(path, GREY)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="There is no ONNX file"):
        OnnxNetwork(tmp_path / "none.onnx", GREY)
    path = tmp_path / "text.onnx"
    path.write_text("no network")
    with pytest.raises(UserError, match=f"ONNX Runtime cannot run {path}: ") as caught:
        OnnxNetwork(path, GREY)
    assert "\n" not in str(caught.value)
