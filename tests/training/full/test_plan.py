from types import SimpleNamespace

import pytest
from full_builders import a_job

from edgenext_search.errors import UserError
from edgenext_search.training.full import plan as full_plan
from edgenext_search.training.full.plan import plan_training


@pytest.fixture
def of_100_images(monkeypatch):
    """Planning looks at how many images there are, and at none of them."""
    data = SimpleNamespace(train=range(100), val=range(9), classes=("a", "b"), name="folder images")
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
