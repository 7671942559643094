from model_folders import save_network

from edgenext_search.training.evaluation.results import EvaluationResult

from ..helpers import call, call_json, refusal

COLOURS = ["black", "blue", "green", "red", "white", "yellow"]


def test_a_folder_is_evaluated(tmp_path, photos):
    folder = save_network(tmp_path / "winner", COLOURS, which="ema")
    facts = call_json("evaluate", folder, "--data", photos, "--workers", 0, "--device", "cpu")
    assert EvaluationResult.read(facts, where="x").to_dict() == facts
    assert (facts["n"], facts["weights"], facts["device"], facts["img_size"]) == (30, "ema", "cpu", 32)

    shown = call("evaluate", folder, "--data", photos, "--workers", 0, "--device", "cpu").stdout
    assert f"{facts['fingerprint']}, averaged weights" in shown
    assert "on 30 validation images of folder photos, 6 classes, 32 px" in shown
    assert f"{facts['top1']:8.2%}" in shown
    assert f"{facts['loss']:8.4f}" in shown


def test_an_onnx_file_is_evaluated_in_its_place(tmp_path, photos):
    folder = save_network(tmp_path / "winner", COLOURS, which="ema")
    call("export", folder)
    path = folder / "model.onnx"
    shown = call("evaluate", folder, "--data", photos, "--workers", 0, "--onnx", path).stdout
    assert f"{path}  of {folder}" in shown
    assert "on 30 validation images of folder photos, 6 classes, 32 px" in shown
    assert "images/s on cpu" in shown
    said = refusal("evaluate", folder, "--data", photos, "--onnx", path, "--device", "cuda")
    assert "leave out --device cuda" in said


def test_a_part_of_the_classes_is_said(tmp_path, photos):
    folder = save_network(tmp_path / "winner", [*COLOURS, "pink"])
    shown = call("evaluate", folder, "--data", photos, "--workers", 0).stdout
    assert "on 30 validation images of folder photos, 6 of 7 classes, 32 px" in shown


def test_other_classes_are_refused(tmp_path, photos):
    folder = save_network(tmp_path / "winner", ["red", "pink"])
    said = refusal("evaluate", folder, "--data", photos, "--workers", 0)
    assert "1 is missing in the validation images of folder photos ('pink')" in said


def test_what_is_missing_is_named(tmp_path, photos, class_folder):
    assert "is not a model folder" in refusal("evaluate", tmp_path, "--data", photos)
    assert call("evaluate", tmp_path).exit_code == 2  # --data is required
