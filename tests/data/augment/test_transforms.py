# ruff: noqa: NPY002 - timm draws from global generators
import random

import numpy as np
import pytest
import torch
from PIL import Image
from timm.data.auto_augment import AugmentOp

from edgenext_search.data.augment.transforms import TimmAugmentation, own_randomness, train_transform
from edgenext_search.errors import UserError


def transform(policy):
    return train_transform(32, TimmAugmentation(auto_augment=policy))


@pytest.mark.parametrize(
    "policy", [None, "rand-m9-mstd0.5-inc1", "rand-m7-n3-p0.7-mmax12-tweights", "augmix-m5-w4-d2", "original", "3a"]
)
def test_policies_of_timm(policy):
    assert transform(policy) is not None


@pytest.mark.parametrize("policy", ["rand-m9.5", "rand-foo", "randaugment", "none", "", "augmix-q"])
def test_a_policy_that_timm_would_misread_is_refused(policy):
    with pytest.raises(UserError, match=r"must be one of timm's policies, such as rand-m9-mstd0.5-inc1"):
        transform(policy)


def draws():
    return random.random(), np.random.rand(), torch.rand(()).item()


def test_an_image_has_random_numbers_of_its_own_and_others_keep_theirs():
    with own_randomness() as seed:
        seed(1, 2, 3)
        first = draws()
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    with own_randomness() as seed:
        seed(1, 2, 3)
        assert draws() == first
        seed(1, 2, 4)
        assert draws()[2] != first[2]
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])


def operations(item):
    """The operations inside timm's transforms and policies."""
    if isinstance(item, AugmentOp):
        return [item]
    if isinstance(item, list | tuple):
        return [operation for part in item for operation in operations(part)]
    return [operation for name in ("transforms", "ops", "policy") for operation in operations(getattr(item, name, ()))]


@pytest.mark.parametrize(
    "policy", ["rand-m9-mstd0.5-inc1", "rand-m9", "augmix-m5-w4-d2", "original", "originalr", "v0", "v0r", "3a"]
)
def test_every_operation_of_every_policy_works_at_every_level(policy):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))
    found = operations(train_transform(32, TimmAugmentation(auto_augment=policy)))
    assert found or policy == "3a"  # timm's 3-Augment is of torchvision's transforms
    for operation in found:
        operation.prob, operation.magnitude_std = 1.0, 0.0
        for operation.magnitude in range(11):
            assert operation(image).size == image.size, operation


def test_no_bits_are_a_black_image_as_in_older_versions_of_pillow():
    image = Image.fromarray(np.full((40, 40, 3), 200, np.uint8))
    policy = train_transform(32, TimmAugmentation(auto_augment="rand-m10-mstd0-inc1"))
    (posterize,) = [operation for operation in operations(policy) if operation.name == "PosterizeIncreasing"]
    posterize.prob = 1.0
    assert posterize(image).getextrema() == ((0, 0),) * 3
