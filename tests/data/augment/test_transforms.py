# ruff: noqa: NPY002, S311 - timm draws from global generators
import random

import numpy as np
import pytest
import torch

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
