from strategies import tiny

from edgenext_search.arch.cost import Deployment
from edgenext_search.models.build import build
from edgenext_search.models.folder import save_model_folder

from .helpers import call, call_json, imported, refusal

SMALL = tiny(depths=(1, 1, 1, 2), sdta_blocks=(0, 1, 0, 1))


def save(folder):
    save_model_folder(
        build(SMALL, num_classes=6),
        SMALL,
        folder,
        deployment=Deployment(),
        trained_size=32,
        class_names=list("abcdef"),
        about={},
    )
    return folder


def test_a_folder_is_exported(tmp_path, photos):
    folder = save(tmp_path / "winner")
    facts = call_json("export", folder, "--uint8", "--data", photos, "--images", 4)
    assert set(facts) == {
        "onnx",
        "fingerprint",
        "input",
        "output",
        "opset",
        "bytes",
        "preprocessing",
        "random_image_difference",
        "parity",
    }
    assert set(facts["parity"]) == {"data", "images", "top1_agreement", "largest_difference"}
    shown = call("export", folder, "--data", photos, "--images", 4, "--out", tmp_path / "x.onnx").stdout
    assert "input image: float32 [1, 3, 32, 32], R, G, B" in shown
    assert "shorter side to 35 px (bicubic), the middle 32 px; mean [0.485, 0.456, 0.406]" in shown
    assert "on 4 images of folder photos: same class for 100.0%" in shown


def test_bad_input_is_refused(tmp_path):
    assert "is not a model folder" in refusal("export", tmp_path)
    assert "--images 4 says how many images of --data" in refusal("export", tmp_path, "--images", 4)
    assert "img_size must be >= 32" in refusal("export", save(tmp_path / "winner"), "--img-size", 16)


def test_help_imports_nothing_heavy():
    assert imported("export", "--help") == []
