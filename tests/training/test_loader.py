import numpy as np
import pytest
import torch

from edgenext_search.data import ImageSet
from edgenext_search.training.loader import MemoryLoader, epoch_seed, evaluation_batches

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


def loader(images, *, batch_size=4, seed=0, flip=True):
    return MemoryLoader(images, batch_size=batch_size, img_size=CROP, seed=seed, device=CPU, flip=flip)


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
        rows = [image[0, 0] for batch, _ in loader(images, batch_size=6, flip=flip).epoch(0) for image in batch]
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
    ours = MemoryLoader(prepared.train, batch_size=64, img_size=32, seed=0, device=CPU, flip=True)
    images, _ = next(iter(ours.epoch(0)))
    assert images.shape == (64, 3, 32, 32)
    assert torch.isfinite(images).all()


def test_epoch_seeds_do_not_meet_within_a_study():
    seeds = {epoch_seed(seed, epoch) for seed in range(40) for epoch in range(300)}
    assert len(seeds) == 40 * 300
    assert max(epoch_seed(2**62, 10**6), 0) < 2**63  # what torch takes
