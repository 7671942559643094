# ruff: noqa: NPY002 - timm draws from numpy's global generator
"""Bitwise sameness of full training's batches, on real JPEGs."""

import multiprocessing
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from timm.data import create_transform
from torchvision.datasets import ImageFolder

from edgenext_search.data.augment.batches import normalize
from edgenext_search.data.augment.transforms import Preprocessing, TimmAugmentation, train_transform
from edgenext_search.data.loading.datasets import open_full_data
from edgenext_search.data.loading.loaders import TrainLoader, ValLoader
from edgenext_search.data.loading.shard import Shard
from edgenext_search.errors import UserError

PUBLISHED = {"auto_augment": "rand-m9-mstd0.5-inc1", "random_erasing": 0.25}
AT_32_PX = Preprocessing(img_size=32)


@pytest.fixture(scope="module")
def data(photos):
    return open_full_data(str(photos))


def loader(data, *, shard=None, workers=0, **augmentation):
    return TrainLoader(
        data.train,
        batch_size=8,
        img_size=48,
        sizes=(32, 48, 64),
        seed=3,
        augmentation=TimmAugmentation(**PUBLISHED | augmentation),
        shard=shard,
        workers=workers,
    )


def equal(batches, others):
    pairs = list(zip(batches, others, strict=True))
    return all(torch.equal(a, b) for one, other in pairs for a, b in zip(one, other, strict=True))


def test_batches_are_normalised_images_and_labels_at_several_sizes(data):
    batches = list(loader(data).epoch(0))
    assert len(batches) == loader(data).batches(0)
    assert len({images.shape[2] for images, _ in batches}) > 1
    for images, labels in batches:
        assert images.dtype == torch.float32
        assert labels.dtype == torch.int64
        assert len(images) == len(labels) == {32: 18, 48: 8, 64: 4}[images.shape[2]]
        assert -2.2 < images.min() < images.max() < 2.7
    assert [len(labels) for _, labels in batches] == loader(data).batch_sizes(0)


@pytest.mark.parametrize("changes", [{}, {"auto_augment": None, "color_jitter": 0.4, "mixup": 0.8, "cutmix": 1.0}])
def test_neither_workers_nor_the_step_begun_at_change_a_bit(data, changes):
    whole = list(loader(data, **changes).epoch(2))
    helped = loader(data, workers=2, **changes)
    given_up = helped.epoch(1)
    next(given_up)
    given_up.close()
    assert equal(helped.epoch(2), whole)
    assert equal(helped.epoch(2, 3), whole[3:])
    assert equal(loader(data, **changes).epoch(2, 3), whole[3:])
    assert not equal([whole[0]], [next(loader(data, **changes).epoch(3))])


def test_random_numbers_of_others_are_left_alone(data):
    torch.manual_seed(0)
    np.random.seed(0)
    expected = torch.rand(3), np.random.rand(3)
    torch.manual_seed(0)
    np.random.seed(0)
    for workers in (0, 1):
        next(loader(data, workers=workers).epoch(0))
    assert torch.equal(torch.rand(3), expected[0])
    np.testing.assert_array_equal(np.random.rand(3), expected[1])


@pytest.mark.parametrize("mixing", [{}, {"mixup": 0.8, "cutmix": 1.0}])
def test_processes_share_the_batch_of_one(data, mixing):
    whole = list(loader(data, **mixing).epoch(0))
    parts = [list(loader(data, shard=Shard(rank, 2), **mixing).epoch(0)) for rank in range(2)]
    for (images, targets), *shares in zip(whole, *parts, strict=True):
        rows = {image.numpy().tobytes(): target for image, target in zip(images, targets, strict=True)}
        shared = [(image, target) for share in shares for image, target in zip(*share, strict=True)]
        assert len(shared) == len(images) == len(rows)
        assert all(torch.equal(rows[image.numpy().tobytes()], target) for image, target in shared)


def test_mixed_targets_are_shares_of_the_classes(data):
    for _, targets in loader(data, mixup=0.8, cutmix=1.0).epoch(0):
        assert targets.shape[1] == 6
        torch.testing.assert_close(targets.sum(1), torch.ones(len(targets)))


def test_an_image_is_what_timm_makes_of_it_where_nothing_is_random():
    wide = Image.effect_noise((64, 64), 90).convert("RGB")
    transform = create_transform(32, is_training=True, scale=(1, 1), hflip=0, color_jitter=0, interpolation="bicubic")
    ours = train_transform(32, TimmAugmentation(color_jitter=0.0, crop_scale=(1.0, 1.0), flip=False))
    torch.testing.assert_close(normalize(ours(wide)[None])[0], transform(wide), atol=1e-5, rtol=0)


def test_a_batch_smaller_than_the_processes_is_refused(data):
    with pytest.raises(UserError, match=r"Each of 5 processes needs 1 image\(s\) of every batch, but at 64 px a batch"):
        loader(data, shard=Shard(0, 5))
    with pytest.raises(UserError, match=r"Each of 3 processes needs 2 image\(s\)"):
        loader(data, shard=Shard(0, 3), mixup=0.8)


@pytest.mark.parametrize("world", [1, 4])
def test_every_validation_image_is_evaluated_once(data, world):
    loaders = [ValLoader(data.val, AT_32_PX, batch_size=4, shard=Shard(rank, world)) for rank in range(world)]
    batches = [list(one) for one in loaders]
    assert sum(map(len, loaders)) == sum(len(labels) for part in batches for _, labels in part) == 30
    labels = np.concatenate([labels for part in batches for _, labels in part])
    assert np.bincount(labels).tolist() == [5] * 6
    images = {image.numpy().tobytes() for part in batches for some, _ in part for image in some}
    assert len(images) == 30


def test_validation_images_are_those_of_timm(data, photos):
    loader = ValLoader(data.val, AT_32_PX, batch_size=7, workers=1)
    (images, labels) = map(torch.cat, zip(*loader, strict=True))
    transform = create_transform(32, crop_pct=0.9, interpolation="bicubic")
    timms = list(ImageFolder(str(photos / "val"), transform=transform))
    torch.testing.assert_close(images, torch.stack([image for image, _ in timms]), atol=1e-5, rtol=0)
    assert labels.tolist() == [label for _, label in timms]
    assert torch.equal(normalize(torch.cat(list(loader.pixels()))), images)


def test_a_closed_loader_leaves_no_process_and_can_begin_anew(data):
    before = set(multiprocessing.active_children())
    train, val = loader(data, workers=2), ValLoader(data.val, AT_32_PX, workers=1)
    unfinished = train.epoch(0)
    next(unfinished)
    list(val)
    assert len(set(multiprocessing.active_children()) - before) == 3
    train.close()
    val.close()
    assert set(multiprocessing.active_children()) <= before
    assert equal(train.epoch(0), loader(data).epoch(0))
    train.close()


def test_an_unreadable_image_is_named(photos, tmp_path, monkeypatch):
    root = shutil.copytree(photos, tmp_path / "photos")
    for part in ("train", "val"):
        (root / part / "red" / "3.jpg").write_bytes(b"no image")
    data = open_full_data(str(root))
    for batches in (loader(data).epoch(0), ValLoader(data.val, AT_32_PX)):
        with pytest.raises(UserError, match=r"At most 0\.1 % .* but 1 are: .*red/3\.jpg: cannot identify"):
            list(batches)

    monkeypatch.setattr("edgenext_search.data.unreadable.UNREADABLE_FRACTION", 0.1)
    train, val = loader(data, workers=1), ValLoader(data.val, AT_32_PX)
    assert sum(len(labels) for epoch in (0, 1) for _, labels in train.epoch(epoch)) > 80
    assert [place.rpartition("photos/")[2] for place in train.unreadable] == ["train/red/3.jpg"]
    assert sum(len(labels) for _, labels in val) == 29
    assert len(val.unreadable) == 1
    assert equal(train.epoch(1), loader(data).epoch(1))
