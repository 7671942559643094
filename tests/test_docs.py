"""The code in the guides is run as it stands there."""

import re
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from model_folders import save_network
from reference import checkpoint, reference
from strategies import tiny

from edgenext_search.cli import main

ROOT = Path(__file__).resolve().parent.parent


def python_blocks(guide):
    return re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / guide).read_text("utf-8"), re.DOTALL | re.M)


@pytest.fixture
def blocks():
    found = python_blocks("backbones.md")
    assert len(found) == 5
    return found


@pytest.fixture(params=["ln_gelu", "bn_hs"])
def winner(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    candidate = tiny(norm_act=request.param)
    save_network(tmp_path / "winner", "abc", candidate=candidate, size=64)
    return candidate


def run(*blocks):
    names = {}
    for block in blocks:
        exec(compile(block, "a guide", "exec"), names)  # noqa: S102 - our own guides
    return names


def reached(names, model, before):
    """Whether the step's loss is a number, and has moved the backbone's stem."""
    stem = next(names[model].backbone.body.parameters())
    assert names["loss"].isfinite()
    assert stem.grad is not None
    assert stem.grad.abs().max() > 0
    return not torch.equal(stem, before)


def test_the_maps_of_a_backbone(blocks, winner, capsys):
    names = run(blocks[0])
    assert capsys.readouterr().out.splitlines() == [
        f"stride {stride}: {width} channels, (1, {width}, {256 // stride}, {256 // stride})"
        for stride, width in zip((4, 8, 16, 32), winner.widths, strict=True)
    ]
    assert names["backbone"].feature_info.reduction() == [4, 8, 16, 32]


def test_a_training_step_of_ssdlite(blocks, winner):
    before = next(run(blocks[0])["backbone"].parameters()).clone()
    names = run(*blocks[:3])
    assert reached(names, "detector", before)
    maps = names["detector"].backbone(torch.rand(1, 3, 320, 320))
    assert [tensor.shape[-1] for tensor in maps.values()] == [20, 10, 5, 3, 2, 1]
    assert len(names["detections"]) == 2
    assert all(image["boxes"].isfinite().all() for image in names["detections"])


def test_a_training_step_of_deeplab(blocks, winner):
    before = next(run(blocks[0])["backbone"].parameters()).clone()
    names = run(blocks[0], "from torch import nn", *blocks[3:])
    assert reached(names, "segmenter", before)
    assert names["segmenter"].eval()(names["images"])["out"].shape == (2, 21, 512, 512)


def test_the_guide_to_evaluation(tmp_path, photos, monkeypatch, capsys):
    from edgenext_search.training.evaluation.evaluate import evaluate_folder
    from edgenext_search.training.evaluation.export import export_folder

    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").symlink_to(photos)
    folder = save_network(tmp_path / "trained/model", ["black", "blue", "green", "red", "white", "yellow"])
    export_folder(folder)
    run(*python_blocks("evaluate-export.md"))
    assert float(capsys.readouterr().out.splitlines()[0]) == evaluate_folder(folder, str(photos)).top1
    assert evaluate_folder(folder, str(photos), onnx=tmp_path / "int8.onnx").n == 30


def test_the_guide_to_published_weights(tmp_path, monkeypatch):
    text = (ROOT / "docs/import.md").read_text("utf-8")
    (command,) = re.findall(r"^edgenext-search (import .*)", text, re.M)
    network = reference("edgenext_small_bn_hs")
    monkeypatch.chdir(tmp_path)
    torch.save(checkpoint(network), "edgenext_small_bn_hs.pth")
    assert CliRunner().invoke(main, command.split()).exit_code == 0
    model = run(*python_blocks("import.md"))["model"]
    assert torch.equal(model.head.fc.weight, network.head.weight)


@pytest.mark.slow
def test_the_guide_to_python(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = run(*python_blocks("python.md"))
    said = capsys.readouterr().out
    assert str(names["es"].cost(names["candidate"]).params) in said
    assert names["run"].winner.fingerprint in names["run"].report.read_text("utf-8")
