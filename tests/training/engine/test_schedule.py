import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from timm.scheduler import CosineLRScheduler
from torch import nn

from edgenext_search.training.engine.schedule import RungWarmupCosine, WarmupCosine, scaled_lr
from edgenext_search.training.engine.trainer import Trainer, TrainerOptions
from edgenext_search.training.full.recipe import FullRecipe

IMAGENET_IMAGES = 1_281_167


def published_curve(lr, min_lr, epochs, steps, warmup_epochs):
    """All of it at once, as an array: a line of the warm-up's length, then half a wave over the rest."""
    rise = np.linspace(0.0, lr, warmup_epochs * steps)
    rest = epochs * steps - len(rise)
    fall = min_lr + (lr - min_lr) * np.cos(np.linspace(0, np.pi / 2, rest, endpoint=False)) ** 2
    return np.concatenate([rise, fall])


def test_the_published_recipe_on_imagenet():
    recipe = FullRecipe().resolve(params=5_586_832, steps=10**5, device="cpu")
    steps = IMAGENET_IMAGES // 4096
    schedule = recipe.schedule(0, 300 * steps)
    curve = [schedule(step) for step in range(300 * steps)]
    np.testing.assert_allclose(curve, published_curve(6e-3, 1e-6, 300, steps, 20), rtol=1e-9, atol=1e-12)
    assert max(curve) == curve[20 * steps - 1] == 6e-3
    assert curve[0] == 0
    assert 1e-6 < curve[-1] < 1.001e-6


def test_decay_and_average_of_the_published_recipe():
    """The weight decay is the same in every step, and so is the average's decay from the second one on."""
    steps = 300 * (IMAGENET_IMAGES // 4096)
    recipe = FullRecipe().resolve(params=5_586_832, steps=steps, device="cpu")
    options = TrainerOptions(decay_temperatures=False, ema_warmup=recipe.ema_warmup)
    trainer = Trainer(nn.Linear(3, 2), recipe, seed=0, options=options)
    assert {trainer.ema.get_decay(step) for step in range(2, steps + 1, 97)} == {0.9995}
    assert trainer.ema.get_decay(1) == 0  # the first step has no learning rate: the weights are the first ones
    images, labels = torch.rand(4, 3), torch.tensor([0, 1, 0, 1])
    for _ in range(3):
        trainer.step(images, labels, 4)
        assert [group["weight_decay"] for group in trainer.optimizer.param_groups] == [0.0, 0.05]
    assert all(group["betas"] == (0.9, 0.999) and group["eps"] == 1e-8 for group in trainer.optimizer.param_groups)


@given(st.integers(1, 60), st.floats(0, 0.99), st.floats(1e-4, 1), st.integers(0, 9))
def test_a_rung_rises_and_falls_as_timm_has_it(total, share, lr, first):
    warmup = round(share * total)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
    theirs = CosineLRScheduler(
        optimizer, t_initial=total, warmup_t=warmup, warmup_lr_init=lr / (warmup + 1), t_in_epochs=False
    )
    ours = RungWarmupCosine(lr=lr, first=first, total=total, warmup=warmup)
    for step in range(total):
        theirs.step_update(step)
        assert ours(first + step) == optimizer.param_groups[0]["lr"]


@given(st.integers(1, 200), st.floats(0, 1), st.floats(1e-5, 1), st.floats(0, 1))
def test_a_training_stays_within_its_rates(total, share, lr, low):
    schedule = WarmupCosine(lr=lr, min_lr=low * lr, total=total, warmup=round(share * (total - 1)))
    rates = [schedule(step) for step in range(total)]
    assert all(0 <= rate <= lr * (1 + 1e-12) for rate in rates)
    assert rates[schedule.warmup :] == sorted(rates[schedule.warmup :], reverse=True)
    assert rates[: schedule.warmup] == sorted(rates[: schedule.warmup])


def test_a_resumed_schedule_equals_the_whole_schedule():
    recipe = FullRecipe(epochs=5).resolve(params=10**6, steps=50, device="cpu")
    whole, rest = recipe.schedule(0, 50), recipe.schedule(17, 33)
    assert [rest(step) for step in range(17, 50)] == [whole(step) for step in range(17, 50)]


@pytest.mark.parametrize(("batch", "lr"), [(4096, 6e-3), (1024, 1.5e-3), (8192, 12e-3)])
def test_the_rate_goes_with_the_batch(batch, lr):
    assert math.isclose(scaled_lr(6e-3, batch_size=batch, lr_batch_size=4096), lr)
    assert math.isclose(FullRecipe(batch_size=batch).peak_lr, lr)
