import shutil

import numpy as np
import onnxruntime
import pytest
import timm
import torch
from model_folders import save_network
from PIL import Image
from strategies import tiny
from timm.data import create_transform, resolve_model_data_config

from edgenext_search.errors import UserError
from edgenext_search.models import export
from edgenext_search.models.export import ExportError
from edgenext_search.training.evaluation.export import export_folder
from edgenext_search.training.evaluation.results import OnnxInput, OnnxOutput

SMALL = tiny(depths=(1, 1, 1, 2), sdta_blocks=(0, 1, 0, 1))


@pytest.fixture
def winner(tmp_path):
    return save_network(tmp_path / "winner", "abcdef", candidate=SMALL, size=48)


@pytest.mark.parametrize(("uint8", "name"), [(False, "best.onnx"), (True, "best-uint8.onnx")])
def test_a_checkpoint_is_exported_beside_it(winner, tmp_path, uint8, name):
    network = timm.create_model(f"local-dir:{winner}", pretrained=True)
    names = {f"_orig_mod.{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save({"model": names, "img_size": 48}, tmp_path / "best.pt")
    result = export_folder(tmp_path / "best.pt", uint8=uint8)
    assert result.onnx == str(tmp_path / name)
    image = np.ones(result.input.shape, dtype=result.input.type)
    assert np.array_equal(run(tmp_path / name, image), run(export_folder(winner, uint8=uint8).onnx, image))


def run(path, image):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"image": image})[0]


def test_an_unreadable_image_is_tolerated_as_by_training(winner, photos, tmp_path, monkeypatch):
    """One of 30 is tolerated here; the comparison meets it among five."""
    monkeypatch.setattr("edgenext_search.data.unreadable.UNREADABLE_FRACTION", 0.04)
    data = shutil.copytree(photos, tmp_path / "photos")
    (data / "val/black/0.jpg").write_bytes(b"no image")
    (data / "val/black/notes.txt").write_bytes(b"")
    notes = []
    result = export_folder(winner, data=str(data), images=5, note=notes.append)
    assert result.parity.images == 4
    assert notes == ["folder photos, val/: left out, as no images: 1 .txt (black/notes.txt)."]


def test_pixels_of_a_camera_go_in_and_the_logits_of_timm_come_out(winner, photos):
    result = export_folder(winner, uint8=True, data=str(photos), images=11)
    assert result.input == OnnxInput(name="image", shape=(1, 48, 48, 3), type="uint8")
    assert result.output == OnnxOutput(name="logits", shape=(1, 6))
    assert result.preprocessing.mean is None
    assert (result.parity.images, result.parity.top1_agreement) == (11, 1)
    assert 0 <= result.parity.largest_difference < 1e-4
    assert result.onnx == str(winner / "model-uint8.onnx")
    assert result.bytes == (winner / "model-uint8.onnx").stat().st_size

    model = timm.create_model(f"local-dir:{winner}", pretrained=True).eval()
    transform = create_transform(**resolve_model_data_config(model), is_training=False)
    with Image.open(photos / "val" / "red" / "0.jpg") as file:
        image = file.convert("RGB")
    with torch.inference_mode():
        expected = model(transform(image)[None]).numpy()
    resize = torch.nn.Sequential(*transform.transforms[:2])
    (logits,) = run(winner / "model-uint8.onnx", np.asarray(resize(image))[None])
    np.testing.assert_allclose(logits, expected[0], atol=1e-4)


def test_without_data_a_random_image_decides(winner, tmp_path):
    out = tmp_path / "device" / "network.onnx"
    out.parent.mkdir()
    result = export_folder(winner, out=out, img_size=64, opset=18)
    assert result.parity is None
    assert 0 <= result.random_image_difference < 1e-4
    assert result.opset == 18
    assert result.input == OnnxInput(name="image", shape=(1, 3, 64, 64), type="float32")
    assert (result.preprocessing.resize, result.preprocessing.crop) == (71, 64)
    assert result.preprocessing.mean == pytest.approx((0.485, 0.456, 0.406))
    assert [file.name for file in out.parent.iterdir()] == ["network.onnx"]


def test_a_file_that_is_there_stays_when_the_new_one_is_wrong(winner, photos, monkeypatch):
    (winner / "model.onnx").write_bytes(b"the good one")
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(ExportError, match="differ by"):
        export_folder(winner, data=str(photos))
    assert (winner / "model.onnx").read_bytes() == b"the good one"
    assert not [file for file in winner.iterdir() if file.name.startswith(".")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"out": "none/model.onnx"}, r"there is no folder .*none\. Make it, or correct --out"),
        ({"out": "winner"}, r"winner is a folder; give a file with --out"),
        ({"img_size": 8}, r"img_size must be >= 32"),
        ({"data": "nowhere"}, r"--data must be a folder"),
        ({"weights": "raw"}, r"has no raw weights"),
        ({"opset": 99}, r"The opset must lie between 18 and \d+, this onnx's, but got 99"),
    ],
)
def test_invalid_requests_are_refused_before_the_work(winner, tmp_path, arguments, message):
    if "out" in arguments:
        arguments = {"out": tmp_path / arguments["out"]}
    with pytest.raises(UserError, match=message):
        export_folder(winner, **arguments)
    assert not (winner / "model.onnx").exists()
