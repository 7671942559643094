import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edgenext_search.data.augment.batches import Augmentation
from edgenext_search.data.augment.mixing import mix, shares_and_rectangles
from edgenext_search.data.augment.randomness import Draws

ALPHA = st.sampled_from([0.0, 0.2, 0.8, 1.0, 3.0])


def mixed(n, seed=0, classes=5, side=12, **alphas):
    """Images of ones mixed with zeros: a pixel is the share that its image keeps there."""
    labels = torch.arange(n) % classes
    images = torch.ones(n, 3, side, side)
    draws = Draws(seed, 0, np.arange(n))
    partners = (labels + 1) % classes
    kind = Augmentation(**alphas)
    return (
        *mix(images, 0 * images, labels, partners, classes=classes, augmentation=kind, draws=draws),
        labels,
        partners,
    )


@given(ALPHA, ALPHA, st.integers(0, 50))
def test_targets_are_shares_that_sum_to_one_and_match_the_pixels(mixup, cutmix, seed):
    if not mixup + cutmix:
        return
    images, targets, labels, partners = mixed(40, seed, mixup=mixup, cutmix=cutmix)
    assert (images.dtype, targets.dtype, targets.shape) == (torch.float32, torch.float32, (40, 5))
    assert (targets >= 0).all()
    torch.testing.assert_close(targets.sum(1), torch.ones(40))
    kept = targets[torch.arange(40), labels]
    torch.testing.assert_close(kept, images.mean(dim=(1, 2, 3)), rtol=0, atol=1e-5)
    torch.testing.assert_close(kept + targets[torch.arange(40), partners], torch.ones(40))


def test_the_same_class_stays_whole():
    images = torch.rand(6, 3, 8, 8)
    labels = torch.full((6,), 2)
    draws = Draws(0, 0, np.arange(6))
    _, targets = mix(images, images, labels, labels, classes=4, augmentation=Augmentation(mixup=0.8), draws=draws)
    torch.testing.assert_close(targets, torch.nn.functional.one_hot(labels, 4).float())


def test_mixup_weighs_whole_images_and_cutmix_takes_a_rectangle():
    images, *_ = mixed(60, mixup=0.8)
    assert (images == images[:, :1, :1, :1]).all()
    images, *_ = mixed(60, cutmix=1.0)
    assert set(images.unique().tolist()) == {0.0, 1.0}
    for image in images[:, 0] == 0:
        assert image.sum() == image.any(dim=1).sum() * image.any(dim=0).sum()
    assert (images[:, 0] == 0).any(dim=0).all(), "every pixel is reached"


def test_with_both_each_image_gets_one_of_them():
    images, *_ = mixed(2000, mixup=1.0, cutmix=1.0)
    whole = (images == images[:, :1, :1, :1]).all(dim=(1, 2, 3))
    cut = ~whole
    assert 880 < cut.sum() < 1060  # half of them, less a few whose rectangle is empty or everything


@pytest.mark.parametrize("alpha", [0.2, 0.8, 1.0, 4.0])
def test_lambda_is_betas(alpha):
    n = 20_000
    kept, corners = shares_and_rectangles(Draws(1, 2, np.arange(n)), Augmentation(mixup=alpha), 8, 8)
    variance = 1 / (4 * (2 * alpha + 1))
    assert kept.mean() == pytest.approx(0.5, abs=4 * (variance / n) ** 0.5)
    assert kept.var() == pytest.approx(variance, rel=0.04)
    assert (corners[0] == corners[1]).all()


@pytest.mark.parametrize(("height", "width"), [(64, 64), (32, 48)])
def test_rectangles_are_timms(height, width):
    """Against timm's own function on the distribution of the shares kept."""
    from timm.data.mixup import cutmix_bbox_and_lam

    kept, corners = shares_and_rectangles(Draws(0, 0, np.arange(5000)), Augmentation(cutmix=1.0), height, width)
    assert ((corners >= 0) & (corners <= [height, width])).all()
    assert (corners[1] >= corners[0]).all()
    np.testing.assert_allclose(kept, 1 - (corners[1] - corners[0]).prod(axis=1) / (height * width))
    np.random.seed(0)  # noqa: NPY002 - timm draws from the global generator
    lambdas = np.random.default_rng(0).random(5000)
    timms = np.array([cutmix_bbox_and_lam((3, height, width), lam)[1] for lam in lambdas])
    quantiles = np.linspace(0.05, 0.95, 19)
    np.testing.assert_allclose(np.quantile(kept, quantiles), np.quantile(timms, quantiles), atol=0.03)
