import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgenext_search.data.images import UnreadableImageError
from edgenext_search.data.sources.class_folders import FolderSource
from edgenext_search.errors import UserError


def add_image(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (10, 8), (value, value, value)).save(path)


@pytest.fixture
def photos(tmp_path):
    """Two classes with three images each, JPEG and PNG, one in a subfolder."""
    root = tmp_path / "photos"
    for value, name in enumerate(
        ["cat/1.jpg", "cat/2.PNG", "cat/deep/er/3.jpeg", "dog/a.jpg", "dog/b.jpg", "dog/c.jpg"]
    ):
        add_image(root / "train" / name, value * 40)
    return root


def test_a_folder_is_read_in_timms_order(photos):
    source = FolderSource(photos)
    assert source.name == "folder photos"
    assert source.classes == ("cat", "dog")
    assert source.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert source.labels.dtype == np.int64
    assert not source.demonstration
    grey = [source.load(i).getpixel((0, 0))[0] for i in range(6)]
    assert grey == pytest.approx([0, 40, 80, 120, 160, 200], abs=2)


def test_class_numbers_agree_with_timms_own_reader(tmp_path):
    for name in ["10", "2", "b1", "B10", "a"]:
        add_image(tmp_path / "train" / name / "x.jpg")
    from timm.data import create_dataset

    ours = {name: label for label, name in enumerate(FolderSource(tmp_path).classes)}
    assert create_dataset("", root=str(tmp_path), split="train").reader.class_to_idx == ours


def test_other_files_and_hidden_ones_are_left_out(photos):
    add_image(photos / "train" / "cat" / "._1.jpg")
    add_image(photos / "train" / ".trash" / "x.jpg")
    (photos / "train" / "cat" / "notes.txt").write_text("x")
    (photos / "train" / "README").write_text("x")
    source = FolderSource(photos)
    assert (source.classes, len(source.labels)) == (("cat", "dog"), 6)


def test_the_fingerprint_follows_names_sizes_and_times_but_not_the_place(photos):
    before = FolderSource(photos).fingerprint()
    moved = photos.rename(photos.with_name("moved"))
    assert FolderSource(moved).fingerprint() == before
    os.utime(moved / "train/cat/1.jpg", ns=(1, 1))
    touched = FolderSource(moved).fingerprint()
    (moved / "train/cat/1.jpg").rename(moved / "train/cat/0.jpg")
    assert len({before, touched, FolderSource(moved).fingerprint()}) == 3


def test_an_unreadable_image_says_where_and_why(photos):
    (photos / "train/cat/1.jpg").write_bytes(b"nonsense")
    (photos / "train/cat/2.PNG").unlink()
    source = FolderSource(photos)
    with pytest.raises(UnreadableImageError, match=r"1\.jpg: cannot identify"):
        source.load(0)
    gone = FolderSource(photos)
    (photos / "train/dog/a.jpg").unlink()
    with pytest.raises(UnreadableImageError, match=r"a\.jpg: No such file"):
        gone.load(2)


def test_a_valid_val_folder_is_accepted_and_not_read(photos):
    (photos / "val/cat").mkdir(parents=True)
    (photos / "val/cat/broken.jpg").write_bytes(b"nonsense")
    assert len(FolderSource(photos).labels) == 6


def empty(_root: Path) -> None:
    """Nothing at all."""


def without_train(root):
    (root / "cats").mkdir()
    (root / "list.csv").write_text("")


def files_in_train(root):
    for i in range(3):
        add_image(root / "train" / f"{i}.jpg")


def empty_class(root):
    add_image(root / "train/cat/x.jpg")
    (root / "train/dog").mkdir()
    (root / "train/dog/notes.txt").write_text("")


def one_class(root):
    add_image(root / "train/cat/x.jpg")


def stranger_in_val(root):
    for name in ("train/cat", "train/dog", "val/cat", "val/bird", "val/emu"):
        add_image(root / name / "x.jpg")


def test_the_folder_of_a_part_is_not_the_data(tmp_path):
    for name in ("train/cat", "train/dog"):
        add_image(tmp_path / name / "x.jpg")
    with pytest.raises(UserError, match=rf"has no folder train/; .* Did you mean {tmp_path}\?$"):
        FolderSource(tmp_path / "train")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (empty, r"has no folder train/; it is empty\. Expected train/<class>/"),
        (without_train, r"has no folder train/; found the folder\(s\) cats and 1 file\(s\) directly inside"),
        (files_in_train, r"train has no class folders; found no folder and 3 file\(s\) directly inside\. Expected"),
        (empty_class, r"class folder .*dog has no images, only 1 other file\(s\)\. Add images \(\.bmp"),
        (one_class, r"at least 2 classes, but .* holds only 'cat'"),
        (stranger_in_val, r"has 2 that train/ lacks: bird, emu\."),
    ],
)
def test_another_layout_is_refused_with_what_was_found(tmp_path, make, message):
    make(tmp_path)
    with pytest.raises(UserError, match=message):
        FolderSource(tmp_path)
