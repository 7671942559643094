import shutil

import pytest

from edgenext_search.data.loading.datasets import open_full_data, open_val_set
from edgenext_search.errors import UserError

COLOURS = ("black", "blue", "green", "red", "white", "yellow")


@pytest.fixture
def copy(photos, tmp_path):
    return shutil.copytree(photos, tmp_path / "photos")


def class_file(folder, *names):
    path = folder / "classes.txt"
    path.write_text("\n".join(names))
    return path


def places(images):
    return [
        (images.classes[label], images.source._files[row])
        for row, label in zip(images.rows, images.labels, strict=True)
    ]


def test_a_folder_has_both_parts(photos):
    data = open_full_data(str(photos))
    assert (data.name, data.classes) == ("folder photos", COLOURS)
    assert (len(data.train), len(data.val)) == (54, 30)
    assert all(file.decode().startswith(name) for name, file in places(data.train) + places(data.val))
    assert data.val.load(0).size != (0, 0)
    assert data.val.source._folder.name == "val"


def test_a_file_chooses_and_orders_the_classes(photos, tmp_path):
    data = open_full_data(str(photos), classes_file=class_file(tmp_path, "red", "black", "green"))
    assert data.classes == data.train.classes == data.val.classes == ("red", "black", "green")
    assert (len(data.train), len(data.val)) == (27, 15)
    assert {name for name, _ in places(data.train)} == {"red", "black", "green"}
    assert all(file.decode().startswith(name) for name, file in places(data.train) + places(data.val))


def test_validation_images_need_no_training_images(copy):
    shutil.rmtree(copy / "train")
    assert len(open_val_set(str(copy))) == 30
    assert open_val_set(str(copy), classes=COLOURS[::-1]).labels.tolist()[0] == 5


def remove(*parts):
    def change(root):
        for part in parts:
            shutil.rmtree(root / part)

    return change


def loose_val(root):
    shutil.rmtree(root / "val")
    (root / "val").mkdir()
    (root / "val" / "ILSVRC2012_val_00000001.JPEG").write_bytes(b"")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove("val"), r"photos has no folder val/; found the folder\(s\) train .* Expected val/<class>/<images>"),
        (remove("train"), r"photos has no folder train/; found the folder\(s\) val "),
        (loose_val, r"val has no class folders; found no folder and 1 file\(s\) directly inside"),
        (remove("val/red"), r"must be the same, but 1 is missing in the validation images of folder photos \('red'\)"),
        (remove("train/red", "train/blue"), r"val has 2 that train/ lacks: blue, red"),
    ],
)
def test_parts_that_do_not_fit_are_refused(copy, change, message):
    change(copy)
    with pytest.raises(UserError, match=message):
        open_full_data(str(copy))


def test_validation_images_that_are_the_training_images_are_refused(copy):
    shutil.rmtree(copy / "val")
    shutil.copytree(copy / "train", copy / "val")
    with pytest.raises(UserError, match="of folder photos must be others than its training images"):
        open_full_data(str(copy))
    (copy / "val/red/0.jpg").unlink()
    assert len(open_full_data(str(copy)).val) == 53


def test_classes_that_val_lacks_are_left_out_with_a_file_as_the_message_says(copy, tmp_path):
    shutil.rmtree(copy / "val/red")
    with pytest.raises(UserError, match="or name the classes to train on with --classes"):
        open_full_data(str(copy))
    assert len(open_full_data(str(copy), classes_file=class_file(tmp_path, "blue", "green")).val) == 10


def test_images_are_left_out_by_name(copy):
    data = open_full_data(str(copy))
    rest = data.without(["train/red/3.jpg", "val/blue/1.jpg", "train/gone.jpg"])
    assert (len(rest.train), len(rest.val)) == (53, 29)
    assert ("red", b"red/3.jpg") not in places(rest.train)
    assert data.without(["train/gone.jpg"]).train.rows.tolist() == data.train.rows.tolist()


def test_a_class_that_is_not_there_is_answered_with_those_that_are(photos, tmp_path):
    with pytest.raises(UserError, match=r"training images of folder photos has no class 'gren'\. Did you mean green\?"):
        open_full_data(str(photos), classes_file=class_file(tmp_path, "gren", "red"))


def test_what_can_be_read_in_order_only_is_refused(monkeypatch):
    from edgenext_search.data.loading import datasets as full
    from edgenext_search.data.sources.timm_sets import OrderedSource

    monkeypatch.setattr(full, "open_source", lambda *_, **__: OrderedSource("tfds/beans", []))
    with pytest.raises(UserError, match="tfds/beans can be read in order only"):
        open_full_data("tfds/beans")
