import json
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
import timm
import torch
from hypothesis import given, settings
from strategies import TINY, candidates, tiny
from timm.models import PretrainedCfg

from edgenext_search.arch.candidate import NORM_ACTS
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.published import published_variant
from edgenext_search.data.augment.batches import IMAGENET_MEAN, IMAGENET_STD
from edgenext_search.errors import UserError
from edgenext_search.files import dump_yaml, parse_yaml
from edgenext_search.models import folder as folders
from edgenext_search.models.build import build
from edgenext_search.models.folder import (
    deployment_of,
    load_model_folder,
    model_folder,
    read_candidate,
    save_model_folder,
)

DEPLOYMENT = Deployment(num_classes=1000, img_size=256)

PLAIN_TIMM = """
import importlib.abc, sys

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "edgenext_search":
            raise ImportError("edgenext_search is not installed here")

sys.meta_path.insert(0, Blocked())
try:
    import edgenext_search
except ImportError:
    pass
else:
    raise SystemExit("the block does not block")
import timm, torch
model = timm.create_model("local-dir:" + sys.argv[1], pretrained=True).eval()
image = torch.load(sys.argv[2], weights_only=True)
with torch.inference_mode():
    torch.save(model(image), sys.argv[3])
"""


def save(path, candidate=None, *, num_classes=3, seed=0, about=None):
    candidate = candidate or tiny()
    torch.manual_seed(seed)
    model = build(candidate, num_classes=num_classes, layer_scale_init=0.1).eval()
    for name, buffer in model.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5)
    save_model_folder(
        model,
        candidate,
        path,
        deployment=DEPLOYMENT,
        trained_size=48,
        class_names=[f"class {index}" for index in range(num_classes)],
        about=about or {"seed": seed},
    )
    return model


def logits(model):
    with torch.inference_mode():
        return model(torch.linspace(-1, 1, 2 * 3 * 48 * 48).reshape(2, 3, 48, 48))


def contents(path):
    return {file.name: file.read_bytes() for file in path.iterdir()}


def test_holds_what_timm_and_people_read(tmp_path):
    save(tmp_path / "winner", about={"source": "proxy"})
    assert set(contents(tmp_path / "winner")) == {"config.json", "model.safetensors", "candidate.yaml"}
    config = json.loads((tmp_path / "winner/config.json").read_text())
    assert config["label_names"] == ["class 0", "class 1", "class 2"]
    assert config["num_classes"] == 3
    assert config["pretrained_cfg"]["input_size"] == [3, 48, 48]
    facts = parse_yaml((tmp_path / "winner/candidate.yaml").read_text())
    assert facts["fingerprint"] == tiny().fingerprint
    assert facts["deployment"] == {"num_classes": 1000, "img_size": 256}
    assert facts.items() >= cost(tiny(), DEPLOYMENT).to_dict().items()
    assert facts["weights"] == {"num_classes": 3, "img_size": 48, "source": "proxy"}


CONFIG = {  # what timm's configuration of a network may say: true of this one, or absent
    "architecture": "edgenext_xx_small",  # the entry point whose arguments model_args overrides
    "tag": tiny().fingerprint,
    "custom_load": False,
    "input_size": (3, 48, 48),
    "test_input_size": (3, 48, 48),
    "fixed_input_size": False,
    "interpolation": "bicubic",
    "crop_pct": 0.9,
    "crop_mode": "center",
    "mean": IMAGENET_MEAN,
    "std": IMAGENET_STD,
    "num_classes": 3,
    "label_names": ["class 0", "class 1", "class 2"],
    "pool_size": (1, 1),
    "first_conv": "stem.0",
    "classifier": "head.fc",
    "source": "local-dir",
    "file": "winner",
    **dict.fromkeys(["url", "hf_hub_id", "hf_hub_filename", "state_dict", "license"]),  # of nobody's weights but these
    **dict.fromkeys(["origin_url", "description", "notes", "paper_name", "paper_ids"]),
    **dict.fromkeys(["min_input_size", "test_crop_pct", "test_pool_size", "label_offset", "label_descriptions"]),
}


def test_each_key_of_timms_configuration_is_true_or_absent(tmp_path):
    save(tmp_path / "winner")
    cfg = timm.create_model(f"local-dir:{tmp_path / 'winner'}", pretrained=True).pretrained_cfg
    assert {field.name for field in fields(PretrainedCfg)} <= set(CONFIG)
    assert json.loads(json.dumps(cfg)) == json.loads(
        json.dumps({key: value for key, value in {**CONFIG, "file": cfg["file"]}.items() if value is not None})
    )
    written = json.loads((tmp_path / "winner/config.json").read_text())
    assert set(written) == {
        *("architecture", "num_classes", "num_features", "global_pool", "label_names", "model_args", "pretrained_cfg")
    }
    assert set(written["pretrained_cfg"]) <= set(cfg)


@pytest.mark.parametrize("norm_act", NORM_ACTS)
def test_what_the_configuration_says_of_the_network_holds(tmp_path, norm_act):
    model = save(tmp_path / "winner", tiny(norm_act=norm_act))
    written = json.loads((tmp_path / "winner/config.json").read_text())
    cfg = written["pretrained_cfg"]
    assert model.get_submodule(cfg["first_conv"]).in_channels == cfg["input_size"][0]
    assert model.get_submodule(cfg["classifier"]).out_features == cfg["num_classes"] == written["num_classes"]
    with torch.inference_mode():
        features = model.forward_features(torch.zeros(1, *cfg["input_size"]))
    assert list(features.shape[1:]) == [written["num_features"], *cfg["pool_size"]]
    assert model.head.global_pool.pool_type == written["global_pool"]
    assert model.num_features == written["num_features"]


def test_loads_with_the_same_logits(tmp_path):
    model = save(tmp_path / "winner")
    loaded = load_model_folder(tmp_path / "winner")
    assert not loaded.training
    assert torch.equal(logits(loaded), logits(model))


def test_plain_timm_loads_it_with_no_trace_of_this_package(tmp_path):
    model = save(tmp_path / "winner")
    image = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    torch.save(image, tmp_path / "image.pt")
    done = subprocess.run(
        [sys.executable, "-c", PLAIN_TIMM, *(str(tmp_path / name) for name in ("winner", "image.pt", "logits.pt"))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with torch.inference_mode():
        assert torch.equal(torch.load(tmp_path / "logits.pt", weights_only=True), model(image))


@pytest.mark.parametrize("norm_act", NORM_ACTS)
@settings(max_examples=8)
@given(candidates(max_width=48, max_depth=2))
def test_timm_makes_a_backbone_of_every_candidate(tmp_path_factory, norm_act, candidate):
    """The maps are those of the saved network's stages: channels, strides and weights."""
    candidate = replace(candidate, norm_act=norm_act)
    folder = tmp_path_factory.mktemp("backbone") / "winner"
    model = save(folder, candidate)
    backbone = timm.create_model(f"local-dir:{folder}", pretrained=True, features_only=True).eval()
    assert backbone.feature_info.channels() == list(candidate.widths)
    assert backbone.feature_info.reduction() == [4, 8, 16, 32]
    x = images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        x = model.stem(x)
        for stage, features, stride in zip(model.stages, backbone(images), (4, 8, 16, 32), strict=True):
            x = stage(x)
            assert features.shape[2:] == (64 // stride, 64 // stride)
            assert torch.equal(features, x)


@pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt, OSError])
@pytest.mark.parametrize("when", ["weights", "facts"])
def test_an_interrupted_write_leaves_no_half_folder(tmp_path, monkeypatch, stop, when):
    def interrupt(*_args, **_kwargs):
        raise stop("pulled the plug")

    with monkeypatch.context() as patch:
        if when == "weights":
            patch.setattr("safetensors.torch.save_file", interrupt)
        else:
            patch.setattr(folders, "dump_yaml", interrupt)
        with pytest.raises(stop, match="pulled the plug"):
            save(tmp_path / "winner")
        assert list(tmp_path.iterdir()) == []

    save(tmp_path / "winner", seed=1)
    before = contents(tmp_path / "winner")
    with monkeypatch.context() as patch:
        patch.setattr(folders, "dump_yaml", interrupt)
        with pytest.raises(stop, match="pulled the plug"):
            save(tmp_path / "winner", seed=2)
    assert contents(tmp_path / "winner") == before
    assert [path.name for path in tmp_path.iterdir()] == ["winner"]


def test_an_existing_folder_is_replaced_whole(tmp_path):
    save(tmp_path / "winner", seed=1)
    (tmp_path / "winner/model.onnx").write_text("of the old weights")
    model = save(tmp_path / "winner", tiny(expand_ratio=3), seed=2)
    assert set(contents(tmp_path / "winner")) == {"config.json", "model.safetensors", "candidate.yaml"}
    assert torch.equal(logits(load_model_folder(tmp_path / "winner")), logits(model))
    assert read_candidate(tmp_path / "winner") == tiny(expand_ratio=3)
    assert [path.name for path in tmp_path.iterdir()] == ["winner"]


def test_makes_the_folders_above(tmp_path):
    save(tmp_path / "runs/demo/winners/abc")
    assert read_candidate(tmp_path / "runs/demo/winners/abc") == tiny()


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_what_is_no_model_folder_is_not_loaded(tmp_path, missing):
    save(tmp_path / "winner")
    (tmp_path / "winner" / missing).unlink()
    with pytest.raises(UserError, match=f"winner is not a model folder: it has no {missing}"):
        load_model_folder(tmp_path / "winner")


def test_a_candidate_is_read_from_all_that_describe_one(tmp_path):
    save(tmp_path / "winner")
    (tmp_path / "bare.yaml").write_text(dump_yaml(tiny().to_dict()))
    (tmp_path / "nested.yaml").write_text(dump_yaml({"candidate": tiny().to_dict(), "note": "x"}))
    (tmp_path / "bare.json").write_text(json.dumps(tiny().to_dict(), indent=4))
    for name in ("winner", "winner/config.json", "winner/candidate.yaml", "bare.yaml", "nested.yaml", "bare.json"):
        assert read_candidate(tmp_path / name) == tiny(), name
    (tmp_path / "winner/candidate.yaml").unlink()
    assert read_candidate(tmp_path / "winner") == tiny()


@pytest.mark.parametrize("name", ["edgenext_small", "edgenext_base"])
def test_a_published_model_without_arguments_is_read_as_what_timm_builds(tmp_path, name):
    (tmp_path / "config.json").write_text(json.dumps({"architecture": name, "num_classes": 1000}))
    assert read_candidate(tmp_path) == published_variant(name).candidate


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("config.json", json.dumps({"architecture": "resnet18"}), "config.json: .*no published variant 'resnet18'"),
        ("config.json", json.dumps({"architecture": "edgenext_small_rw"}), "no published variant 'edgenext_small_rw'"),
        (
            "config.json",
            json.dumps({"architecture": "edgenext_small", "model_args": {"heads": [5, 5, 5, 5]}}),
            "config.json: heads must divide the width, but stage 2 has width 96, heads 5",
        ),
        ("c.yaml", dump_yaml({**TINY, "widths": [8, 16, 24]}), "c.yaml: widths must have one item for each"),
        ("c.yaml", "widths: [8, 16, 24, 32]", "c.yaml: A candidate needs the key 'depths', but got widths"),
        ("c.yaml", "candidate: edgenext", 'c.yaml: candidate must be a mapping of fields, but got "edgenext"'),
        ("model.onnx", "x", "model.onnx is an ONNX file.*`edgenext-search latency measure`"),
        ("c.yaml", "- 1\n- 2\n", "c.yaml must hold a mapping of names to values, but holds a list"),
        ("c.yaml", "{ unclosed", "c.yaml is not YAML: "),
    ],
)
def test_what_is_no_candidate_is_refused_with_the_file(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message):
        read_candidate(tmp_path / name)


def test_an_empty_folder_and_a_missing_file_hold_no_candidate(tmp_path):
    with pytest.raises(UserError, match=r"has neither candidate\.yaml nor config\.json"):
        read_candidate(tmp_path)
    with pytest.raises(UserError, match=r"none\.yaml cannot be read: No such file"):
        read_candidate(tmp_path / "none.yaml")


def test_reading_a_candidate_does_not_import_torch(tmp_path):
    (tmp_path / "c.yaml").write_text(dump_yaml(tiny().to_dict()))
    code = (
        "import sys, pathlib; from edgenext_search.models.folder import read_candidate;"
        "print(read_candidate(pathlib.Path(sys.argv[1])).fingerprint); assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "c.yaml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == tiny().fingerprint


def test_the_folder_of_a_training_or_a_run_stands_for_its_model(tmp_path):
    winner = tmp_path / "run" / "winners" / "abc"
    for folder in (winner, tmp_path / "trained" / "model"):
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
    (tmp_path / "run" / "summary.json").write_text(json.dumps({"winner": {"fingerprint": "abc"}}))
    assert model_folder(tmp_path / "run") == winner
    assert model_folder(winner) == winner
    assert model_folder(tmp_path / "trained") == tmp_path / "trained" / "model"
    (tmp_path / "run" / "summary.json").write_text(json.dumps({"winner": None}))
    assert model_folder(tmp_path / "run") == tmp_path / "run"


def test_no_model_folder_at_all(tmp_path):
    with pytest.raises(UserError, match=r"There is no .*nowhere\.$"):
        model_folder(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"published variant.*`edgenext-search import CHECKPOINT --variant edgen"):
        model_folder(Path("edgenext_small"))


def test_the_deployment_that_a_folder_was_written_for(tmp_path):
    assert deployment_of(tmp_path) is None
    (tmp_path / "candidate.yaml").write_text("deployment: {num_classes: 4, img_size: 64}")
    assert deployment_of(tmp_path) == Deployment(num_classes=4, img_size=64)
    assert deployment_of(tmp_path / "candidate.yaml") == Deployment(num_classes=4, img_size=64)
    (tmp_path / "c.yaml").write_text("deployment: {num_classes: 4, img_size: 64}")
    assert deployment_of(tmp_path / "c.yaml") is None


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"num_classes": 3, "pretrained_cfg": {"num_classes": 1000, "input_size": [3, 288, 288]}}, (3, 288)),
        ({"pretrained_cfg": {"num_classes": 7}}, (7, 256)),
        ({"num_classes": 3, "model_args": {"num_classes": 5}}, (5, 256)),
        ({"num_classes": 3, "input_size": [3, 96, 96]}, (3, 96)),  # before timm had pretrained_cfg
        ({}, (1000, 256)),
    ],
)
@pytest.mark.parametrize("name", ["", "config.json"])
def test_a_folder_of_timms_has_its_own_classes(tmp_path, config, expected, name):
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "edgenext_small"} | config))
    found = deployment_of(tmp_path / name)
    assert (found.num_classes, found.img_size) == expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("config.json", '{"num_classes": "3"}', "config.json: num_classes must be a whole number"),
        ("config.json", '{"num_classes": -1}', "config.json: num_classes must be >= 1"),
        ("config.json", '{"input_size": [3, 8, 8]}', "config.json: img_size must be >= 32"),
        ("candidate.yaml", "deployment: {classes: 3}", "candidate.yaml: classes must be .* one of num_classes, img_s"),
    ],
)
def test_a_deployment_that_cannot_be_is_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message):
        deployment_of(tmp_path)
