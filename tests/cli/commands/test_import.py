import pytest
import timm
import torch
from reference import checkpoint, reference

from ..helpers import call, call_json, refusal


@pytest.fixture
def file(tmp_path):
    torch.save(checkpoint(reference("edgenext_xx_small", seed=1), reference("edgenext_xx_small")), tmp_path / "x.pth")
    return tmp_path / "x.pth"


def test_one_json_object(tmp_path, file):
    (tmp_path / "names.txt").write_text("a\nb\nc\nd\ne\n")
    arguments = ("--variant", "edgenext_xx_small", "--out", tmp_path / "model", "--img-size", 128)
    facts = call_json("import", file, *arguments, "--classes", tmp_path / "names.txt", "--weights", "model")
    assert (facts["num_classes"], facts["img_size"]) == (5, 128)
    assert facts["weights"]["entry"] == "model"
    model = timm.create_model(f"local-dir:{facts['model_dir']}", pretrained=True)
    assert model.pretrained_cfg["label_names"] == list("abcde")
    assert torch.equal(model.head.fc.weight, reference("edgenext_xx_small", seed=1).head.weight)
    assert facts["params"] == sum(parameter.numel() for parameter in model.parameters())
    assert facts["madds"] == call_json("cost", tmp_path / "model", "--num-classes", 5, "--img-size", 128)["madds"]


def test_text_for_people(tmp_path, file):
    result = call("import", file, "--variant", "edgenext_xx_small", "--out", tmp_path / "model")
    assert result.exit_code == 0, result.output
    assert f"from {file}: model_ema" in result.stdout
    assert "5 classes, 256x256 px" in result.stdout
    code = result.stdout.splitlines()[-1].strip()
    assert eval(code, {"timm": timm}).num_classes == 5  # noqa: S307 - what the command told to type
    assert "edgenext_search.models.bn_hs" not in result.stdout


def test_a_batch_norm_network_says_what_it_needs(tmp_path):
    torch.save(reference("edgenext_xx_small_bn_hs").state_dict(), tmp_path / "x.pth")
    result = call("import", tmp_path / "x.pth", "--variant", "edgenext_xx_small_bn_hs", "--out", tmp_path / "model")
    assert "  import edgenext_search.models.bn_hs\n" in result.stdout


def test_refusals_are_one_line(tmp_path, file):
    arguments = ("--out", tmp_path / "model", "--variant")
    assert "give --variant edgenext_xx_small." in refusal("import", file, *arguments, "edgenext_small")
    assert "no published variant 'small'" in refusal("import", file, *arguments, "small")
    assert "none.pth cannot be read" in refusal("import", tmp_path / "none.pth", *arguments, "edgenext_small")
    names = ("--classes", tmp_path / "none.txt")
    assert "none.txt cannot be read" in refusal("import", file, *arguments, "edgenext_xx_small", *names)
    assert not (tmp_path / "model").exists()
