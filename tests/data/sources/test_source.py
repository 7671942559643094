import subprocess
import sys

import pytest

from edgenext_search.data.sources.builtin import BuiltinSource
from edgenext_search.data.sources.class_folders import FolderSource
from edgenext_search.data.sources.open import open_source
from edgenext_search.errors import UserError


def test_no_data_means_the_built_in_set():
    assert isinstance(open_source(None), BuiltinSource)


def test_an_existing_folder_wins_over_a_dataset_name(tmp_path, monkeypatch):
    from PIL import Image

    for name in ("a", "b"):
        (tmp_path / "torch/mnist/train" / name).mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(tmp_path / "torch/mnist/train" / name / "x.png")
    monkeypatch.chdir(tmp_path)
    assert isinstance(open_source("torch/mnist"), FolderSource)


@pytest.mark.parametrize("data", ["no/such/folder", "imagenette", "hfids/x"])
def test_nothing_that_holds_images(data):
    with pytest.raises(UserError, match=r"torch/, hfds/, tfds/, wds/, but '.*' is none of these: there is nothing at"):
        open_source(data)


def test_a_file_is_no_folder(tmp_path):
    file = tmp_path / "images.zip"
    file.write_bytes(b"")
    with pytest.raises(UserError, match="there is a file at"):
        open_source(str(file))


@pytest.mark.parametrize("scheme", ["torch/mnist", "wds/photos"])
def test_named_datasets_need_a_data_dir(scheme):
    with pytest.raises(UserError, match="--data-dir"):
        open_source(scheme)


def test_the_room_imports_without_the_training_libraries():
    heavy = "{'torch', 'timm', 'torchvision', 'optuna', 'pandas'}"
    code = (
        "import sys, importlib, pkgutil, edgenext_search.data as d\n"
        "[importlib.import_module('edgenext_search.data.' + m.name) for m in pkgutil.iter_modules(d.__path__)]\n"
        f"found = {heavy} & set(sys.modules)\n"
        "sys.exit(str(found) if found else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
