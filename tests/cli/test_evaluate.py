import torch
from strategies import tiny

from edgenext_search.arch.cost import Deployment
from edgenext_search.models.build import build
from edgenext_search.models.folder import save_model_folder

from .helpers import call, call_json, imported, refusal

COLOURS = ["black", "blue", "green", "red", "white", "yellow"]


def save(folder, classes=COLOURS):
    torch.manual_seed(0)
    save_model_folder(
        build(tiny(), num_classes=len(classes)),
        tiny(),
        folder,
        deployment=Deployment(),
        trained_size=32,
        class_names=classes,
        about={"which": "ema"},
    )
    return folder


def test_a_folder_is_evaluated(tmp_path, photos):
    folder = save(tmp_path / "winner")
    facts = call_json("evaluate", folder, "--data", photos, "--workers", 0, "--device", "cpu")
    assert set(facts) == {
        "folder",
        "fingerprint",
        "weights",
        "data",
        "classes",
        "n",
        "unreadable",
        "img_size",
        "crop_pct",
        "top1",
        "top5",
        "loss",
        "images_per_second",
        "device",
        "onnx",
        "versions",
    }
    assert (facts["n"], facts["weights"], facts["device"], facts["img_size"]) == (30, "ema", "cpu", 32)

    shown = call("evaluate", folder, "--data", photos, "--workers", 0, "--device", "cpu").stdout
    assert f"{facts['fingerprint']}, averaged weights" in shown
    assert "on 30 validation images of folder photos, 6 classes, 32 px" in shown
    assert f"{facts['top1']:8.2%}" in shown
    assert f"{facts['loss']:8.4f}" in shown


def test_an_onnx_file_is_evaluated_in_its_place(tmp_path, photos):
    folder = save(tmp_path / "winner")
    call("export", folder)
    path = folder / "model.onnx"
    shown = call("evaluate", folder, "--data", photos, "--workers", 0, "--onnx", path).stdout
    assert f"{path}  of {folder}" in shown
    assert "on 30 validation images of folder photos, 6 classes, 32 px" in shown
    assert "images/s on cpu" in shown
    said = refusal("evaluate", folder, "--data", photos, "--onnx", path, "--device", "cuda")
    assert "leave out --device cuda" in said


def test_other_classes_are_refused(tmp_path, photos):
    folder = save(tmp_path / "winner", classes=["red", "pink"])
    said = refusal("evaluate", folder, "--data", photos, "--workers", 0)
    assert "1 is missing in the validation images of folder photos ('pink')" in said


def test_what_is_missing_is_named(tmp_path, photos, class_folder):
    assert "is not a model folder" in refusal("evaluate", tmp_path, "--data", photos)
    assert call("evaluate", tmp_path).exit_code == 2  # --data is required


def test_help_imports_nothing_heavy():
    assert imported("evaluate", "--help") == []
