"""Where the validation images of a folder lie, or which they are where nothing says so."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edgenext_search.data.sources.class_folders import FolderSource
from edgenext_search.data.sources.layout import VAL_NAMES, split_by_name
from edgenext_search.errors import UserError


def add_images(folder, *names, classes=("cat", "dog")):
    for kind in classes:
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for value, name in enumerate(names):
            Image.new("RGB", (4, 4), (value, 0, 0)).save(folder / kind / name)


def names_of(source):
    return {source.image_name(row) for row in range(len(source.labels))}


@pytest.mark.parametrize("name", VAL_NAMES)
def test_validation_images_have_many_names(tmp_path, name):
    add_images(tmp_path / "train", "1.png")
    add_images(tmp_path / name, "2.png")
    train, val = FolderSource(tmp_path), FolderSource(tmp_path, "val")
    assert names_of(train) == {"cat/1.png", "dog/1.png"}
    assert names_of(val) == {"cat/2.png", "dog/2.png"}
    said = f"folder {tmp_path.name}: {name}/ holds the validation images, which no search looks at."
    assert train.notes == val.notes == (() if name == "val" else (said,))


def test_of_several_the_test_images_come_last(tmp_path):
    for number, name in enumerate(("train", "test", "valid")):
        add_images(tmp_path / name, f"{number}.png")
    val = FolderSource(tmp_path, "val")
    assert names_of(val) == {"cat/2.png", "dog/2.png"}
    assert val.notes[0].endswith("valid/ holds the validation images, which no search looks at; not used: test/.")


def test_class_folders_alone_are_split(tmp_path):
    add_images(tmp_path, *(f"{number}.png" for number in range(10)))
    train, val = FolderSource(tmp_path), FolderSource(tmp_path, "val")
    assert (len(train.labels), len(val.labels)) == (16, 4)
    assert np.bincount(val.labels).tolist() == [2, 2]
    assert names_of(train).isdisjoint(names_of(val))
    assert train.classes == val.classes == ("cat", "dog")
    assert "4 of 20 images, a fifth of each class chosen by name, are the validation images" in train.notes[0]
    assert names_of(FolderSource(tmp_path, "val")) == names_of(val)
    train.load(0)


def test_several_sets_are_no_set(tmp_path):
    for name in ("pets", "cars"):
        add_images(tmp_path / name / "train", "1.png")
    with pytest.raises(UserError, match=r"holds several sets of images, such as .*cars; give one of them"):
        FolderSource(tmp_path)


@given(counts=st.lists(st.integers(1, 30), min_size=1, max_size=5))
def test_a_fifth_of_each_class_is_chosen(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    names = [f"{label}/{number}".encode() for number, label in enumerate(labels)]
    chosen = split_by_name(names, labels)
    for label, count in enumerate(counts):
        assert chosen[labels == label].sum() == min(max(round(count / 5), 1), count - 1)
    order = np.random.default_rng(0).permutation(len(names))
    assert (split_by_name([names[row] for row in order], labels[order]) == chosen[order]).all()


def test_a_folder_of_anything_is_no_set(tmp_path):
    add_images(tmp_path, "1.png")
    (tmp_path / "notes").mkdir()
    with pytest.raises(UserError, match=r"has no folder train/, and its folder notes has no images, so it is no class"):
        FolderSource(tmp_path)
