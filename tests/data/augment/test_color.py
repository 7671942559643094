import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from edgenext_search.data.augment.color import adjust, jitter
from edgenext_search.data.augment.randomness import Draws

FACTOR = st.floats(0, 3, width=32)


def noise(b, s, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (b, 3, s, s), dtype=np.uint8))


@settings(max_examples=50)
@given(FACTOR, FACTOR, FACTOR, st.integers(0, 99))
def test_adjusting_is_pillows(brightness, contrast, saturation, seed):
    image = noise(1, 9, seed)
    ours = adjust(image, torch.tensor([[brightness, contrast, saturation]]))[0].permute(1, 2, 0).numpy().astype(int)
    pillows = Image.fromarray(image[0].permute(1, 2, 0).contiguous().numpy())
    steps = {ImageEnhance.Brightness: brightness, ImageEnhance.Contrast: contrast, ImageEnhance.Color: saturation}
    for enhance, factor in steps.items():
        pillows = enhance(pillows).enhance(factor)
    # Pillow cuts fractions off where we round, which later steps multiply by up to 3.
    assert np.abs(ours - np.asarray(pillows).astype(int)).max() <= 1 + 3 + 9


def test_ones_change_nothing_and_zeros_leave_black_grey_and_colourless():
    images = noise(2, 6)
    assert torch.equal(adjust(images, torch.ones(2, 3)), images)
    assert (adjust(images, torch.tensor([[0.0, 1, 1], [0, 1, 1]])) == 0).all()
    flat = adjust(images, torch.tensor([[1.0, 0, 1], [1, 0, 1]]))
    assert (flat == flat[:, :1, :1, :1]).all()
    grey = adjust(images, torch.tensor([[1.0, 1, 0], [1, 1, 0]]))
    assert torch.equal(grey[:, 0], grey[:, 2])
    assert not (grey == grey[:, :1, :1, :1]).all()


@pytest.mark.parametrize(("strength", "low", "high"), [(0.4, 0.6, 1.4), (1.5, 0.0, 2.5)])
def test_factors_are_uniform_about_one(strength, low, high):
    """On a grey image brightness alone shows."""
    n = 4000
    images = torch.full((n, 3, 1, 1), 100, dtype=torch.uint8)
    factors = jitter(images, Draws(0, 0, np.arange(n)), strength)[:, 0, 0, 0].double() / 100
    assert factors.min() == pytest.approx(low, abs=0.02)
    assert factors.max() == pytest.approx(high, abs=0.02)
    assert factors.mean() == pytest.approx((low + high) / 2, abs=0.03)
    assert factors.std() == pytest.approx((high - low) / 12**0.5, rel=0.05)
