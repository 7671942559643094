import argparse
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from strategies import candidates, tiny

from edgenext_search.errors import DataError
from edgenext_search.models.build import build
from edgenext_search.models.checkpoint import read_checkpoint, repository_name

CLASSES = 3


@cache
def network(seed, candidate=None):
    torch.manual_seed(seed)
    return build(candidate or tiny(), num_classes=CLASSES)


def state(seed, prefix="", **more):
    return {f"{prefix}{name}": tensor for name, tensor in network(seed).state_dict().items()} | more


def saved(path, content):
    torch.save(content, path)
    return path


def same(checkpoint, seed):
    """Whether a checkpoint has the weights of a seed."""
    return {name: value.tolist() for name, value in checkpoint.weights.items()} == {
        name: value.tolist() for name, value in network(seed).state_dict().items()
    }


PREFIXES = ("", "module.", "_orig_mod.", "model.", "net.", "network.", "module._orig_mod.", "_orig_mod.module.")
PREFIXES += ("model.module.", "model._orig_mod.", "_orig_mod.model.", "net.module._orig_mod.", "_forward_module.model.")


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("key", [None, "state_dict", "model_ema", "state_dict_ema"])
def test_what_wraps_a_network_is_taken_off(tmp_path, prefix, key):
    names = state(1, prefix)
    found = read_checkpoint(saved(tmp_path / "x.ckpt", names if key is None else {key: names, "epoch": 3}))
    assert same(found, 1)
    assert found.averaged is (True if key in ("model_ema", "state_dict_ema") else None)
    assert found.entry == (key or "state dict")


LIGHTNING = {"pytorch-lightning_version": "2.5", "epoch": 1, "callbacks": {}, "hyper_parameters": {"lr": 0.1}}


@pytest.mark.parametrize("raw", ["model.", "net.", "model._orig_mod.", ""])
@pytest.mark.parametrize("averaged", ["model_ema.", "ema.", "ema_model.module.", "model_ema.module.", "ema._orig_mod."])
def test_averaged_weights_within_a_state_dict(tmp_path, raw, averaged):
    beside = {"loss.weight": torch.ones(4), "n_averaged": torch.tensor(3)} if raw else {}
    names = {**state(1, raw), **state(2, averaged), **beside}
    path = saved(tmp_path / "x.ckpt", {"state_dict": names, **LIGHTNING})
    for weights, seed in ((None, 2), ("ema", 2), ("model", 1)):
        found = read_checkpoint(path, weights)
        assert same(found, seed)
        assert found.averaged is (seed == 2)


@pytest.mark.parametrize(
    ("content", "weights", "seed"),
    [
        ({"state_dict": state(1), "state_dict_ema": state(2, "module.")}, None, 2),  # timm
        ({"state_dict": state(1), "state_dict_ema": state(2, "module.")}, "model", 1),
        ({"state_dict": state(1), "model_ema": None}, None, 1),  # training without an average
        ({"model": "edgenext", "state_dict": state(1)}, None, 1),
        ({"model": {"state_dict": state(1, "module.")}}, None, 1),
        ({"module": state(1), "optimizer": {"state": {}}}, None, 1),  # DeepSpeed
        (state(1, "module.", n_averaged=torch.tensor(7)), None, 1),  # AveragedModel of torch
        ({"state_dict": {**state(1, "student."), **state(2, "teacher.")}}, None, 1),
        ({"state_dict": {**state(1, "model."), **state(2, "teacher.")}}, None, 1),
    ],
)
def test_where_trainers_keep_them(tmp_path, content, weights, seed):
    assert same(read_checkpoint(saved(tmp_path / "x.pth", content), weights), seed)


def test_compiled_blocks(tmp_path):
    names = {name.replace("blocks.", "blocks._orig_mod."): tensor for name, tensor in state(1).items()}
    assert same(read_checkpoint(saved(tmp_path / "x.pth", names)), 1)


def recursive():
    content = {}
    content["model"] = content
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"state_dict": {**state(1, "a."), **state(2, "b.")}}, r"its state_dict has a\.stem.* b\.stem.*; save one"),
        ({**state(1), **state(2, "_orig_mod.")}, "must differ by more than"),
        (recursive(), "must hold a state dict"),
    ],
)
def test_what_is_not_one_network_is_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read_checkpoint(saved(tmp_path / "x.pth", content))


def test_a_digest_beside_the_file_is_compared(tmp_path):
    path = saved(tmp_path / "x.pth", state(1))
    digest = tmp_path / "x.pth.sha256"
    for text in ("not one", read_checkpoint(path).sha256, f"{read_checkpoint(path).sha256.upper()}  x.pth"):
        digest.write_text(text)
        assert same(read_checkpoint(path), 1)
    digest.write_text("0" * 64)
    with pytest.raises(DataError, match=r"x\.pth is damaged: its digest is not the one in x\.pth\.sha256"):
        read_checkpoint(path)


@pytest.mark.parametrize("names", [["a", "b", "c"], ["a", "b"], [1, 2, 3], "abc", None])
@pytest.mark.parametrize("size", [96, 8, "96", None])
def test_facts_that_a_file_may_hold(tmp_path, names, size):
    content = {"model": state(1), "classes": names, "args": argparse.Namespace(input_size=size)}
    found = read_checkpoint(saved(tmp_path / "x.pth", content))
    assert found.classes == (("a", "b", "c") if names == ["a", "b", "c"] else None)
    assert found.img_size == (96 if size == 96 else None)


@settings(max_examples=15)
@given(candidate=candidates(max_width=48, max_depth=3))
@pytest.mark.parametrize("rename", [str, repository_name])
def test_the_network_is_found_from_its_weights(tmp_path_factory, candidate, rename):
    model = network(1, candidate)
    names = {rename(name): tensor for name, tensor in model.state_dict().items()}
    found, filled = read_checkpoint(saved(tmp_path_factory.mktemp("x") / "x.pth", names)).network()
    assert found == candidate
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in filled.state_dict().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stages.1.blocks.1.gamma": None}, r"stages\.1\.blocks\.1\.gamma \(16\) is missing"),
        ({"head.fc.weight": None}, r"head\.fc\.weight"),
        ({"more": torch.ones(2)}, r"more \(2\) is too many"),
        ({"stem.0.weight": None}, "must name its weights as timm"),
        ({"stages.4.blocks.0.gamma": torch.ones(2)}, "not hold the weights of an EdgeNeXt of the paper's blocks"),
        ({"stages.0.blocks.0.gamma": torch.tensor(1.0)}, "not hold the weights of an EdgeNeXt of the paper's blocks"),
        ({"stages.1.blocks.1.xca.temperature": torch.ones(5, 1, 1)}, "not hold the weights of an EdgeNeXt of the pap"),
    ],
)
def test_what_is_no_edgenext_is_refused(tmp_path, change, message):
    names = {name: tensor for name, tensor in {**state(1), **change}.items() if tensor is not None}
    with pytest.raises(DataError, match=message):
        read_checkpoint(saved(tmp_path / "x.pth", names)).network()
