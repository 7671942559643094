import json
import os
import pathlib
import pickle

import pytest
import timm
import torch
from reference import VARIANTS, checkpoint, reference
from safetensors.torch import save_file
from strategies import seeded
from timm.models.edgenext import checkpoint_filter_fn

import edgenext_search.models.bn_hs  # noqa: F401 - registers those networks with timm
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.published import published_variant, published_variants
from edgenext_search.errors import UserError
from edgenext_search.files import parse_yaml
from edgenext_search.models.build import build
from edgenext_search.models.checkpoint import read_checkpoint, repository_name
from edgenext_search.models.folder import read_candidate
from edgenext_search.models.import_ import import_checkpoint, read_class_names

XXS = "edgenext_xx_small"


def saved(path, content):
    torch.save(content, path)
    return path


def logits(model, size=64):
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1)).double()
    with torch.inference_mode():
        return model.double().eval()(images)


def load(folder):
    return timm.create_model(f"local-dir:{folder}", pretrained=True)


def test_all_published_variants_have_a_reference():
    assert set(VARIANTS) == set(published_variants())


@pytest.mark.parametrize("variant", VARIANTS)
def test_timm_loads_what_is_imported_with_the_logits_of_the_reference(tmp_path, variant):
    network = reference(variant)
    file = saved(tmp_path / "published.pth", checkpoint(reference(variant, seed=1), ema=network))
    facts = import_checkpoint(file, tmp_path / "model", variant=variant)
    assert facts.weights.entry == "model_ema"
    expected = logits(network)
    assert expected.std(dim=0).min() > 1e-3  # the images matter
    assert torch.allclose(logits(load(tmp_path / "model")), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("variant", ["edgenext_xx_small", "edgenext_xx_small_bn_hs"])
@pytest.mark.parametrize("size", [96, 72])
def test_at_other_sizes_too(tmp_path, variant, size):
    network = reference(variant)
    import_checkpoint(saved(tmp_path / "x.pth", network.state_dict()), tmp_path / "model", variant=variant)
    assert torch.allclose(logits(load(tmp_path / "model"), size), logits(network, size), atol=1e-5, rtol=0)


@pytest.mark.parametrize("variant", [name for name in VARIANTS if not name.endswith("_bn_hs")])
def test_the_names_are_those_of_timms_own_filter(variant):
    network = reference(variant)
    model = build(published_variant(variant).candidate, num_classes=5)
    theirs = checkpoint_filter_fn(network.state_dict(), model)
    assert theirs.keys() == model.state_dict().keys()
    for name, tensor in theirs.items():
        assert tensor is not None
        assert torch.equal(tensor, network.state_dict()[repository_name(name)])


def test_every_tensor_of_the_file_is_used_once():
    for variant in VARIANTS:
        names = build(published_variant(variant).candidate, num_classes=5).state_dict()
        assert sorted(map(repository_name, names)) == sorted(reference(variant).state_dict())


@pytest.mark.parametrize("entry", ["model", "state_dict", "model_ema", None])
def test_weights_are_found_wherever_the_repository_puts_them(tmp_path, entry):
    network = reference(XXS)
    state = network.state_dict()
    file = saved(tmp_path / "x.pth", state if entry is None else {entry: state, "epoch": 1})
    facts = import_checkpoint(file, tmp_path / "model", variant=XXS)
    assert facts.weights.entry == (entry or "state dict")
    assert torch.allclose(logits(load(tmp_path / "model")), logits(network), atol=1e-5)


def test_which_weights_can_be_said(tmp_path):
    file = saved(tmp_path / "x.pth", checkpoint(reference(XXS, seed=1), ema=reference(XXS, seed=2)))
    for weights, entry, seed in ((None, "model_ema", 2), ("ema", "model_ema", 2), ("model", "model", 1)):
        read = read_checkpoint(file, weights)
        assert read.entry == entry
        assert torch.equal(read.weights["norm.weight"], reference(XXS, seed=seed).norm.weight)


def test_safetensors_are_read(tmp_path):
    network = reference(XXS)
    save_file(network.state_dict(), tmp_path / "x.safetensors")
    import_checkpoint(tmp_path / "x.safetensors", tmp_path / "model", variant=XXS)
    assert torch.allclose(logits(load(tmp_path / "model")), logits(network), atol=1e-5)


def test_files_of_old_torch_are_read(tmp_path):
    torch.save(checkpoint(reference(XXS)), tmp_path / "x.pth", _use_new_zipfile_serialization=False)
    assert read_checkpoint(tmp_path / "x.pth").num_classes == 5


def test_half_precision_is_widened(tmp_path):
    network = reference(XXS).half()
    import_checkpoint(saved(tmp_path / "x.pth", network.state_dict()), tmp_path / "model", variant=XXS)
    loaded = load(tmp_path / "model")
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    assert torch.allclose(logits(loaded), logits(network), atol=1e-5)


def test_the_folder_says_what_it_is_and_where_it_comes_from(tmp_path):
    file = saved(tmp_path / "edgenext.pth", checkpoint(reference(XXS, num_classes=3)))
    facts = import_checkpoint(file, tmp_path / "model", variant=XXS, img_size=96, class_names=["a", "b", "c"])
    candidate, deployment = published_variant(XXS).candidate, Deployment(num_classes=3, img_size=96)
    assert read_candidate(tmp_path / "model") == candidate
    written = parse_yaml((tmp_path / "model/candidate.yaml").read_text())
    assert written["deployment"] == {"num_classes": 3, "img_size": 96}
    source = {"file": "edgenext.pth", "sha256": facts.weights.sha256, "entry": "model"}
    assert written["weights"] == {"num_classes": 3, "img_size": 96, **source}
    config = json.loads((tmp_path / "model/config.json").read_text())
    assert config["label_names"] == ["a", "b", "c"]
    assert config["pretrained_cfg"]["input_size"] == [3, 96, 96]
    assert facts.to_dict() == {
        "model_dir": str(tmp_path / "model"),
        "variant": XXS,
        "fingerprint": candidate.fingerprint,
        "candidate": candidate.to_dict(),
        "num_classes": 3,
        "img_size": 96,
        **cost(candidate, deployment).to_dict(),
        "weights": source,
    }


def test_classes_without_names_are_numbered(tmp_path):
    import_checkpoint(saved(tmp_path / "x.pth", checkpoint(reference(XXS))), tmp_path / "model", variant=XXS)
    assert json.loads((tmp_path / "model/config.json").read_text())["label_names"] == ["0", "1", "2", "3", "4"]


class Hidden:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def cut_short(path, content):
    saved(path, content)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def write_numbers(path):
    saved(path, {"model": {"head.weight": 3}})


def write_nan(path):
    state = reference(XXS).state_dict()
    state["stages.0.1.norm.weight"][3] = float("nan")
    saved(path, {"model_ema": state})


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, "x.pth cannot be read: No such file or directory."),
        (lambda path: path.mkdir(), "x.pth cannot be read: Is a directory."),
        (lambda path: path.write_bytes(b""), "x.pth is not a checkpoint that torch.save wrote, or is cut short"),
        (lambda path: path.write_text("<html>404</html>"), "x.pth is not a checkpoint that torch.save wrote"),
        (
            lambda path: path.write_bytes(seeded(0).randbytes(5000)),
            "x.pth is not a checkpoint that torch.save wrote",
        ),
        (lambda path: path.write_bytes(pickle.dumps([1, 2])), "x.pth is not a checkpoint that torch.save wrote"),
        (lambda path: cut_short(path, checkpoint(reference(XXS))), "x.pth is not a checkpoint .* or is cut short"),
        (lambda path: saved(path, {"model": {}, "x": Hidden()}), "x.pth must .* but needs posix.mkdir, and loading"),
        (lambda path: saved(path, {"args": pathlib.PurePosixPath()}), "but needs pathlib.*PurePosixPath, and"),
        (lambda path: saved(path, reference(XXS)), "but needs reference.Reference, .* state dict alone"),
        (lambda path: saved(path, [torch.ones(2)]), "x.pth must hold a mapping of names to weights, but holds list"),
        (lambda path: saved(path, torch.ones(2)), "x.pth must hold a mapping .* but holds Tensor"),
        (lambda path: saved(path, {"epoch": 3}), "x.pth must hold a state dict, .* but epoch of its state dict is int"),
        (lambda path: saved(path, {"model_ema": 3}), "x.pth: model_ema must be a state dict, but is int"),
        (write_numbers, "x.pth must hold a state dict, .* but head.weight of its model is int"),
        (write_nan, "finite, but stages.0.1.norm.weight of its model_ema has NaN"),
    ],
)
def test_what_is_no_checkpoint_is_refused(tmp_path, monkeypatch, write, message):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "x.pth")
    with pytest.raises(UserError, match=message):
        import_checkpoint(tmp_path / "x.pth", tmp_path / "model", variant=XXS)
    assert not (tmp_path / "model").exists()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"\x00" * 64])
def test_broken_safetensors_are_refused(tmp_path, content):
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.safetensors is not a safetensors file, or is cut short"):
        read_checkpoint(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("content", "weights", "message"),
    [
        ({"model": {}}, "ema", r"has no averaged weights: it has model\."),
        ({"model_ema": {}}, "model", r"has no raw weights: it has model_ema\."),
        ({"norm.weight": torch.ones(2)}, "ema", r"has no averaged weights: it is a bare state dict\."),
    ],
)
def test_weights_that_are_not_there_are_refused(tmp_path, content, weights, message):
    with pytest.raises(UserError, match=message):
        read_checkpoint(saved(tmp_path / "x.pth", content), weights)


@pytest.mark.parametrize(
    ("actual", "given", "message"),
    [
        (
            "edgenext_x_small",
            XXS,
            "downsample_layers.0.0.weight is 32x3x4x4, must be 24x3x4x4; downsample_layers.0.0.b",
        ),
        ("edgenext_xx_small_bn_hs", XXS, "downsample_layers.0.0.bias .24. is missing"),
        ("edgenext_x_small_bn_hs", "edgenext_small_bn_hs", "0.0.weight is 32x3x4x4, must be 48x3x4x4"),
    ],
)
def test_another_published_variant_is_recognised(tmp_path, actual, given, message):
    file = saved(tmp_path / "x.pth", checkpoint(reference(actual, num_classes=7)))
    with pytest.raises(UserError, match=rf"x\.pth does not fit {given}: .*{message}") as caught:
        import_checkpoint(file, tmp_path / "model", variant=given)
    assert str(caught.value).endswith(f" more. The file fits {actual}; give --variant {actual}.")
    assert not (tmp_path / "model").exists()


def test_networks_of_nobody_are_refused_with_what_differs(tmp_path):
    state = reference(XXS).state_dict()
    del state["stages.1.1.gamma_xca"]
    state["stages.2.5.xca.temperature"] = torch.ones(8, 1, 1)
    state["pos_embd.token_projection.weight"] = torch.ones(24, 64, 1, 1)
    with pytest.raises(UserError) as caught:
        import_checkpoint(saved(tmp_path / "x.pth", state), tmp_path / "model", variant=XXS)
    assert str(caught.value) == (
        f"{tmp_path / 'x.pth'} does not fit edgenext_xx_small: stages.1.1.gamma_xca (48) is missing; "
        "stages.2.5.xca.temperature is 8x1x1, must be 4x1x1; "
        "pos_embd.token_projection.weight (24x64x1x1) is too many. It fits no published variant."
    )


@pytest.mark.parametrize(
    ("state", "first"), [({}, "none"), ({"module.norm.weight": torch.ones(2)}, "module.norm.weight")]
)
def test_names_of_nobody_are_refused(tmp_path, state, first):
    file = saved(tmp_path / "x.pth", {"model": state})
    with pytest.raises(UserError, match=rf"must name its weights as timm .* but its model has {first}\."):
        import_checkpoint(file, tmp_path / "model", variant=XXS)


@pytest.mark.parametrize("variant", [XXS, f"{XXS}_bn_hs"])
def test_timms_names_are_taken_too(tmp_path, variant):
    network = build(published_variant(variant).candidate, num_classes=2, layer_scale_init=0.5)
    file = saved(tmp_path / "x.pth", {"state_dict": network.state_dict(), "arch": variant, "epoch": 3})
    assert import_checkpoint(file, tmp_path / "model", variant=variant).num_classes == 2
    assert torch.equal(logits(load(tmp_path / "model")), logits(network))


def test_facts_of_the_checkpoint_are_the_defaults(tmp_path):
    network = build(published_variant(XXS).candidate, num_classes=2)
    state = {"ema": network.state_dict(), "model": network.state_dict(), "classes": ["cat", "dog"], "img_size": 96}
    assert import_checkpoint(saved(tmp_path / "x.pt", state), tmp_path / "model", variant=XXS).img_size == 96
    assert json.loads((tmp_path / "model/config.json").read_text())["label_names"] == ["cat", "dog"]


@pytest.mark.parametrize("head", [None, torch.ones(3), torch.ones(0, 168)])
def test_a_file_without_a_classifier_is_refused(tmp_path, head):
    state = reference(XXS).state_dict()
    state.update({"head.weight": head} if head is not None else {})
    if head is None:
        del state["head.weight"]
    with pytest.raises(UserError, match=r"head\.weight"):
        import_checkpoint(saved(tmp_path / "x.pth", state), tmp_path / "model", variant=XXS)


def test_what_can_be_checked_is_checked_before_the_file_is_read(tmp_path, monkeypatch):
    def never(*_):
        raise AssertionError("the checkpoint was read")

    monkeypatch.setattr("edgenext_search.models.import_.read_checkpoint", never)
    (tmp_path / "used").mkdir()
    (tmp_path / "used/notes.txt").write_text("mine")
    file = tmp_path / "x.pth"
    for folder, change, message in (
        (tmp_path / "model", {"variant": "edgenext_tiny"}, "no published variant 'edgenext_tiny'; there are edgenext"),
        (tmp_path / "model", {"img_size": 16}, "img_size must be >= 32"),
        (tmp_path / "used", {}, "used exists and is not empty; give another folder with --out"),
        (tmp_path / "used/notes.txt", {}, "notes.txt cannot be written: .*notes.txt is no folder to write in"),
        (tmp_path / "used/notes.txt/model", {}, "model cannot be written: .*notes.txt is no folder to write in"),
    ):
        with pytest.raises(UserError, match=message):
            import_checkpoint(file, folder, **{"variant": XXS, **change})
    assert (tmp_path / "used/notes.txt").read_text() == "mine"


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "model").mkdir()
    import_checkpoint(saved(tmp_path / "x.pth", checkpoint(reference(XXS))), tmp_path / "model", variant=XXS)
    assert (tmp_path / "model/model.safetensors").is_file()


def test_as_many_names_as_classes(tmp_path):
    file = saved(tmp_path / "x.pth", checkpoint(reference(XXS)))
    with pytest.raises(UserError, match=r"x\.pth has 5 classes, but --classes names 2\."):
        import_checkpoint(file, tmp_path / "model", variant=XXS, class_names=["a", "b"])
    assert not (tmp_path / "model").exists()


def test_a_disk_that_fails_is_a_clear_message(tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    file = saved(tmp_path / "x.pth", checkpoint(reference(XXS)))
    with pytest.raises(UserError, match="model cannot be written: No space left on device"):
        import_checkpoint(file, tmp_path / "model", variant=XXS)


def test_class_names_are_read_line_by_line(tmp_path):
    (tmp_path / "names.txt").write_bytes("\ufeffgrey whale\r\ncrane \nmaillot\ncrane\n\n".encode())
    assert read_class_names(tmp_path / "names.txt") == ["grey whale", "crane", "maillot", "crane"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "names.txt cannot be read: No such file"),
        (b"", "one class name a line, but line 1 is empty"),
        (b"a\n\nb\n", "one class name a line, but line 2 is empty"),
        (b"\xff\xfea", "names.txt must be UTF-8 text, one class name a line"),
    ],
)
def test_a_file_without_class_names_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "names.txt").write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_class_names(tmp_path / "names.txt")
