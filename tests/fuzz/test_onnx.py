"""Whatever an ONNX file holds, a command that takes one ends with a result or with one message."""

import numpy as np
import onnx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from model_folders import save_network
from onnx import TensorProto, helper, numpy_helper

from .commands import examples, written
from .inputs import damaged

CLASSES = ("black", "blue", "green", "red", "white", "yellow")
KINDS = sorted(TensorProto.DataType.values())
CLASSIFIER = [
    ("GlobalAveragePool", ["image"], ["m"]),
    ("Flatten", ["m"], ["f"]),
    ("Gemm", ["f", "w"], ["logits"]),
]
NODES = {
    "classifier": CLASSIFIER,
    "integers": [*CLASSIFIER[:2], ("ArgMax", ["f"], ["logits"])],
    "three classes": [*CLASSIFIER[:1], ("Flatten", ["m"], ["logits"])],
    "one row": [*CLASSIFIER[:2], ("Gemm", ["f", "w"], ["g"]), ("ReduceMean", ["g"], ["logits"])],
    "same": [("Identity", ["image"], ["logits"])],
    "shape": [("Shape", ["image"], ["logits"])],
    "sequence": [("SequenceConstruct", ["image", "image"], ["logits"])],
    "not finite": [
        *CLASSIFIER[:2],
        ("Gemm", ["f", "w"], ["g"]),
        ("Sub", ["g", "g"], ["z"]),
        ("Div", ["z", "z"], ["logits"]),
    ],
    "huge": [("ConstantOfShape", ["long"], ["logits"])],
    "texts": [("Cast", ["image"], ["logits"])],
    "unknown": [("NoSuchOperator", ["image"], ["logits"])],
    "circle": [("Add", ["image", "logits"], ["logits"])],
    "missing": [("Relu", ["nothing"], ["logits"])],
    "none": [],
}
ATTRIBUTES = {"Cast": {"to": TensorProto.STRING}}


def network(
    *,
    nodes="classifier",
    inputs=(("image", TensorProto.FLOAT, ["b", 3, 32, 32]),),
    output=(TensorProto.FLOAT, ["b", 6]),
    names=("logits",),
    opset=17,
    version=8,
    domain="",
    external="",
):
    """An ONNX file, which need not be valid."""
    made = [
        helper.make_node(kind, *between, domain=domain, **ATTRIBUTES.get(kind, {})) for kind, *between in NODES[nodes]
    ]
    weights = [
        numpy_helper.from_array(np.linspace(-1, 1, 18, dtype=np.float32).reshape(3, 6), "w"),
        numpy_helper.from_array(np.array([2**40]), "long"),
    ]
    if external:
        onnx.external_data_helper.set_external_data(weights[0], location=external)
        weights[0].ClearField("raw_data")
    given_inputs = [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs]
    outputs = [helper.make_tensor_value_info(name, *output) for name in names]
    graph = helper.make_graph(made, "graph", given_inputs, outputs, weights)
    opsets = [helper.make_opsetid(domain, opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=version).SerializeToString()


SHAPES = (["b", 3, 32, 32], ["b", 32, 32, 3], [4, 3, 16, 16], [1, 3, "h", "w"])
LENGTHS = (3, 32, "b", 1, 2, 0, "", -1, 2**40)


def networks():
    """ONNX files of odd shapes, types, operators and versions, some of them damaged as well."""
    shapes = st.sampled_from(SHAPES) | st.lists(st.sampled_from(LENGTHS), max_size=5)
    kinds = st.sampled_from((TensorProto.FLOAT, TensorProto.UINT8, TensorProto.FLOAT16)) | st.sampled_from(KINDS)
    options = {
        "nodes": st.sampled_from(sorted(NODES)),
        "inputs": st.lists(st.tuples(st.sampled_from(("image", "image", "other", "")), kinds, shapes), max_size=2),
        "output": st.tuples(kinds, shapes),
        "names": st.lists(st.sampled_from(("logits", "image", "m", "w", "nothing", "")), max_size=2),
        "opset": st.sampled_from((0, 1, 7, 13, 21, 99, 2**31)),
        "version": st.sampled_from((0, 1, 3, 10, 99, 2**40)),
        "domain": st.sampled_from(("ai.onnx.ml", "com.example")),
        "external": st.sampled_from(("weights.bin", "../weights.bin", "/etc/passwd", "m.onnx")),
    }
    few = st.lists(st.sampled_from(sorted(options)), min_size=1, max_size=2, unique=True)
    odd = few.flatmap(lambda names: st.fixed_dictionaries({name: options[name] for name in names}))
    odd = odd.map(lambda chosen: network(**chosen))
    return odd | odd.flatmap(damaged) | damaged(network()) | st.binary(max_size=50)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_network(tmp_path_factory.mktemp("onnx") / "model", CLASSES)


@examples(30)
@given(content=networks())
@example(content=network(nodes="not finite"))
@example(content=network(inputs=[("image", TensorProto.FLOAT, ["b", 3, 2**40, 2**40])]))
@example(content=network(inputs=[("image", TensorProto.FLOAT, ["b", 3, 0, 0])]))
def test_evaluation(here, folder, photos, content):
    file = written("m.onnx", content)
    here.ends_well("evaluate", folder, "--data", photos, "--onnx", file, "--workers=0", "--batch-size=20", "--json")


@examples(3)
@given(content=networks())
def test_measurement(here, content):
    file = written("m.onnx", content)
    here.ends_well("latency", "measure", file, "--reference=none", "--seconds=0.02", "--json")


OTHERS = (("evaluate", "--data=x"), ("export",), ("cost",), ("import", "--out=out"))


@examples(5)
@given(content=networks(), command=st.sampled_from(OTHERS))
def test_where_another_file_is_expected(here, content, command):
    here.ends_well(*command, written("m.onnx", content), codes=(2,))
