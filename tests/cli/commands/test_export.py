from model_folders import save_network
from strategies import tiny

from edgenext_search.training.evaluation.results import ExportResult

from ..helpers import call, call_json, refusal

SMALL = tiny(depths=(1, 1, 1, 2), sdta_blocks=(0, 1, 0, 1))


def test_a_folder_is_exported(tmp_path, photos):
    folder = save_network(tmp_path / "winner", "abcdef", candidate=SMALL)
    facts = call_json("export", folder, "--uint8", "--data", photos, "--images", 4)
    assert ExportResult.read(facts, where="x").to_dict() == facts
    assert facts["parity"]["images"] == 4
    shown = call("export", folder, "--data", photos, "--images", 4, "--out", tmp_path / "x.onnx").stdout
    assert "input image: float32 [1, 3, 32, 32], R, G, B" in shown
    assert "shorter side to 35 px (bicubic), the middle 32 px; mean [0.485, 0.456, 0.406]" in shown
    assert "on 4 images of folder photos: same class for 100.0%" in shown


def test_bad_input_is_refused(tmp_path):
    assert "is not a model folder" in refusal("export", tmp_path)
    assert "--images 4 says how many images of --data" in refusal("export", tmp_path, "--images", 4)
    assert "img_size must be >= 32" in refusal(
        "export", save_network(tmp_path / "winner", "abcdef", candidate=SMALL), "--img-size", 16
    )
