import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenext_search.data.augment.batches import Augmentation
from edgenext_search.errors import UserError
from edgenext_search.training.proxy.recipe import TrainRecipe


def read(**values):
    return TrainRecipe.read(values, where="proxy")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("img_size", 31),
        ("epochs", 0),
        ("epochs", 2.0),
        ("rungs", []),
        ("rungs", [0.0, 1.0]),
        ("rungs", [0.5, 1.5]),
        ("batch_size", 0),
        ("lr", 0),
        ("lr", float("inf")),
        ("lr", "0.1"),
        ("weight_decay", -0.1),
        ("warmup_share", 1),
        ("label_smoothing", 1),
        ("ema_decay", 1),
        ("clip_grad", 0),
        ("drop_path", 1),
        ("layer_scale_init", 0),
        ("flip", 1),
        ("crop_scale", [0.0, 1.0]),
        ("crop_scale", [0.5]),
        ("crop_scale", [0.5, 1.5]),
        ("color_jitter", -0.1),
        ("random_erasing", 1.1),
        ("mixup", -1),
        ("cutmix", "yes"),
        ("weights", "best"),
        ("score_epochs", 0),
        ("learning_rate", 0.1),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_key(key, value):
    with pytest.raises(UserError, match=rf"^proxy: {key}[.:]"):
        read(**{key: value})


@pytest.mark.parametrize("rungs", [[0.5], [1.0, 1.0], [0.5, 0.25, 1.0], [0.5, 0.5, 1.0], [1.0, 0.5]])
def test_rungs_ascend_and_end_in_one(rungs):
    with pytest.raises(UserError, match=r"rungs must ascend and end in 1, but got \["):
        read(rungs=rungs)


def test_crop_scale_ascends():
    with pytest.raises(UserError, match=r"crop_scale must be the least area before the largest, but got \[1.0, 0.35\]"):
        read(crop_scale=[1.0, 0.35])


def test_augmentation_is_the_recipes():
    assert read().augmentation == Augmentation()
    values = {"flip": False, "color_jitter": 0.4, "random_erasing": 0.25, "mixup": 0.8, "cutmix": 1.0}
    assert read(crop_scale=[0.35, 1.0], **values).augmentation == Augmentation(crop_scale=(0.35, 1.0), **values)


def test_extremes_that_are_allowed():
    recipe = read(warmup_share=0, label_smoothing=0, ema_decay=0, clip_grad=None, weight_decay=0, epochs=1, lr=1e-9)
    assert recipe.clip_grad is None
    assert recipe.rung_epochs == (1,)


@pytest.mark.parametrize(
    ("rungs", "epochs", "expected"),
    [
        ([0.34, 1.0], 6, (2, 6)),
        ([0.25, 0.5, 1.0], 20, (5, 10, 20)),
        ([0.01, 1.0], 10, (1, 10)),  # never before the first epoch
        ([0.1, 0.2, 1.0], 4, (1, 4)),  # two shares that round to the same epoch
        ([0.9, 1.0], 3, (3,)),
    ],
)
def test_epochs_of_rungs(rungs, epochs, expected):
    assert read(rungs=rungs, epochs=epochs).rung_epochs == expected


@given(
    st.lists(st.floats(1e-6, 0.999), max_size=6, unique=True),
    st.integers(1, 1000),
)
def test_rung_epochs_ascend_from_the_first_epoch_to_the_last(shares, epochs):
    rungs = read(rungs=[*sorted(shares), 1.0], epochs=epochs).rung_epochs
    assert rungs[0] >= 1
    assert rungs[-1] == epochs
    assert all(a < b for a, b in itertools.pairwise(rungs))
    assert len(rungs) <= len(shares) + 1
