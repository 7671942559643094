import re
from types import SimpleNamespace

import pytest
from full_builders import a_job

from edgenext_search.errors import UserError
from edgenext_search.training.full import plan as full_plan
from edgenext_search.training.full.plan import plan_training


@pytest.fixture
def of_100_images(monkeypatch):
    """Planning looks at how many images there are, and at none of them."""
    data = SimpleNamespace(train=range(100), val=range(9), classes=("a", "b"), name="folder images", notes=())
    monkeypatch.setattr(full_plan, "open_full_data", lambda *_args, **_keys: data)


def plan(tmp_path, *, world=1, sizes=(32, 96, 3), epochs=20, **keys):
    recipe = {"img_size": 64, "multi_scale": sizes, "epochs": epochs}
    return plan_training(a_job(tmp_path, tmp_path / "out", recipe=recipe, **keys), world=world, device="cpu")


@pytest.mark.parametrize(("world", "each"), [(1, 8), (2, 4)])
def test_a_training_whose_epochs_could_end_before_their_first_step_is_refused(of_100_images, tmp_path, world, each):
    """At 32 px a batch has four times the images."""
    wanted = r"takes 8 batches \(.*\), but of the 100 training images of folder images some epochs make only 4: "
    with pytest.raises(UserError, match=rf"{wanted}.*Or give --batch-size {each} --accumulate 4"):
        plan(tmp_path, world=world, each=each, accumulate=8)
    assert plan(tmp_path, world=world, each=each, accumulate=4).shares.accumulate == 4


def test_epochs_of_one_size_have_the_steps_that_the_batch_leaves(of_100_images, tmp_path):
    assert plan(tmp_path, sizes=None, each=16, accumulate=4).shares.total == 64
    with pytest.raises(UserError, match="A step of the optimizer takes 112 images"):
        plan(tmp_path, sizes=None, each=16, accumulate=7)


def test_a_batch_of_one_part_always_makes_a_step(of_100_images, tmp_path):
    assert plan(tmp_path, each=100).shares.total == 100


@pytest.mark.parametrize("each", [4, 8, 11, 12, 16, 25, 32, 50, 64, 99, 100])
def test_a_small_set_is_advised_a_batch_with_more_steps(of_100_images, tmp_path, each):
    note = " ".join(line for line in plan(tmp_path, sizes=None, each=each).lines() if "Note" in line)
    steps = 100 // each
    assert ("Note" in note) == (steps < 10)
    if advised := re.search(r"train\.batch_size=(\d+)", note):
        assert 100 // int(advised[1]) > steps
        assert 100 // int(advised[1]) >= 10


@pytest.mark.parametrize("images", [2, 3, 9, 15, 16, 100, 128, 639, 640, 5000])
def test_the_advised_batch_fits_and_is_smaller(images):
    for batch in {1, 2, 8, images // 2, images, 4096} - {0}:
        advised = re.search(r"train\.batch_size=(\d+)", full_plan._for_small_sets(images, batch))
        if advised is not None:
            assert 1 <= int(advised[1]) <= min(64, images // 2, batch - 1)
        elif batch > images:
            raise AssertionError(batch)
