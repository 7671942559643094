import json

import pytest
from strategies import tiny

from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.published import published_variant
from edgenext_search.models.folder import candidate_text

from ..helpers import call, call_json, refusal


def test_the_deployment_counts():
    found = call_json("cost", "edgenext_small", "--num-classes", "10", "--img-size", "128")
    candidate, deployment = published_variant("edgenext_small").candidate, Deployment(num_classes=10, img_size=128)
    assert (found["fingerprint"], found["candidate"]) == (candidate.fingerprint, candidate.to_dict())
    assert found.items() >= {**cost(candidate, deployment).to_dict(), "num_classes": 10, "img_size": 128}.items()


def test_a_line_of_space_sample_is_a_file_of_fields(tmp_path):
    line = call("space", "sample", "--budget", "1.3M", "-n", "1", "--json").stdout
    (tmp_path / "sample.json").write_text(line)
    found = call_json("cost", tmp_path / "sample.json")
    sample = json.loads(line)
    assert {key: found[key] for key in sample} == sample


def test_a_model_folder_has_its_own_deployment(tmp_path):
    (tmp_path / "candidate.yaml").write_text(candidate_text(tiny(), Deployment(num_classes=3, img_size=64)))
    found = call_json("cost", tmp_path, "--num-classes", "3")
    assert (found["fingerprint"], found["img_size"]) == (tiny().fingerprint, 64)
    assert call_json("cost", tmp_path, "--num-classes", "3", "--img-size", "96")["img_size"] == 96


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
        (["."], "is not a model folder"),
    ],
)
def test_what_has_no_cost(arguments, message):
    assert message in refusal("cost", *arguments)
