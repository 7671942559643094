import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgenext_search.data import ImageSet
from edgenext_search.data.augment.batches import Augmentation
from edgenext_search.data.loading.shard import Shard
from edgenext_search.training.engine.loader import MemoryLoader, epoch_seed, evaluation_batches

CPU = torch.device("cpu")
SIDE, CROP = 12, 8


def numbered(count):
    """Images whose every pixel is their own number, so that a crop or a mirror leaves them recognisable."""
    numbers = np.arange(count, dtype=np.uint8)
    images = np.broadcast_to(numbers[:, None, None, None], (count, 3, SIDE, SIDE)).copy()
    return ImageSet(images=images, labels=numbers.astype(np.int64))


def textured(count, seed=0):
    rng = np.random.default_rng(seed)
    return ImageSet(images=rng.integers(0, 256, (count, 3, SIDE, SIDE), dtype=np.uint8), labels=np.arange(count))


def loader(images, *, batch_size=4, seed=0, **options):
    return MemoryLoader(images, batch_size=batch_size, img_size=CROP, seed=seed, device=CPU, **options)


def labels_of(batches):
    return [int(label) for _, labels in batches for label in labels]


def test_an_epoch_has_each_image_at_most_once_and_drops_the_last_partial_batch():
    batches = list(loader(numbered(11)).epoch(0))
    assert [tuple(images.shape) for images, _ in batches] == [(4, 3, CROP, CROP)] * 2
    labels = labels_of(batches)
    assert len(set(labels)) == 8
    assert set(labels) <= set(range(11))
    assert loader(numbered(11)).steps == 2


def test_no_image_is_left_out_for_ever():
    ours = loader(numbered(11))
    assert {label for epoch in range(10) for label in labels_of(ours.epoch(epoch))} == set(range(11))


def test_images_keep_their_labels():
    for images, labels in loader(numbered(12)).epoch(3):
        assert images.dtype == torch.float32
        assert labels.dtype == torch.int64
        shades = images[:, 0, 0, 0].argsort()
        assert torch.equal(shades, labels.argsort())


def test_the_same_epoch_gives_the_same_batches_whatever_was_drawn_before():
    ours, other = loader(textured(9)), loader(textured(9))
    list(ours.epoch(0))
    torch.rand(5)
    for (a, la), (b, lb) in zip(ours.epoch(2), other.epoch(2), strict=True):
        assert torch.equal(a, b)
        assert torch.equal(la, lb)


def test_epochs_and_seeds_differ_in_order_and_in_crops():
    everything = textured(8)
    first, second = (list(loader(everything, batch_size=8).epoch(epoch)) for epoch in (0, 1))
    other_seed = list(loader(everything, batch_size=8, seed=1).epoch(0))
    for batches in (second, other_seed):
        assert labels_of(batches) != labels_of(first)
        assert not torch.equal(_by_label(batches), _by_label(first))


def _by_label(batches):
    ((images, labels),) = batches
    return images[labels.argsort()]


def test_without_flip_an_image_is_never_mirrored():
    ramp = np.broadcast_to(np.arange(SIDE, dtype=np.uint8) * 10, (6, 3, SIDE, SIDE)).copy()
    images = ImageSet(images=ramp, labels=np.zeros(6, dtype=np.int64))

    def rising(flip):
        ours = loader(images, batch_size=6, augmentation=Augmentation(flip=flip))
        rows = [image[0, 0] for batch, _ in ours.epoch(0) for image in batch]
        return {bool(row[-1] > row[0]) for row in rows}

    assert rising(flip=False) == {True}
    assert rising(flip=True) == {True, False}


def test_a_batch_larger_than_the_data_is_all_of_it():
    ours = loader(numbered(3), batch_size=64)
    assert ours.steps == 1
    assert sorted(labels_of(ours.epoch(0))) == [0, 1, 2]


def test_evaluation_has_every_image_in_order_cropped_at_the_centre():
    images = textured(300)
    batches = list(evaluation_batches(images, img_size=CROP, device=CPU))
    assert [len(labels) for _, labels in batches] == [256, 44]
    assert labels_of(batches) == list(range(300))
    full = list(evaluation_batches(images, img_size=SIDE, device=CPU))
    margin = (SIDE - CROP) // 2
    assert torch.equal(batches[1][0], full[1][0][:, :, margin:-margin, margin:-margin])


def test_memory_mapped_images_need_no_copy_and_no_warning(prepared):
    with pytest.raises(ValueError, match="read-only"):
        prepared.train.images[0] = 0
    ours = MemoryLoader(prepared.train, batch_size=64, img_size=32, seed=0, device=CPU)
    images, _ = next(iter(ours.epoch(0)))
    assert images.shape == (64, 3, 32, 32)
    assert torch.isfinite(images).all()


AUGMENTATIONS = {
    "default": Augmentation(),
    "resized": Augmentation(crop_scale=(0.35, 1.0)),
    "color": Augmentation(color_jitter=0.4),
    "erasing": Augmentation(random_erasing=0.5),
    "mixup": Augmentation(mixup=0.8),
    "cutmix": Augmentation(cutmix=1.0),
    "all": Augmentation(crop_scale=(0.35, 1.0), color_jitter=0.4, random_erasing=0.5, mixup=0.8, cutmix=1.0),
}


@pytest.mark.parametrize("augmentation", AUGMENTATIONS.values(), ids=AUGMENTATIONS)
@settings(max_examples=12)
@given(batch_size=st.integers(1, 9), seed=st.integers(0, 9), epoch=st.integers(0, 9))
def test_processes_together_train_on_the_batch_of_a_single_one(augmentation, batch_size, seed, epoch):
    options = {"batch_size": batch_size, "seed": seed, "augmentation": augmentation, "num_classes": 13}
    whole = loader(textured(13), **options)
    for world in (2, 3, 4):
        parts = [loader(textured(13), shard=Shard(rank, world), **options) for rank in range(world)]
        assert {(part.steps, part.batch_size) for part in parts} == {(whole.steps, whole.batch_size)}
        for batch, *slices in zip(whole.epoch(epoch), *(part.epoch(epoch) for part in parts), strict=True):
            for expected, *shares in zip(batch, *slices, strict=True):
                together = torch.empty_like(expected)
                for rank, share in enumerate(shares):
                    together[rank::world] = share
                assert torch.equal(together, expected)


@pytest.mark.parametrize("augmentation", [kind for kind in AUGMENTATIONS.values() if not kind.mixes])
def test_an_image_looks_the_same_whatever_the_batch_size(augmentation):
    seen = []
    for batch_size in (3, 4, 12):
        batches = list(loader(textured(12), batch_size=batch_size, augmentation=augmentation).epoch(1))
        labels = torch.cat([labels for _, labels in batches])
        seen.append(torch.cat([images for images, _ in batches])[labels.argsort()])
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0], seen[2])


def test_mixed_images_have_soft_targets():
    ours = loader(textured(9), augmentation=Augmentation(mixup=0.8, cutmix=1.0), num_classes=11)
    for images, targets in ours.epoch(0):
        assert images.shape == (4, 3, CROP, CROP)
        assert (targets.dtype, targets.shape) == (torch.float32, (4, 11))
        torch.testing.assert_close(targets.sum(1), torch.ones(4))
        assert ((targets > 0) == (targets.flip(0) > 0)).all(), "the partner stands as far from the other end"


def test_mixing_needs_the_number_of_classes():
    with pytest.raises(ValueError, match="num_classes must be given"):
        loader(textured(9), augmentation=Augmentation(cutmix=1.0))


@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_processes_evaluate_every_image_once(world):
    images = textured(600)
    alone = list(evaluation_batches(images, img_size=CROP, device=CPU))
    everything, labels = (torch.cat(parts) for parts in zip(*alone, strict=True))
    for rank in range(world):
        share = list(evaluation_batches(images, img_size=CROP, device=CPU, shard=Shard(rank, world)))
        assert max(len(labels) for _, labels in share) <= 256
        pixels, answers = (torch.cat(parts) for parts in zip(*share, strict=True))
        assert torch.equal(pixels, everything[rank::world])
        assert torch.equal(answers, labels[rank::world])


def test_epoch_seeds_do_not_meet_within_a_study():
    seeds = {epoch_seed(seed, epoch) for seed in range(40) for epoch in range(300)}
    assert len(seeds) == 40 * 300
    assert max(epoch_seed(2**62, 10**6), 0) < 2**63  # what torch takes
