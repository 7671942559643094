import json

import pytest
from latency_profiles import MadeUpDevice, export_nothing, made_profile
from strategies import tiny

from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.published import published_variant
from edgenext_search.files import dump_yaml
from edgenext_search.latency.profile.predictor import Predictor
from edgenext_search.models.folder import candidate_text

from ..helpers import call, call_json, imported, refusal


@pytest.fixture
def board(tmp_path):
    path = tmp_path / "board.json"
    path.write_text(json.dumps(made_profile().to_dict()), "utf-8")
    return path


@pytest.fixture
def device(monkeypatch):
    made = MadeUpDevice()
    monkeypatch.setattr("edgenext_search.latency.devices.open.open_device", lambda text: made)
    export_nothing(monkeypatch)
    return made


def test_a_profile_and_what_it_predicts(tmp_path, device):
    out = tmp_path / "host.json"
    found = call_json("latency", "profile", "--device", "host", "--out", out, "--networks", 30, "--stages", 8)
    assert found["profile"] == str(out)
    assert set(found) == {"profile", "device", "conditions", "deployment", "held_out", "seconds", "reference"}
    assert found["held_out"]["n"] == 30
    predicted = call_json("latency", "predict", "edgenext_xx_small", "--profile", out)
    assert predicted["low"] < predicted["microseconds"] < predicted["high"]
    assert predicted["microseconds"] == pytest.approx(found["reference"]["microseconds"], rel=0.1)
    assert predicted["device"] == found["device"]
    assert predicted["fingerprint"] == published_variant("edgenext_xx_small").candidate.fingerprint


def test_a_profile_in_words(tmp_path, device):
    out = tmp_path / "host.json"
    done = call("latency", "profile", "--device", "host", "--out", out, "--networks", 24, "--stages", 0)
    assert done.exit_code == 0
    assert "24 networks and 0 single stages of the space 'edgenext'" in done.stdout
    assert "within 10 %" in done.stdout
    assert "24 of 24 models measured" in done.stderr


def test_a_bar_in_a_terminal(tmp_path, device, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    done = call("latency", "profile", "--device", "host", "--out", tmp_path / "x.json", "--networks", 24, "--stages", 0)
    assert done.exit_code == 0
    assert "Measuring" in done.stderr
    assert "models measured" not in done.stderr


def test_stopping_says_that_the_same_command_goes_on(tmp_path, device, monkeypatch):
    out = tmp_path / "x.json"

    def stop(models, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(device, "measure", stop)
    done = call("latency", "profile", "--device", "host", "--out", out, "--networks", 24, "--stages", 0)
    assert done.exit_code == 130
    assert "Stopped. What was finished is kept: the same command goes on." in done.stderr


def test_a_prediction_in_words(board):
    done = call("latency", "predict", "edgenext_xx_small", "--profile", board)
    assert done.exit_code == 0
    assert "at 1000 classes, 256x256 px" in done.stdout
    assert " ms on host (" in done.stdout
    assert "95 %" in done.stdout
    assert "1 thread" in done.stdout


def test_a_candidate_of_a_file(board, tmp_path):
    path = tmp_path / "candidate.yaml"
    path.write_text(dump_yaml(tiny().to_dict()), "utf-8")
    found = call_json("latency", "predict", path, "--profile", board)
    predictor = Predictor(made_profile())
    assert found["microseconds"] == predictor.predict(tiny()).microseconds
    assert found["margin"] == predictor.margin


def test_a_model_folder_has_its_own_classes(board, tmp_path):
    text = candidate_text(tiny(), Deployment(num_classes=10))
    (tmp_path / "candidate.yaml").write_text(text, "utf-8")
    asked = ("latency", "predict", tmp_path, "--profile", board)
    assert "not for 10 classes" in refusal(*asked)
    assert call_json(*asked, "--rescale")["num_classes"] == 10
    assert call_json(*asked, "--num-classes", 1000)["num_classes"] == 1000


def test_another_image_size_needs_rescale_and_is_marked(board):
    asked = ("latency", "predict", "edgenext_xx_small", "--profile", board, "--img-size", 192)
    assert "give --rescale" in refusal(*asked)
    found = call_json(*asked, "--rescale")
    assert found["interpolated"]
    assert found["img_size"] == 192
    words = call(*asked, "--rescale").stdout
    assert "re-scaled from 1000 classes, 256x256 px" in words
    assert "not checked" in words


def test_a_device_that_has_changed_is_refused(board, device):
    asked = ("latency", "predict", "edgenext_xx_small", "--profile", board, "--device", "host")
    assert call(*asked).exit_code == 0
    device.info = device.info.model_copy(update={"version": "9"})
    assert "measured with version 1.2.3, but the device has version 9: profile it again" in refusal(*asked)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("profile", "--device", "host", "--out", "x.json", "--networks", 3), "networks must be >= 24"),
        (("profile", "--device", "toaster", "--out", "x.json"), "There is no device 'toaster'"),
        (("profile", "--device", "host", "--out", "x.json", "--space", "none"), "There is no space 'none'"),
        (("profile", "--device", "host", "--out", "x.json", "--img-size", 8), "img_size must be >= 32"),
        (("profile", "--device", "host", "--out", "none/x.json"), "There is no folder none"),
        (("predict", "edgenext_xx_small", "--profile", "none.json"), "none.json cannot be read"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert message in refusal("latency", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_does_not_exist_is_refused(board):
    assert "did you mean" in refusal("latency", "predict", "edgenext_xx_smal", "--profile", board).lower()


def test_predicting_imports_nothing_heavy(board):
    heavy = ("torch", "timm", "optuna", "onnxruntime", "onnx", "scipy", "numpy", "pandas")
    assert imported("latency", "predict", "edgenext_xx_small", "--profile", board, blocked=heavy) == []


@pytest.mark.slow
def test_a_profile_of_this_host(tmp_path):
    """All for real, on small images: measured, held out, and plausible."""
    out = tmp_path / "host.json"
    small = ("--img-size", 64, "--num-classes", 10, "--networks", 24, "--stages", 0, "--seconds", 0.2)
    small += ("--minutes", 0.1)  # what a busy machine disturbs is not measured again
    found = call_json("latency", "profile", "--device", "host", "--out", out, *small)
    assert found["deployment"] == {"num_classes": 10, "img_size": 64}
    assert found["held_out"]["spearman"] > 0.5
    predicted = call_json("latency", "predict", "edgenext_small", "--profile", out, "--device", "host")
    small = call_json("latency", "predict", "edgenext_xx_small", "--profile", out)
    assert predicted["microseconds"] > small["microseconds"]
    assert Deployment(**found["deployment"]).img_size == predicted["img_size"]
