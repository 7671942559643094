import json
import shutil

import numpy as np
import pytest
import timm
import torch
from model_folders import save_network
from PIL import Image
from safetensors.torch import save_file
from strategies import tiny
from timm.data import create_transform, resolve_data_config
from torchvision.datasets import ImageFolder

from edgenext_search.errors import UserError
from edgenext_search.models.build import build
from edgenext_search.training.evaluation.evaluate import evaluate_folder
from edgenext_search.training.evaluation.export import export_folder

COLOURS = ("black", "blue", "green", "red", "white", "yellow")


def network(classes, seed=0, norm_act="ln_gelu"):
    torch.manual_seed(seed)
    model = build(tiny(norm_act=norm_act), num_classes=len(classes), layer_scale_init=0.5)
    torch.nn.init.normal_(model.head.fc.weight)
    return model


@pytest.fixture
def winner(tmp_path):
    def save(classes=COLOURS, norm_act="ln_gelu", **about):
        model = network(classes, norm_act=norm_act)
        return save_network(
            tmp_path / "winner", classes, model=model, candidate=tiny(norm_act=norm_act), size=48, **about
        )

    return save


def plain_timm(folder, images, **options):
    """What anybody would write with timm alone: top-1 and loss."""
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    transform = create_transform(**resolve_data_config({}, model=model, **options), is_training=False)
    batch, labels = zip(*ImageFolder(str(images), transform=transform), strict=True)
    with torch.inference_mode():
        logits = model(torch.stack(batch))
    labels = torch.tensor(labels)
    return (logits.argmax(1) == labels).double().mean().item(), torch.nn.functional.cross_entropy(logits, labels).item()


@pytest.mark.parametrize("norm_act", ["ln_gelu", "bn_hs"])
def test_the_result_is_that_of_plain_timm(winner, photos, norm_act):
    folder = winner(norm_act=norm_act)
    found = evaluate_folder(folder, str(photos), batch_size=7, workers=1)
    top1, loss = plain_timm(folder, photos / "val")
    assert found.top1 == pytest.approx(top1)
    assert found.loss == pytest.approx(loss, abs=1e-4)
    assert 0 < found.top1 <= found.top5 <= 1
    assert (found.n, found.classes, found.img_size, found.crop_pct, found.unreadable) == (30, 6, 48, 0.9, 0)
    assert found.data == "folder photos"
    assert found.images_per_second > 0


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """Class folders of JPEGs that are noisy at their borders, which a crop of 0.9 cuts off and one of 1.0 does not."""
    root = tmp_path_factory.mktemp("shapes")
    rng = np.random.default_rng(2)
    for kind in range(6):
        (root / f"val/{kind}").mkdir(parents=True)
        for number in range(8):
            height, width = rng.integers(60, 100, 2)
            pixels = rng.integers(0, 256, (height, width, 3))
            pixels[:, width // 10 : -width // 10] = pixels[:, width // 10 : -width // 10] // 3 + 25 * kind
            Image.fromarray(pixels.astype(np.uint8)).save(root / f"val/{kind}/{number}.jpg")
    return root


def test_timms_own_validation_agrees(winner, shapes):
    """``validate.py`` of timm takes the sizes of the test unless told otherwise."""
    folder = winner(classes="012345")
    found = evaluate_folder(folder, str(shapes))
    top1, loss = plain_timm(folder, shapes / "val", use_test_size=True)
    assert found.top1 == pytest.approx(top1)
    assert found.loss == pytest.approx(loss, abs=1e-4)
    config = json.loads((folder / "config.json").read_text())
    config["pretrained_cfg"]["crop_pct"] = 1.0
    (folder / "config.json").write_text(json.dumps(config))
    assert evaluate_folder(folder, str(shapes)).top1 != found.top1  # these images tell


def test_training_images_are_never_read(winner, photos, tmp_path):
    folder = winner()
    data = shutil.copytree(photos, tmp_path / "copy")
    for file in (data / "train").rglob("*.jpg"):
        file.write_bytes(b"not to be opened")
    before = evaluate_folder(folder, str(data))
    shutil.rmtree(data / "train")
    assert evaluate_folder(folder, str(data)).loss == before.loss == evaluate_folder(folder, str(photos)).loss


def test_another_size_is_another_evaluation(winner, photos):
    folder = winner()
    found = evaluate_folder(folder, str(photos), img_size=64)
    assert found.img_size == 64
    assert found.loss != evaluate_folder(folder, str(photos)).loss
    with pytest.raises(UserError, match="img_size must be >= 32"):
        evaluate_folder(folder, str(photos), img_size=16)


def test_classes_are_matched_by_name_whatever_their_order(winner, photos):
    """The classifier's rows in another order, and their names alike: the same network."""
    folder = winner()
    expected = evaluate_folder(folder, str(photos))
    order = [3, 1, 0, 5, 4, 2]
    model = network(COLOURS)
    with torch.no_grad():
        model.head.fc.weight.copy_(model.head.fc.weight[order].clone())
        model.head.fc.bias.copy_(model.head.fc.bias[order].clone())
    save_network(folder, [COLOURS[label] for label in order], model=model, size=48)
    found = evaluate_folder(folder, str(photos))
    assert (found.top1, found.top5) == (expected.top1, expected.top5)
    assert found.loss == pytest.approx(expected.loss, abs=1e-5)


@pytest.mark.parametrize("kept", [("blue", "white", "yellow"), ("red",)])
def test_a_part_of_the_classes(winner, photos, tmp_path, kept):
    """Together, the parts are the whole."""
    folder = winner()
    right = {}
    for name, part in (("kept", kept), ("others", [colour for colour in COLOURS if colour not in kept])):
        data = shutil.copytree(photos, tmp_path / name)
        for colour in set(COLOURS) - set(part):
            shutil.rmtree(data / "val" / colour)
        found = evaluate_folder(folder, str(data))
        assert (found.classes, found.evaluated_classes, found.n) == (6, len(part), 5 * len(part))
        assert found.top5 is not None
        right[name] = found.top1 * found.n
    whole = evaluate_folder(folder, str(photos))
    assert sum(right.values()) == pytest.approx(whole.top1 * whole.n)
    assert whole.evaluated_classes == 6
    files = class_file(tmp_path, *COLOURS)
    assert evaluate_folder(folder, str(tmp_path / "kept"), classes_file=files).evaluated_classes == len(kept)


def test_a_part_with_another_class_is_refused(winner, photos, tmp_path):
    data = shutil.copytree(photos, tmp_path / "part")
    shutil.rmtree(data / "val/blue")
    (data / "val/red").rename(data / "val/rot")
    for options, message in (
        ({}, r"'blue', 'red'.* and 1 is missing in .*winner \('rot'\)"),
        ({"classes_file": class_file(tmp_path, *COLOURS)}, "has no class 'blue' .and 1 more"),
    ):
        with pytest.raises(UserError, match=message):
            evaluate_folder(winner(), str(data), **options)


@pytest.mark.parametrize("norm_act", ["ln_gelu", "bn_hs"])
def test_a_checkpoint_does_as_its_model_folder(winner, photos, tmp_path, norm_act):
    folder = winner(norm_act=norm_act)
    names = {f"module.{name}": tensor for name, tensor in network(COLOURS, norm_act=norm_act).state_dict().items()}
    path = tmp_path / "best.pth"
    other = network(COLOURS, seed=1, norm_act=norm_act).state_dict()
    torch.save({"state_dict": other, "state_dict_ema": names, "img_size": 48}, path)
    found, expected = evaluate_folder(path, str(photos)), evaluate_folder(folder, str(photos))
    assert found.folder == str(path)
    assert found.weights == "ema"
    same = ("top1", "top5", "loss", "img_size", "crop_pct", "fingerprint", "n", "classes")
    assert [getattr(found, name) for name in same] == [getattr(expected, name) for name in same]
    raw = evaluate_folder(path, str(photos), weights="raw", img_size=48)
    assert (raw.weights, raw.loss == found.loss) == ("raw", False)


def test_a_checkpoint_has_names_or_is_matched_by_number(photos, tmp_path):
    path = tmp_path / "x.pth"
    names = network(COLOURS[::-1]).state_dict()
    torch.save({"model": names, "classes": list(COLOURS[::-1]), "img_size": 48}, path)
    named = evaluate_folder(path, str(photos))
    torch.save({"model": names}, path)
    numbered = evaluate_folder(path, str(photos), img_size=48, classes_file=class_file(tmp_path, *COLOURS[::-1]))
    assert (numbered.weights, numbered.top1, numbered.loss) == (None, named.top1, named.loss)
    assert evaluate_folder(path, str(photos)).img_size == 256
    with pytest.raises(UserError, match=r"m\.onnx is an ONNX file; give the model folder or checkpoint"):
        evaluate_folder(tmp_path / "m.onnx", str(photos))


def test_few_classes_have_no_top5(winner, photos, tmp_path):
    data = shutil.copytree(photos, tmp_path / "two")
    for name in COLOURS[2:]:
        shutil.rmtree(data / "val" / name)
    assert evaluate_folder(winner(classes=COLOURS[:2]), str(data)).top5 is None


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (
            ("red", "green"),
            r"but 4 are missing in .*winner \('black', 'blue', 'white', \.\.\.\)\. Give the data",
        ),
        (
            (*COLOURS[:5], "pink"),
            r"1 is missing in .* folder photos \('pink'\), and 1 is missing in .*winner \('yellow'\)",
        ),
    ],
)
def test_other_classes_are_refused_with_their_difference(winner, photos, classes, message):
    with pytest.raises(UserError, match=message):
        evaluate_folder(winner(classes=classes), str(photos))


def class_file(folder, *names):
    path = folder / "classes.txt"
    path.write_text("\n".join(names))
    return path


def test_a_file_says_what_data_call_the_classes(winner, photos, tmp_path):
    expected = evaluate_folder(winner(), str(photos))
    folder = winner(classes=("schwarz", "blau", "gruen", "rot", "weiss", "gelb"))
    with pytest.raises(UserError, match="6 are missing in the validation images of folder photos"):
        evaluate_folder(folder, str(photos))
    found = evaluate_folder(folder, str(photos), classes_file=class_file(tmp_path, *COLOURS))
    assert (found.top1, found.loss) == (expected.top1, expected.loss)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (COLOURS[:3], r"must name a class for each of the 6 outputs of .*, not 3"),
        ((*COLOURS[1:], COLOURS[0]), r"its line 1 is 'blue', while output 0 of .*winner is 'black'"),
    ],
)
def test_a_file_against_the_models_own_names_is_refused(winner, photos, tmp_path, names, message):
    with pytest.raises(UserError, match=message):
        evaluate_folder(winner(), str(photos), classes_file=class_file(tmp_path, *names))


def test_a_model_without_names_is_matched_by_number(winner, photos, tmp_path):
    folder = winner()
    expected = evaluate_folder(folder, str(photos))
    config = json.loads((folder / "config.json").read_text())
    del config["label_names"]
    (folder / "config.json").write_text(json.dumps(config))
    assert evaluate_folder(folder, str(photos)).loss == expected.loss
    data = shutil.copytree(photos, tmp_path / "fewer")
    shutil.rmtree(data / "val" / "red")
    with pytest.raises(UserError, match=r"has 6 outputs, but folder fewer has 5 classes"):
        evaluate_folder(folder, str(data))


def test_either_of_two_weights(winner, photos):
    folder = winner()
    save_file(network(COLOURS, seed=1).state_dict(), folder / "raw.safetensors")
    averaged, raw = (evaluate_folder(folder, str(photos), weights=which) for which in ("ema", "raw"))
    assert (averaged.weights, raw.weights) == ("ema", "raw")
    assert averaged.loss == evaluate_folder(folder, str(photos)).loss != raw.loss


@pytest.mark.parametrize(
    ("about", "asked", "message"),
    [
        ({}, "raw", "has no raw weights, but weights of no stated kind alone"),
        ({"which": "ema"}, "raw", "has no raw weights, but those of the average alone"),
        ({"which": "last"}, "ema", "has no ema weights, but those of the last step alone"),
    ],
)
def test_weights_that_are_not_there_are_refused(winner, photos, about, asked, message):
    with pytest.raises(UserError, match=message):
        evaluate_folder(winner(**about), str(photos), weights=asked)


def test_no_model_folder(tmp_path, photos):
    with pytest.raises(UserError, match="is not a model folder"):
        evaluate_folder(tmp_path, str(photos))


@pytest.mark.parametrize("uint8", [False, True])
def test_an_exported_file_does_as_its_network(winner, photos, tmp_path, uint8):
    folder = winner()
    path = tmp_path / "m.onnx"
    export_folder(folder, out=path, uint8=uint8, img_size=64)
    found, network = evaluate_folder(folder, str(photos), onnx=path), evaluate_folder(folder, str(photos), img_size=64)
    assert (found.onnx, found.weights, found.img_size, found.n) == (str(path), None, 64, 30)
    assert (found.top1, found.top5) == (network.top1, network.top5)
    assert found.loss == pytest.approx(network.loss, abs=1e-4)
    assert network.onnx is None


def test_a_quantized_file_does_a_little_worse(winner, photos, tmp_path):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    folder = winner()
    export_folder(folder, out=tmp_path / "m.onnx")
    quantize_dynamic(tmp_path / "m.onnx", tmp_path / "int8.onnx", weight_type=QuantType.QUInt8)
    found = evaluate_folder(folder, str(photos), onnx=tmp_path / "int8.onnx")
    network = evaluate_folder(folder, str(photos))
    assert 0 < abs(found.loss - network.loss) < 0.5


def test_logits_that_are_not_finite_are_refused(photos, tmp_path):
    broken = network(COLOURS)
    torch.nn.init.constant_(broken.head.fc.bias, torch.nan)
    save_network(tmp_path / "model", COLOURS, model=broken)
    with pytest.raises(UserError, match="must answer with finite logits"):
        evaluate_folder(tmp_path / "model", str(photos))


def test_an_onnx_file_that_does_not_fit_is_refused(winner, photos, tmp_path):
    folder = winner()
    path = tmp_path / "m.onnx"
    export_folder(folder, out=path)
    with pytest.raises(UserError, match=r"takes images of 48 px, not of 64; leave out --img-size"):
        evaluate_folder(folder, str(photos), onnx=path, img_size=64)
    with pytest.raises(UserError, match="leave out --weights"):
        evaluate_folder(folder, str(photos), onnx=path, weights="ema")
    other = tmp_path / "other"
    save_network(other, COLOURS[:3], size=48)
    export_folder(other, out=path)
    with pytest.raises(UserError, match=r"an output for each of 6 classes, but has \[3\]"):
        evaluate_folder(folder, str(photos), onnx=path)
