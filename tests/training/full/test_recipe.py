import math

import pytest

from edgenext_search.arch.published import published_variant
from edgenext_search.data.augment.transforms import TimmAugmentation
from edgenext_search.errors import UserError
from edgenext_search.search.resolver import read_study
from edgenext_search.training.full.recipe import FullRecipe, nearest_size


def resolved(*, params=10**6, steps=10**5, device="cpu", **keys):
    return FullRecipe(**keys).resolve(params=params, steps=steps, device=device)


def for_variant(name):
    return resolved(params=published_variant(name).params)


def test_the_defaults_are_the_published_recipe():
    recipe = for_variant("edgenext_x_small")
    assert (recipe.epochs, recipe.batch_size, recipe.peak_lr, recipe.min_lr) == (300, 4096, 6e-3, 1e-6)
    assert (recipe.warmup_epochs, recipe.weight_decay, recipe.label_smoothing, recipe.ema_decay) == (
        20,
        0.05,
        0.1,
        0.9995,
    )
    assert (recipe.layer_scale_init, recipe.color_jitter, recipe.clip_grad, recipe.random_erasing) == (
        1e-6,
        0.4,
        None,
        0,
    )
    assert recipe.sizes == (160, 192, 256, 288, 320)
    assert recipe.img_size == 256


@pytest.mark.parametrize(
    ("name", "drop_path", "policy", "mixup", "cutmix"),
    [
        ("edgenext_xx_small", 0.0, None, 0.0, 0.0),
        ("edgenext_x_small_bn_hs", 0.0, None, 0.0, 0.0),
        ("edgenext_small", 0.1, "rand-m9-mstd0.5-inc1", 0.0, 0.0),
        ("edgenext_base", 0.1, "rand-m9-mstd0.5-inc1", 0.8, 1.0),
    ],
)
def test_differences_between_the_variants(name, drop_path, policy, mixup, cutmix):
    recipe = for_variant(name)
    assert (recipe.drop_path, recipe.auto_augment, recipe.mixup, recipe.cutmix) == (drop_path, policy, mixup, cutmix)


def test_sizes_between_the_variants_go_to_the_nearer_one():
    assert nearest_size(3_500_000) == "edgenext_x_small"
    assert nearest_size(3_700_000) == "edgenext_small"
    assert nearest_size(10**9) == "edgenext_base"
    assert nearest_size(1000) == "edgenext_xx_small"


def test_given_values_stay():
    recipe = resolved(params=18 * 10**6, drop_path=0.3, auto_augment=None, mixup=0.1, cutmix=0.0, warmup_epochs=5)
    assert (recipe.drop_path, recipe.auto_augment, recipe.mixup, recipe.cutmix) == (0.3, None, 0.1, 0.0)
    assert recipe.warmup_epochs == 5


@pytest.mark.parametrize(
    ("keys", "sizes"),
    [
        ({"img_size": 64}, (32, 64, 96)),
        ({"img_size": 32}, (32,)),
        ({"img_size": 200, "multi_scale": None}, (200,)),
        ({"multi_scale": (128, 128, 1)}, (128,)),
    ],
)
def test_sizes_follow_the_image_size(keys, sizes):
    assert resolved(**keys).sizes == sizes


def test_a_short_training_is_averaged_with_a_rising_decay():
    assert not resolved(steps=93_600).ema_warmup
    assert resolved(steps=2_000).ema_warmup
    assert not resolved(steps=10, ema_warmup=False).ema_warmup
    assert resolved(steps=10**6, ema_warmup=True).ema_warmup


def test_precision_by_the_kind_of_device():
    assert resolved(device="cpu").numerics.precision == "fp32"
    assert resolved(device="cuda").numerics.precision == "fp16"
    assert resolved(device="cpu", precision="bf16").numerics.precision == "bf16"


def test_the_augmentation_is_that_of_the_recipe():
    augmentation = resolved(flip=False, mixup=0.2, random_erasing=0.1).augmentation
    assert augmentation == TimmAugmentation(flip=False, mixup=0.2, random_erasing=0.1)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"lr": math.nan}, "lr: must be a finite number, but got nan"),
        ({"lr": "fast"}, "lr: must be a valid number, but got 'fast'"),
        ({"multi_scale": [320, 160, 5]}, "multi_scale must be the smallest size"),
        ({"epochs": 5, "warmup_epochs": 5}, "warmup_epochs must be < epochs=5, but got 5"),
        ({"epochs": 5, "head_epochs": 5}, "head_epochs must be < epochs=5, but got 5"),
        ({"lr": 1e-7}, "min_lr must be <= lr=1e-07, but got 1e-06"),
        ({"epoch": 5}, "there is no such key; the closest is epochs"),
    ],
)
def test_wrong_values_are_named(keys, message):
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        FullRecipe.read(keys, where="train")


def test_the_shipped_study_has_the_published_recipe():
    train = read_study("imagenet", flags={}).train
    assert train.for_size(5_586_832).to_dict() == {
        **FullRecipe().for_size(5_586_832).to_dict(),
        "multi_scale": [160, 320, 5],
    }
    assert train.sizes_of_batches == FullRecipe().sizes_of_batches
