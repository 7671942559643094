import json

import pytest
from strategies import TINY, tiny

from edgenext_search.files import dump_yaml

from .helpers import call, call_json, refusal

PUBLISHED = {  # reference/edgenext_published.json: parameters and multiply-adds at 256 px and 1000 classes
    "edgenext_xx_small": (1_327_216, 260_576_008),
    "edgenext_x_small": (2_336_804, 537_995_712),
    "edgenext_small": (5_586_832, 1_260_588_656),
    "edgenext_base": (18_511_292, 3_840_925_224),
}
LAST_WIDTH = {"edgenext_xx_small": 168, "edgenext_x_small": 192, "edgenext_small": 304, "edgenext_base": 584}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_costs(name):
    found = call_json("cost", name)
    assert (found["params"], found["madds"]) == PUBLISHED[name]
    assert (found["num_classes"], found["img_size"]) == (1000, 256)
    assert found["candidate"]["widths"][-1] == LAST_WIDTH[name]
    assert found["acts"] > 1_000_000


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_number_of_classes_changes_the_head_alone(name):
    full, ten = call_json("cost", name), call_json("cost", name, "--num-classes", "10")
    assert full["params"] - ten["params"] == 990 * (LAST_WIDTH[name] + 1)
    assert full["madds"] - ten["madds"] == 990 * LAST_WIDTH[name]
    assert full["acts"] - ten["acts"] == 990
    assert full["fingerprint"] == ten["fingerprint"]
    assert ten["num_classes"] == 10


def test_a_smaller_image_costs_less_but_has_the_same_parameters():
    full, half = call_json("cost", "edgenext_small"), call_json("cost", "edgenext_small", "--img-size", "128")
    assert full["params"] == half["params"]
    assert 0.2 < half["madds"] / full["madds"] < 0.3
    assert half["img_size"] == 128


def test_a_file_of_fields(tmp_path):
    expected = {"fingerprint": tiny().fingerprint, "candidate": tiny().to_dict()}
    (tmp_path / "a.yaml").write_text(dump_yaml(tiny().to_dict()))
    (tmp_path / "b.json").write_text(json.dumps({"candidate": tiny().to_dict(), "score": 0.5}))
    costs = [call_json("cost", tmp_path / name, "--num-classes", "10") for name in ("a.yaml", "b.json")]
    assert costs[0] == costs[1]
    assert costs[0].items() >= expected.items()


def test_a_line_of_space_sample_is_a_file_of_fields(tmp_path):
    line = call("space", "sample", "--budget", "1.3M", "-n", "1", "--json").stdout
    (tmp_path / "sample.json").write_text(line)
    found = call_json("cost", tmp_path / "sample.json")
    sample = json.loads(line)
    assert {key: found[key] for key in sample} == sample


def test_a_model_folder(tmp_path):
    import torch

    from edgenext_search.arch.cost import Deployment
    from edgenext_search.models.build import build
    from edgenext_search.models.folder import save_model_folder

    torch.manual_seed(0)
    save_model_folder(
        build(tiny(), num_classes=3),
        tiny(),
        tmp_path / "model",
        deployment=Deployment(num_classes=3, img_size=64),
        trained_size=64,
        class_names=["a", "b", "c"],
        about={},
    )
    found = call_json("cost", tmp_path / "model", "--num-classes", "3")
    assert found["fingerprint"] == tiny().fingerprint
    assert found["img_size"] == 64  # what the folder was written for
    assert call_json("cost", tmp_path / "model", "--img-size", "64") == found
    config = tmp_path / "model" / "config.json"
    assert call_json("cost", config, "--num-classes", "3", "--img-size", "64") == found
    assert found["params"] == sum(p.numel() for p in build(tiny(), num_classes=3).parameters())


def test_text_for_people():
    result = call("cost", "edgenext_xx_small")
    assert "1,327,216" in result.stdout
    assert "260,576,008" in result.stdout
    assert "1000 classes, 256x256" in result.stdout


def test_verified_against_fvcore(monkeypatch):
    result = call("cost", "edgenext_xx_small", "--verify", "--img-size", "64")
    assert result.exit_code == 0
    assert "The built network has the same" in result.stdout
    monkeypatch.setattr("edgenext_search.models.count.measure", lambda *_: {"params": 1, "madds": 260_576_008})
    result = call("cost", "edgenext_xx_small", "--verify")
    assert result.exit_code == 1
    assert "but the built network has {'params': 1}" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["edgenext_xxx"], "There is no 'edgenext_xxx': it is neither a file or folder nor a published variant ("),
        (["edgenext_small", "--num-classes", "0"], "num_classes"),
        (["edgenext_small", "--img-size", "8"], "img_size"),
    ],
)
def test_what_has_no_cost(arguments, message):
    assert message in refusal("cost", *arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1\n", "must hold a mapping"),
        (dump_yaml({**TINY, "widths": [8, 16, 24]}), "widths must have one item for each of the 4 stages"),
        (dump_yaml({key: TINY[key] for key in TINY if key != "heads"}), "heads"),
        (dump_yaml({**tiny().to_dict(), "sdta_splits": [2, 9, 2, 4]}), "stage 2"),
        ("candidate: 3\n", "candidate must be a mapping"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, text, message):
    path = tmp_path / "candidate.yaml"
    path.write_text(text.replace("!!python/tuple", ""))
    line = refusal("cost", path)
    assert str(path) in line
    assert message in line


def test_an_empty_folder_is_no_model(tmp_path):
    assert "is not a model folder" in refusal("cost", tmp_path)
