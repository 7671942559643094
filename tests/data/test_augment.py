from __future__ import annotations

import pytest
import torch

from edgenext_search.data.augment import IMAGENET_MEAN, IMAGENET_STD, center_crop, normalize, random_flip_crop


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def coordinates(b, s):
    """uint8 [b, 3, s, s]: channel 0 is the row, 1 the column, 2 the image's number."""
    row = torch.arange(s).view(1, s, 1).expand(b, s, s)
    number = torch.arange(b).view(b, 1, 1).expand(b, s, s)
    return torch.stack([row, row.transpose(1, 2), number], dim=1).to(torch.uint8)


def test_statistics_are_timms():
    from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

    assert (IMAGENET_MEAN, IMAGENET_STD) == (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)


def test_normalize_agrees_with_torchvision():
    from torchvision.transforms.functional import normalize as reference

    images = torch.randint(256, (4, 3, 5, 7), generator=generator(), dtype=torch.uint8)
    expected = reference(images.float() / 255, list(IMAGENET_MEAN), list(IMAGENET_STD))
    torch.testing.assert_close(normalize(images), expected)


def test_each_crop_is_a_window_of_its_own_image_mirrored_or_not():
    images = coordinates(250, 12)
    crops = random_flip_crop(images, 8, generator()).int()
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


def test_crops_are_the_generators_alone():
    images = coordinates(16, 12)
    state = torch.get_rng_state()
    assert torch.equal(random_flip_crop(images, 9, generator(3)), random_flip_crop(images, 9, generator(3)))
    assert not torch.equal(random_flip_crop(images, 9, generator(3)), random_flip_crop(images, 9, generator(4)))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_crop_of_the_whole_size_only_mirrors():
    images = coordinates(40, 6)
    crops = random_flip_crop(images, 6, generator())
    assert all(torch.equal(c, i) or torch.equal(c, i.flip(2)) for c, i in zip(crops, images, strict=True))


def test_center_crop_is_the_middle():
    crop = center_crop(coordinates(2, 10), 4)
    assert crop.shape == (2, 3, 4, 4)
    assert crop[0, 0, 0, 0] == 3
    assert crop[0, 1, 0, 0] == 3


@pytest.mark.parametrize("size", [0, 11])
def test_a_crop_that_does_not_fit_is_an_error(size):
    with pytest.raises(ValueError, match=f"size is {size}, the images are 10 x 10"):
        random_flip_crop(coordinates(1, 10), size, generator())
    with pytest.raises(ValueError, match=f"size is {size}"):
        center_crop(coordinates(1, 10), size)
