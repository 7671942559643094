from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from strategies import tiny
from torch import nn

from edgenext_search.models import export
from edgenext_search.models.build import build
from edgenext_search.models.export import ExportError, export_onnx

SMALL = tiny(depths=(1, 1, 1, 2), sdta_blocks=(0, 1, 0, 1))


class Linear(nn.Module):
    """The smallest network there is; ``then`` is what happens to its logits."""

    def __init__(self, then=lambda logits: logits):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(3, 2)
        self.then = then

    def forward(self, image):
        return self.then(self.fc(self.pool(image).flatten(1)))


def test_a_candidate_as_onnx_computes_the_same(tmp_path):
    torch.manual_seed(0)
    model = build(SMALL, num_classes=5, layer_scale_init=0.5).eval()
    path = tmp_path / "model.onnx"
    difference = export_onnx(model, path, img_size=64)
    assert 0 <= difference < 1e-4

    onnx.checker.check_model(onnx.load(path))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (image,), (logits,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.shape) == ("image", [1, 3, 64, 64])
    assert (logits.name, logits.shape) == ("logits", [1, 5])
    other = np.random.default_rng(7).standard_normal((1, 3, 64, 64)).astype(np.float32)  # not the checked image
    with torch.inference_mode():
        expected = model(torch.from_numpy(other)).numpy()
    np.testing.assert_allclose(session.run(None, {"image": other})[0], expected, atol=1e-4)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]  # weights are inside


def test_the_file_names_no_path_of_this_machine(tmp_path):
    path = tmp_path / "model.onnx"
    export_onnx(build(SMALL, num_classes=5).eval(), path, img_size=64)
    assert str(Path(export.__file__).parents[1]).encode() not in path.read_bytes()
    assert b".py" not in path.read_bytes()


def test_the_file_can_be_quantized(tmp_path):
    from onnxruntime.quantization import quantize_dynamic

    path, small = tmp_path / "model.onnx", tmp_path / "int8.onnx"
    export_onnx(build(SMALL, num_classes=5).eval(), path, img_size=64)
    graph = onnx.load(path).graph
    assert not {tensor.name for tensor in graph.initializer} & {value.name for value in graph.value_info}
    quantize_dynamic(path, small)  # refuses files that say two things of a weight's shape
    assert small.stat().st_size < path.stat().st_size


@pytest.mark.parametrize(
    ("then", "difference"),
    [
        (lambda logits: logits + 1 if torch.compiler.is_compiling() else logits, "1"),  # another network is written
        (lambda logits: logits * float("nan"), "nan"),  # equal in both, and still no number to trust
    ],
    ids=["other network", "not a number"],
)
def test_a_wrong_onnx_is_an_error_and_leaves_no_file(tmp_path, then, difference):
    with pytest.raises(ExportError, match=rf"must equal torch's to 0\.001, but differ by {difference}"):
        export_onnx(Linear(then).eval(), tmp_path / "model.onnx", img_size=32)
    assert list(tmp_path.iterdir()) == []


def test_the_tolerance_decides(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(ExportError, match="differ by"):
        export_onnx(Linear().eval(), tmp_path / "model.onnx", img_size=32)
    assert list(tmp_path.iterdir()) == []


def test_says_nothing_while_it_works(tmp_path, capfd):
    export_onnx(Linear().eval(), tmp_path / "model.onnx", img_size=32)
    assert capfd.readouterr() == ("", "")
