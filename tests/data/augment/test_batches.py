import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgenext_search.data.augment.batches import (
    ERASED_SHARE,
    IMAGENET_MEAN,
    IMAGENET_STD,
    Augmentation,
    augmented,
    center_crop,
    erase,
    flip_crop,
    inside,
    normalize,
    resized_crop,
)
from edgenext_search.data.augment.randomness import Draws

CPU = torch.device("cpu")


def draws(n, seed=0, epoch=0):
    return Draws(seed, epoch, np.arange(n))


def coordinates(b, s):
    """uint8 [b, 3, s, s]: channel 0 is the row, 1 the column, 2 the image's number."""
    row = torch.arange(s).view(1, s, 1).expand(b, s, s)
    number = torch.arange(b).view(b, 1, 1).expand(b, s, s)
    return torch.stack([row, row.transpose(1, 2), number], dim=1).to(torch.uint8)


def noise(b, s, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (b, 3, s, s), dtype=np.uint8)


def cropped(images, size, seed=0, *, flip=True):
    array = images.numpy() if isinstance(images, torch.Tensor) else images
    return torch.from_numpy(flip_crop(array, draws(len(array), seed), size, flip=flip))


def test_statistics_are_timms():
    from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

    assert (IMAGENET_MEAN, IMAGENET_STD) == (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)


def test_normalize_agrees_with_torchvision():
    from torchvision.transforms.functional import normalize as reference

    images = torch.from_numpy(noise(4, 7))
    expected = reference(images.float() / 255, list(IMAGENET_MEAN), list(IMAGENET_STD))
    torch.testing.assert_close(normalize(images), expected)


def test_each_crop_is_a_window_of_its_own_image_mirrored_or_not():
    images = coordinates(250, 12)
    crops = cropped(images, 8).int()
    assert crops.shape == (250, 3, 8, 8)
    assert (crops[:, 2] == torch.arange(250).view(-1, 1, 1)).all()
    assert (crops[:, 0].diff(dim=1) == 1).all()
    steps = crops[:, 1].diff(dim=2)
    mirrored = steps[:, 0, 0] == -1
    assert (steps == torch.where(mirrored, -1, 1).view(-1, 1, 1)).all()
    assert 90 < mirrored.sum() < 160
    tops, lefts = crops[:, 0, 0, 0], crops[:, 1].amin(dim=(1, 2))
    for offsets in (tops, lefts):
        assert set(offsets.tolist()) == {0, 1, 2, 3, 4}
        assert torch.bincount(offsets).min() > 25
    assert len(set(zip(tops.tolist(), lefts.tolist(), mirrored.tolist(), strict=True))) > 45


def test_crops_leave_the_global_generators_alone():
    images = coordinates(16, 12)
    state = torch.get_rng_state()
    assert torch.equal(cropped(images, 9, 3), cropped(images, 9, 3))
    assert not torch.equal(cropped(images, 9, 3), cropped(images, 9, 4))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_crop_of_the_whole_size_only_mirrors():
    images = coordinates(40, 6)
    crops = cropped(images, 6)
    assert all(torch.equal(c, i) or torch.equal(c, i.flip(2)) for c, i in zip(crops, images, strict=True))
    assert torch.equal(cropped(images, 6, flip=False), images)


def test_center_crop_is_the_middle():
    crop = center_crop(coordinates(2, 10), 4)
    assert crop.shape == (2, 3, 4, 4)
    assert crop[0, 0, 0, 0] == 3
    assert crop[0, 1, 0, 0] == 3


@pytest.mark.parametrize("size", [0, 11])
def test_a_crop_that_does_not_fit_is_an_error(size):
    with pytest.raises(ValueError, match=f"size is {size}, the images are 10 x 10"):
        cropped(coordinates(1, 10), size)
    with pytest.raises(ValueError, match=f"size is {size}"):
        center_crop(coordinates(1, 10), size)
    with pytest.raises(ValueError, match=f"size is {size}"):
        resized_crop(coordinates(1, 10), size, draws(1), scale=(0.3, 1), flip=True)


def test_resized_crops_have_the_areas_and_ratios_asked_for():
    """Of images whose pixels are their own row and column, the ends of a crop tell its height and width."""
    n, stored, size, scale = 2000, 200, 160, (0.35, 1.0)
    crops = resized_crop(coordinates(n, stored), size, draws(n), scale=scale, flip=True).double()
    height = (crops[:, 0, -1, 0] - crops[:, 0, 0, 0]) / (size - 1) * size
    right, left = crops[:, 1, 0, -1], crops[:, 1, 0, 0]
    width = (right - left).abs() / (size - 1) * size
    area, ratio = height * width / stored**2, (width / height).log()
    assert 0.34 < area.min() < 0.36
    assert 0.97 < area.max() <= 1.01
    assert area.mean() == pytest.approx(0.675, abs=0.02)
    assert torch.histc(area, 5, 0.35, 1.0).min() > 330
    assert ratio.abs().max() < np.log(4 / 3) + 0.03
    assert ratio.abs().max() > np.log(4 / 3) - 0.05
    assert ratio.mean() == pytest.approx(0, abs=0.02)
    assert 900 < (right < left).sum() < 1100
    assert (crops[:, 2] == torch.arange(n).remainder(256).view(-1, 1, 1)).all()
    assert crops[:, 0, 0, 0].min() == 0
    assert crops[:, 0, -1, 0].max() == stored - 1


def test_resized_crops_agree_with_grid_sample():
    """Every crop is the bilinear image of some rectangle: that of its corners, which a ramp tells."""
    images = torch.from_numpy(noise(30, 20))
    ramp = (torch.arange(20) * 12).to(torch.uint8).expand(30, 3, 20, 20)
    args = {"scale": (0.5, 0.9), "flip": False}
    x = resized_crop(ramp, 16, draws(30), **args).double()[:, 0, 0] / 12
    y = resized_crop(ramp.transpose(2, 3), 16, draws(30), **args).double()[:, 0, :, 0] / 12
    grid = torch.stack(torch.broadcast_tensors(x[:, None, :], y[:, :, None]), dim=-1)
    expected = torch.nn.functional.grid_sample(
        images.double(), (2 * grid + 1) / 20 - 1, align_corners=False, padding_mode="border"
    )
    difference = (resized_crop(images, 16, draws(30), **args).double() - expected).abs()
    assert difference.max() < 256 / 12  # the ramp tells a position to a 24th of a pixel
    assert difference.mean() < 4


def test_a_whole_crop_of_the_same_size_is_the_image():
    images = torch.from_numpy(noise(5, 9))
    assert torch.equal(resized_crop(images, 9, draws(5), scale=(1.0, 1.0), flip=False), images)


@pytest.mark.parametrize("shape", [(32, 32), (20, 28)])
def test_erased_rectangles_have_the_shares_asked_for(shape):
    n = 3000
    images = erase(torch.ones(n, 3, *shape), draws(n), 0.25)
    gone = images == 0
    assert torch.equal(gone[:, 0], gone[:, 2])
    share = gone[:, 0].double().mean(dim=(1, 2))
    erased = share > 0
    assert erased.double().mean() == pytest.approx(0.25, abs=0.03)
    rounding = 1 / min(shape)  # of a side
    assert share[erased].min() > ERASED_SHARE[0] * 0.5
    assert share[erased].max() < ERASED_SHARE[1] + rounding
    assert share[erased].mean() == pytest.approx(np.mean(ERASED_SHARE), abs=0.02)
    for image in gone[erased][:50, 0]:
        rows, columns = image.any(dim=1), image.any(dim=0)
        assert image.sum() == rows.sum() * columns.sum(), "one rectangle"
    assert gone[:, 0].any(dim=0).all(), "every pixel is reached"
    assert (erase(torch.ones(9, 3, 4, 4), draws(9), 1.0) == 0).any(dim=(1, 2, 3)).all()


def test_inside_is_a_rectangle_of_each_image():
    corners = torch.tensor([[[1, 0], [2, 2]], [[3, 2], [2, 5]]])
    hit = inside(corners, torch.zeros(2, 3, 4, 5))
    assert hit.shape == (2, 1, 4, 5)
    assert hit[0, 0].nonzero().tolist() == [[1, 0], [1, 1], [2, 0], [2, 1]]
    assert not hit[1].any()


AUGMENTATIONS = {
    "default": Augmentation(),
    "no flip": Augmentation(flip=False),
    "resized": Augmentation(crop_scale=(0.35, 1.0)),
    "color": Augmentation(color_jitter=0.4),
    "erasing": Augmentation(random_erasing=0.5),
    "all": Augmentation(crop_scale=(0.2, 1.0), color_jitter=0.4, random_erasing=0.5),
}


@pytest.mark.parametrize("augmentation", AUGMENTATIONS.values(), ids=AUGMENTATIONS)
@settings(max_examples=25)
@given(rows=st.lists(st.integers(0, 19), min_size=1, max_size=20), threads=st.sampled_from([1, 2]))
def test_an_image_is_augmented_alike_in_every_batch(augmentation, rows, threads):
    images = noise(20, 23)

    def call(rows):
        return augmented(images, Draws(5, 2, np.array(rows)), 20, augmentation, CPU)

    everything = call(range(20))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert torch.equal(call(rows), everything[rows])
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS.values(), ids=AUGMENTATIONS)
def test_seeds_and_epochs_differ(augmentation):
    images = noise(8, 23)
    first, *others = (
        augmented(images, Draws(seed, epoch, np.arange(8)), 20, augmentation, CPU)
        for seed, epoch in ((0, 0), (0, 1), (1, 0))
    )
    assert first.shape == (8, 3, 20, 20)
    assert first.dtype == torch.float32
    assert not any(torch.equal(first, other) for other in others)


def test_what_is_off_changes_nothing():
    images = noise(8, 23)
    plain = normalize(cropped(images, 20))
    assert torch.equal(augmented(images, draws(8), 20, Augmentation(mixup=0.5), CPU), plain)
