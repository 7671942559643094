import onnx
import pytest
import torch
from strategies import tiny

from edgenext_search.arch.cost import Deployment
from edgenext_search.errors import UserError
from edgenext_search.files import dump_yaml
from edgenext_search.models import measurable
from edgenext_search.models.export import ExportError
from edgenext_search.models.measurable import OPSET, export_for_measuring, find_measurable

SMALL = Deployment(num_classes=5, img_size=64)


def shape_of(value):
    return [size.dim_value for size in value.type.tensor_type.shape.dim]


@pytest.mark.parametrize("norm_act", ["ln_gelu", "bn_hs"])
def test_the_file_has_the_deployment(tmp_path, norm_act):
    path = tmp_path / "model.onnx"
    difference = export_for_measuring(tiny(norm_act=norm_act), SMALL, path)
    assert 0 <= difference < 1e-5
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    (image,), (logits,) = model.graph.input, model.graph.output
    assert (image.name, shape_of(image)) == ("image", [1, 3, 64, 64])
    assert (logits.name, shape_of(logits)) == ("logits", [1, 5])
    assert [entry.version for entry in model.opset_import if not entry.domain] == [OPSET]
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


def test_the_seed_decides_the_weights_and_the_global_one_is_left_alone(tmp_path):
    torch.manual_seed(7)
    state = torch.random.get_rng_state()
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        export_for_measuring(tiny(), SMALL, tmp_path / name, seed=seed)
    assert torch.equal(torch.random.get_rng_state(), state)
    a, b, c = (_weights(tmp_path / name) for name in "abc")
    assert a == b
    assert a != c


def _weights(path):
    return [tensor.raw_data for tensor in onnx.load(path).graph.initializer]


def test_a_wrong_file_is_an_error_and_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(measurable, "TOLERANCE", -1.0)
    with pytest.raises(ExportError, match="must equal torch"):
        export_for_measuring(tiny(), SMALL, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_it_says_nothing(tmp_path, capfd):
    export_for_measuring(tiny(), SMALL, tmp_path / "model.onnx")
    assert capfd.readouterr() == ("", "")


def test_what_people_name(tmp_path):
    new = tmp_path / "new.onnx"
    fields = tmp_path / "candidate.yaml"
    fields.write_text(dump_yaml(tiny().to_dict()))
    assert find_measurable(str(fields), SMALL, new) == new
    assert shape_of(onnx.load(new).graph.input[0])[-1] == 64
    assert find_measurable(str(new), None, tmp_path / "unused.onnx") == new

    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "candidate.yaml").write_text(fields.read_text())
    (folder / "model.onnx").write_bytes(b"the winner's own")
    assert find_measurable(str(folder), None, tmp_path / "unused.onnx") == folder / "model.onnx"
    assert not (tmp_path / "unused.onnx").exists()
    again = tmp_path / "again.onnx"
    assert find_measurable(str(folder), SMALL, again) == again
    assert again.is_file()


def test_a_folder_without_a_file_has_its_own_deployment(tmp_path):
    (tmp_path / "candidate.yaml").write_text(
        dump_yaml({"candidate": tiny().to_dict(), "deployment": {"num_classes": 5, "img_size": 64}})
    )
    written = onnx.load(find_measurable(str(tmp_path), None, tmp_path / "new.onnx")).graph
    assert (shape_of(written.input[0])[-1], shape_of(written.output[0])) == (64, [1, 5])


def test_refusals(tmp_path):
    (tmp_path / "a.onnx").touch()
    with pytest.raises(UserError, match=r"There is no model none\.onnx"):
        find_measurable("none.onnx", None, tmp_path / "new")
    with pytest.raises(UserError, match="leave out --num-classes and --img-size"):
        find_measurable(str(tmp_path / "a.onnx"), SMALL, tmp_path / "new")
    with pytest.raises(UserError, match="There is no 'nothing'"):
        find_measurable("nothing", None, tmp_path / "new")
