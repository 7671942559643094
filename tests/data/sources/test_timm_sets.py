import importlib.util
import shutil
import struct
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from edgenext_search.data.images import UnreadableImageError
from edgenext_search.data.sources import timm_sets
from edgenext_search.data.sources.open import open_source
from edgenext_search.data.sources.timm_sets import HubSource, OrderedSource, TorchSource
from edgenext_search.errors import UserError


def write_idx(path, array):
    """MNIST's file format: magic with type (8 = uint8) and rank, the dimensions, the bytes."""
    head = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(head + array.astype(np.uint8).tobytes())


@pytest.fixture
def fashion(tmp_path):
    """A FashionMNIST of 40 training images, image i of grey i and class i % 10."""
    raw = tmp_path / "FashionMNIST/raw"
    raw.mkdir(parents=True)
    for part, n in (("train", 40), ("t10k", 10)):
        write_idx(raw / f"{part}-images-idx3-ubyte", np.arange(n)[:, None, None] * np.ones((1, 28, 28), int))
        write_idx(raw / f"{part}-labels-idx1-ubyte", np.arange(n) % 10)
    return tmp_path


def test_a_torchvision_dataset(fashion):
    source = open_source("torch/fashion_mnist", fashion)
    assert source.name == "torch/fashion_mnist"
    assert len(source.classes) == 10
    assert source.classes[0] == "T-shirt/top"
    assert source.labels.tolist() == [i % 10 for i in range(40)]
    assert source.labels.dtype == np.int64
    image = source.load(17)
    assert (image.mode, image.size, image.getpixel((3, 3))) == ("RGB", (28, 28), (17, 17, 17))


def test_its_test_images_are_the_validation_part(fashion):
    val = open_source("torch/fashion_mnist", fashion, part="val")
    assert val.labels.tolist() == list(range(10))
    assert val.classes == open_source("torch/fashion_mnist", fashion).classes
    assert val.fingerprint() != open_source("torch/fashion_mnist", fashion).fingerprint()


def test_a_split_of_either_name_is_the_validation_part(monkeypatch, tmp_path):
    def create(_name, *, split, **_):
        if split != "test":
            raise ValueError(f"Unknown split {split!r}")
        return split

    monkeypatch.setattr("timm.data.create_dataset", create)
    assert timm_sets._create_split("hfds/beans", tmp_path, "val") == "test"
    with pytest.raises(ValueError, match="Unknown split 'train'"):
        timm_sets._create_split("hfds/beans", tmp_path, "train")


def test_its_fingerprint_follows_the_pixels(fashion):
    before = open_source("torch/fashion_mnist", fashion).fingerprint()
    assert open_source("torch/fashion_mnist", fashion).fingerprint() == before
    write_idx(fashion / "FashionMNIST/raw/train-images-idx3-ubyte", np.zeros((40, 28, 28)))
    assert open_source("torch/fashion_mnist", fashion).fingerprint() != before


def _in_a_list(root):
    return {"imgs": [(f"{root}/a/1.jpg", 0), (f"{root}/2.jpg", 1)], "targets": [0, 1]}


def _by_category(root):
    return {"index": [(0, "1.jpg"), (1, "../2.jpg")], "all_categories": ["a", "b"]}


@pytest.mark.parametrize("layout", [_in_a_list, _by_category])
def test_the_fingerprint_of_files_follows_their_content_wherever_they_lie(layout, tmp_path):
    def fingerprint(root, rows=None):
        dataset = SimpleNamespace(root=str(root), **layout(root))
        return TorchSource("torch/any", dataset, root).fingerprint(rows)

    (tmp_path / "here/a").mkdir(parents=True)
    (tmp_path / "here/b").mkdir(parents=True)
    for name in ("a/1.jpg", "2.jpg"):
        (tmp_path / "here" / name).write_bytes(b"a picture")
    before = fingerprint(tmp_path / "here")
    copy = shutil.copytree(tmp_path / "here", tmp_path / "there")
    assert fingerprint(copy) == before
    assert fingerprint(copy, np.array([0])) != before
    (copy / "2.jpg").write_bytes(b"b picture")
    assert fingerprint(copy) != before


def test_the_fingerprint_of_an_ordered_dataset_follows_its_files(tmp_path):
    def fingerprint(folder):
        info = SimpleNamespace(full_name="x/1.0", data_dir=str(folder))
        dataset = Stream()
        dataset.reader = SimpleNamespace(builder=SimpleNamespace(info=info))
        return OrderedSource("tfds/x", dataset).fingerprint()

    (tmp_path / "here").mkdir()
    (tmp_path / "here/x.tfrecord").write_bytes(b"records")
    before = fingerprint(tmp_path / "here")
    copy = shutil.copytree(tmp_path / "here", tmp_path / "there")
    assert fingerprint(copy) == before
    (copy / "x.tfrecord").write_bytes(b"Records")
    assert fingerprint(copy) != before


def test_absent_files_are_answered_with_the_layout(tmp_path):
    with pytest.raises(UserError, match=r"Dataset not found.*Expected there: FashionMNIST/raw/ with train-images-idx3"):
        open_source("torch/fashion_mnist", tmp_path)
    assert not list(tmp_path.iterdir()), "nothing is made or downloaded"


def test_an_absent_data_dir_is_not_made(tmp_path):
    with pytest.raises(UserError, match="2021_train/<category>"):
        open_source("torch/inaturalist", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_an_unknown_torchvision_name_lists_the_known_ones(tmp_path):
    with pytest.raises(UserError, match=r"'torch/imagnet' is no torchvision dataset .* torch/imagenet"):
        open_source("torch/imagnet", tmp_path)


@pytest.mark.parametrize(("name", "module"), [("hfds/beans", "datasets"), ("tfds/mnist", "tensorflow_datasets")])
def test_a_missing_library_is_named(name, module, tmp_path):
    if importlib.util.find_spec(module) is None:
        with pytest.raises(
            UserError, match=rf"{name} is read with the library .*\(pip install {module.replace('_', '-')}"
        ):
            open_source(name, tmp_path)
    else:
        with pytest.raises(UserError, match="cannot be opened in"):
            open_source(name, tmp_path)


class FakeTable:
    """As much of a `datasets.Dataset` as timm's reader gives us."""

    _fingerprint = "abc"

    def __init__(self, labels):
        self.labels = labels

    def __getitem__(self, column):
        assert column == "label"
        return self.labels


class FakeReader:
    label_key = "label"

    def __init__(self, labels, files, classes=("no", "yes")):
        self.dataset = FakeTable(labels)
        self.files = files
        self.class_to_idx = {name: i for i, name in enumerate(classes)}

    def __getitem__(self, index):
        return self.files[index].open("rb"), self.dataset.labels[index]


def test_an_arrow_dataset_takes_labels_from_their_column_and_never_swaps_an_image(tmp_path):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    Image.new("L", (4, 4), 9).save(good)
    bad.write_bytes(b"nonsense")
    source = HubSource("hfds/x", SimpleNamespace(reader=FakeReader([1, 0], [good, bad])))
    assert (source.labels.tolist(), source.classes) == ([1, 0], ("no", "yes"))
    assert source.load(0).getpixel((0, 0)) == (9, 9, 9)
    with pytest.raises(UnreadableImageError, match="hfds/x image 1: cannot identify"):
        source.load(1)
    relabelled = HubSource("hfds/x", SimpleNamespace(reader=FakeReader([0, 0], [good, bad])))
    assert relabelled.fingerprint() != source.fingerprint()
    assert source.fingerprint(np.array([1])) != source.fingerprint(np.array([0]))
    before = source.fingerprint()
    bad.write_bytes(b"nonsenze")
    assert source.fingerprint() != before


def test_labels_outside_the_classes_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"must lie in 0\.\.1, but reach from -1 to 1"):
        HubSource("hfds/x", SimpleNamespace(reader=FakeReader([1, -1], [])))


class Stream(list):
    """An iterable dataset that counts its passes."""

    passes = 0

    def __iter__(self):
        self.passes += 1
        return super().__iter__()


@pytest.fixture
def stream():
    return Stream((Image.new("L", (4, 4), i), i % 3) for i in range(9))


def test_an_ordered_dataset_is_read_in_two_passes(stream):
    source = OrderedSource("tfds/x", stream)
    source.fingerprint()
    assert stream.passes == 0, "nothing is read before it is needed"
    assert source.labels.tolist() == [i % 3 for i in range(9)]
    assert source.classes == ("0", "1", "2")
    assert stream.passes == 1
    grey = [image.getpixel((0, 0))[0] for image in source.stream(np.array([0, 4, 8]))]
    assert grey == [0, 4, 8]
    assert stream.passes == 2
    assert list(source.stream(np.array([], dtype=np.int64))) == []


def test_an_unreadable_streamed_image_is_yielded_as_its_error(stream):
    stream[4] = (Image.new("F", (4, 4)), 1)
    source = OrderedSource("tfds/x", stream)
    first, second = source.stream(np.array([4, 5]))
    assert isinstance(first, UnreadableImageError)
    assert first.where == "tfds/x image 4"
    assert second.getpixel((0, 0)) == (5, 5, 5)
    with pytest.raises(UnreadableImageError):
        source.load(4)
