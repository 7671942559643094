import pytest
import torch
from model_folders import save_network
from reference import checkpoint, reference
from strategies import tiny

from edgenext_search.arch.published import published_variant
from edgenext_search.errors import UserError
from edgenext_search.models.build import build
from edgenext_search.training.full.checkpoint import write_checked
from edgenext_search.training.full.init_weights import HEAD, read_init_weights

CLASSES = ("a", "b", "c")


def network(seed, classes=3):
    torch.manual_seed(seed)
    return build(tiny(), num_classes=classes)


def equal(model, other, head=True):
    theirs = other.state_dict()
    return {n for n, v in model.state_dict().items() if not torch.equal(v, theirs[n])} == (
        set() if head else {f"{HEAD}weight", f"{HEAD}bias"}
    )


@pytest.fixture
def folder(tmp_path):
    return save_network(tmp_path / "m", CLASSES, model=network(1))


def test_a_model_folder_of_the_same_classes(folder):
    model = network(2)
    assert read_init_weights(folder).fill(model, CLASSES)
    assert equal(model, network(1))


@pytest.mark.parametrize("classes", [("a", "b", "d"), ("a", "c", "b")])
def test_other_classes_keep_the_new_classifier(folder, classes):
    model = network(2)
    before = model.head.fc.weight.clone()
    assert not read_init_weights(folder).fill(model, classes)
    assert torch.equal(model.head.fc.weight, before)
    assert torch.equal(model.stem[0].weight, network(1).stem[0].weight)


def test_another_number_of_classes(folder):
    model = network(2, classes=5)
    assert not read_init_weights(folder).fill(model, tuple("abcde"))
    assert torch.equal(model.stem[0].weight, network(1).stem[0].weight)


def a_checkpoint(path, **more):
    write_checked(path, {"model": network(0).state_dict(), "ema": network(1).state_dict(), "position": 0, **more})
    return path


@pytest.mark.parametrize("copied", [False, True])
def test_a_checkpoint_of_full_training_gives_its_averaged_weights(tmp_path, copied):
    path = a_checkpoint(tmp_path / "step-000000001.pt")
    if copied:
        path = path.rename(tmp_path / "copy.pt")
    model = network(2)
    assert read_init_weights(path).fill(model, CLASSES)
    assert equal(model, network(1))


def test_a_checkpoint_of_other_classes_keeps_the_new_classifier(tmp_path):
    path = a_checkpoint(tmp_path / "step-000000001.pt", classes=list(CLASSES))
    assert read_init_weights(path).fill(network(2), CLASSES)
    model = network(2)
    assert not read_init_weights(path).fill(model, ("a", "b", "d"))
    assert torch.equal(model.head.fc.weight, network(2).head.fc.weight)
    assert torch.equal(model.stem[0].weight, network(1).stem[0].weight)


def test_a_checkpoint_whose_digest_is_another_is_refused(tmp_path):
    path = a_checkpoint(tmp_path / "step-000000001.pt")
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(UserError, match=r"is damaged.*or give another one"):
        read_init_weights(path)


def test_a_file_of_others_may_have_a_digest_beside_it(tmp_path):
    write_checked(tmp_path / "theirs.pth", {"state_dict": network(1).state_dict()})
    model = network(2)
    assert read_init_weights(tmp_path / "theirs.pth").fill(model, CLASSES)
    assert equal(model, network(1))


def test_a_checkpoint_of_the_repository(tmp_path):
    theirs = reference("edgenext_xx_small")
    torch.save(checkpoint(theirs), tmp_path / "theirs.pth")
    model = build(published_variant("edgenext_xx_small").candidate, num_classes=7)
    assert not read_init_weights(tmp_path / "theirs.pth").fill(model, tuple("abcdefg"))
    assert torch.equal(model.stem[0].weight, theirs.downsample_layers[0][0].weight)


def test_weights_of_another_network_are_refused(folder):
    model = build(tiny(widths=(16, 16, 24, 32)), num_classes=3)
    with pytest.raises(UserError, match=r"has the weights of another network: stem.0.weight 16x3x4x4, here 8x3x4x4"):
        read_init_weights(folder).fill(model, CLASSES)


def test_files_without_weights_are_refused(tmp_path, folder):
    with pytest.raises(UserError, match=r"is not a model folder: it has no config.json; --init takes one, or a check"):
        read_init_weights(tmp_path)
    (folder / "model.safetensors").write_bytes(b"short")
    with pytest.raises(UserError, match="is damaged"):
        read_init_weights(folder)
    with pytest.raises(UserError, match="cannot be read"):
        read_init_weights(tmp_path / "none.pth")
