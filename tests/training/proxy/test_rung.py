import random

import pytest
import torch
from safetensors.torch import load_file
from strategies import tiny

from edgenext_search.errors import UserError
from edgenext_search.training.engine.trainer import TrainingDivergedError
from edgenext_search.training.proxy import rung
from edgenext_search.training.proxy.job import TrainJob
from edgenext_search.training.proxy.recipe import TrainRecipe
from edgenext_search.training.proxy.rung import train_rung

RECIPE = TrainRecipe(img_size=32, epochs=2, rungs=[0.5, 1.0], batch_size=64, drop_path=0.2)


@pytest.fixture
def a_job(prepared, tmp_path):
    def make(until=2, *, folder="scratch", **changes):
        values = {
            "name": "net-3",
            "label": "trial 0",
            "candidate": tiny(),
            "recipe": RECIPE,
            "data": prepared.folder,
            "seed": 3,
            "folder": tmp_path / folder,
        }
        return TrainJob(until=until, **{**values, **changes})

    return make


@pytest.fixture(scope="module")
def undisturbed(prepared, tmp_path_factory):
    """Score at each rung, and the weights, of a training that nothing interrupted."""
    folder = tmp_path_factory.mktemp("undisturbed")
    jobs = [
        TrainJob(
            name="net-3",
            label="",
            candidate=tiny(),
            recipe=RECIPE,
            data=prepared.folder,
            seed=3,
            until=until,
            folder=folder,
        )
        for until in (1, 2)
    ]
    scores = {job.until: train_rung(job).score for job in jobs}
    return scores, load_file(jobs[-1].weights_file)


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def steps_of(job):
    """The result of a job, and how many steps it took."""
    steps = []
    result = train_rung(job, lambda done, total: steps.append((done, total)))
    return result, len(steps)


def test_scores_are_shares_of_the_held_out_images(undisturbed, prepared):
    scores, _ = undisturbed
    for score in scores.values():
        assert 0 <= score <= 1
        assert (score * len(prepared.val.labels)) % 1 == pytest.approx(0, abs=1e-9)


def test_losses_beside_the_score(a_job):
    first, last = train_rung(a_job(until=1)), train_rung(a_job(until=2))
    assert 0 < last.loss < first.loss < 3
    assert 0 < last.train_loss < first.train_loss < 3  # the mean from the first step on
    assert first.recent_loss == first.train_loss
    assert last.recent_loss == pytest.approx(2 * last.train_loss - first.train_loss)  # of the second epoch alone
    again = train_rung(a_job(until=2))
    assert (again.loss, again.train_loss) == (last.loss, last.train_loss)


def test_a_score_over_the_last_epochs(a_job, prepared):
    """Each alone, then their mean: without rungs between them the epochs are the same."""
    recipe = RECIPE.model_copy(update={"epochs": 3, "rungs": [1.0]})
    ends = []
    for k in (1, 2, 3):
        mean = train_rung(a_job(until=3, recipe=recipe.model_copy(update={"score_epochs": k}), folder=f"last-{k}"))
        ends.append(mean.score)
    third, second, first = ends[0], 2 * ends[1] - ends[0], 3 * ends[2] - 2 * ends[1]
    for score in (first, second, third):
        assert 0 <= score <= 1
        images = score * len(prepared.val.labels)
        assert images == pytest.approx(round(images), abs=1e-6)
    assert len({first, second, third}) > 1


def test_a_score_reaches_back_to_the_rung_before_at_most(a_job):
    """Whether that rung is trained in the same process or not."""
    recipe = RECIPE.model_copy(update={"score_epochs": 9})
    train_rung(a_job(until=1, recipe=recipe, folder="rung by rung"))
    by_rung = train_rung(a_job(until=2, recipe=recipe, folder="rung by rung"))
    at_once = train_rung(a_job(until=2, recipe=recipe, folder="at once"))
    last = train_rung(a_job(until=2, folder="last"))
    assert by_rung.score == at_once.score == last.score


def test_from_the_beginning_to_a_later_rung_is_the_same_as_rung_by_rung(a_job, undisturbed):
    scores, weights = undisturbed
    job = a_job(until=2)
    result, steps = steps_of(job)
    assert result.score == scores[2]
    assert result.seconds > 0
    assert steps == 4  # two epochs of two batches
    assert same(load_file(job.weights_file), weights)


def test_a_rung_goes_on_from_the_state_before_it(a_job, undisturbed):
    scores, weights = undisturbed
    first = a_job(until=1)
    assert steps_of(first)[0].score == scores[1]
    assert not first.weights_file.exists()
    second = a_job(until=2)
    result, steps = steps_of(second)
    assert (result.score, steps) == (scores[2], 2)
    assert same(load_file(second.weights_file), weights)
    assert sorted(path.suffix for path in second.folder.iterdir()) == [".pt", ".safetensors"]


def test_a_rung_that_is_done_is_not_trained_again(a_job, undisturbed):
    scores, _ = undisturbed
    train_rung(a_job(until=1))
    result, steps = steps_of(a_job(until=1))
    assert (result.score, steps) == (scores[1], 0)


def test_the_result_hangs_on_neither_name_nor_folder(a_job, undisturbed):
    scores, weights = undisturbed
    torch.rand(11)
    job = a_job(until=2, name="another-name", label="trial 9", folder="elsewhere")
    assert train_rung(job).score == scores[2]
    assert same(load_file(job.weights_file), weights)


def test_another_seed_gives_other_weights(a_job, undisturbed):
    job = a_job(until=2, seed=4)
    train_rung(job)
    assert not same(load_file(job.weights_file), undisturbed[1])


def _truncate(data):
    return data[: len(data) // 2]


def _noise(data):
    return random.Random(0).randbytes(len(data))


@pytest.mark.parametrize(
    "damage",
    [
        _truncate,
        _noise,
        lambda _: b"",
        lambda data: bytes(len(data)),
        lambda data: data[:-10],
        lambda _: b"nonsense" * 20,
        lambda _: b"hello world",
    ],
    ids=["half", "noise", "empty", "zeros", "end-missing", "text", "words"],
)
def test_a_damaged_state_is_started_over(a_job, undisturbed, damage):
    first = a_job(until=1)
    train_rung(first)
    first.state_file.write_bytes(damage(first.state_file.read_bytes()))
    result, steps = steps_of(a_job(until=2))
    assert (result.score, steps) == (undisturbed[0][2], 4)


def test_a_file_that_holds_something_else_is_started_over(a_job, undisturbed):
    job = a_job(until=1)
    job.folder.mkdir()
    torch.save([1, 2], job.state_file)
    assert train_rung(job).score == undisturbed[0][1]


def test_a_state_of_a_later_epoch_is_left_aside(a_job, undisturbed):
    train_rung(a_job(until=2))
    result, steps = steps_of(a_job(until=1))
    assert (result.score, steps) == (undisturbed[0][1], 2)


def test_a_training_that_counts_as_done_has_left_its_weights(a_job, undisturbed, monkeypatch):
    """Whenever the machine goes down: a state of the last epoch without weights would leave a winner without any."""
    job = a_job(until=2)

    def power_cut(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(rung, "save_file", power_cut)
        with pytest.raises(KeyboardInterrupt):
            train_rung(job)
    assert train_rung(job).score == undisturbed[0][2]
    assert same(load_file(job.weights_file), undisturbed[1])


def test_a_state_that_could_not_be_written_whole_is_as_if_there_were_none(a_job, undisturbed, monkeypatch):
    job = a_job(until=1)

    def half_a_file(_state, path):
        path.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(rung.torch, "save", half_a_file)
        with pytest.raises(OSError, match="No space left"):
            train_rung(job)
    assert not job.state_file.exists()
    assert train_rung(job).score == undisturbed[0][1]


def test_divergence_leaves_no_state(a_job):
    job = a_job(until=1, recipe=RECIPE.model_copy(update={"lr": 1e30}))
    with pytest.raises(TrainingDivergedError, match="lower lr"):
        train_rung(job)
    assert not job.state_file.exists()


def test_data_that_is_gone_is_said_so(a_job, tmp_path):
    with pytest.raises(UserError, match="no usable prepared images"):
        train_rung(a_job(data=tmp_path / "nowhere"))


@pytest.mark.parametrize(
    "keys", [{"crop_scale": [0.35, 1.0]}, {"color_jitter": 0.4}, {"random_erasing": 0.5}, {"mixup": 0.8, "cutmix": 1.0}]
)
def test_augmentation_reaches_the_training(a_job, keys):
    """The same job trains on other images, so that its weights differ from those without."""
    epoch = RECIPE.model_copy(update={"epochs": 1, "rungs": [1.0]})
    plain, varied = a_job(1, folder="plain", recipe=epoch), a_job(1, recipe=epoch.model_copy(update=keys))
    for job in (plain, varied):
        train_rung(job)
    assert not same(load_file(plain.weights_file), load_file(varied.weights_file))
