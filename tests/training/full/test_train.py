import contextlib
import csv
import multiprocessing
import os
import shutil
import signal
import threading
import time
from dataclasses import replace

import pytest
import torch
from full_builders import CLASSES, EXPORTED, Recorder, a_job, write_images
from states import assert_equal
from strategies import tiny

from edgenext_search.data.loading.loaders import TrainLoader, ValLoader
from edgenext_search.errors import HostError, UserError
from edgenext_search.models.build import build
from edgenext_search.training.engine.distributed import Ranks
from edgenext_search.training.errors import TrainingDivergedError, TrainingInterruptedError
from edgenext_search.training.full import finalize
from edgenext_search.training.full import folder as full_folder
from edgenext_search.training.full import training_run as full_run
from edgenext_search.training.full.checkpoint import Checkpoints
from edgenext_search.training.full.init_weights import read_init_weights
from edgenext_search.training.full.metrics import METRICS_FILE, TIMES
from edgenext_search.training.full.train import train_fully

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("full") / "images")


@pytest.fixture(autouse=True)
def no_export(monkeypatch):
    """ONNX takes longer than these trainings, and has its own tests."""
    monkeypatch.setattr(finalize, "export_folder", lambda *_args, **_keys: EXPORTED)


def train(job, listener=None):
    return train_fully(job, Ranks(), CPU, listener or Recorder())


def newest(out):
    state = Checkpoints(out / "checkpoints").load(CPU, pytest.fail)
    assert state is not None
    return {key: value for key, value in state.items() if key != "seconds"} | {"rows": rows(out)}


def rows(out):
    with (out / METRICS_FILE).open(encoding="utf-8") as file:
        return [{key: value for key, value in row.items() if key not in TIMES} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def undisturbed(images, tmp_path_factory):
    """A training with several image sizes, stochastic depth, mixed images and averaged weights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finalize, "export_folder", lambda *_args, **_keys: EXPORTED)
        out = tmp_path_factory.mktemp("full") / "undisturbed"
        listener = Recorder()
        summary = train(a_job(images, out, recipe={"mixup": 0.2}), listener)
        return out, summary, listener


def test_a_training_ends_with_a_model_folder_and_its_figures(undisturbed):
    out, summary, listener = undisturbed
    table = rows(out)
    assert [row["epoch"] for row in table] == ["1", "2", "3"]
    assert len(listener.rows) == 3
    assert summary.top1 == float(table[-1]["ema_top1"]) == summary.ema.top1
    assert summary.raw.loss == float(table[-1]["loss"])
    assert summary.best.top1 == max(float(row["ema_top1"]) for row in table)
    assert (summary.deployment.num_classes, summary.deployment.img_size) == (3, 32)
    assert (summary.data.train_images, summary.data.val_images) == (48, 15)
    assert summary.params == sum(parameter.numel() for parameter in build(tiny(), num_classes=3).parameters())
    assert {path.name for path in (out / "model").iterdir()} == {
        "candidate.yaml",
        "config.json",
        "model.safetensors",
        "raw.safetensors",
    }
    assert len({path.stat().st_mode for path in (out / "model").iterdir()}) == 1  # who reads one reads all
    said = listener.notes[:6]
    assert "tiny" in said[0]
    assert "3 classes, 48 training and 15 validation images" in said[1]
    assert "batches of 8 = 8 images x 1 process" in said[3]
    assert "learning rate 0.002 = 0.002 x 8 / 8" in said[4]
    assert "Note: 6 steps an epoch: the published recipe is for a large set" in listener.notes[6]


@pytest.mark.parametrize("stops", [(3, 7, 8, 11), tuple(range(1, 19))])
def test_interrupted_anywhere_it_ends_with_the_same_bits(images, tmp_path, undisturbed, monkeypatch, capfd, stops):
    job = a_job(images, tmp_path / "out", recipe={"mixup": 0.2})
    show = full_run.TrainingRun._show

    def stop_there(run, clock):
        if run.trainer.updates in stops and run.trainer.updates not in stopped:
            stopped.append(run.trainer.updates)
            os.kill(os.getpid(), signal.SIGTERM)
        show(run, clock)

    stopped = []
    before = set(multiprocessing.active_children())
    monkeypatch.setattr(full_run.TrainingRun, "_show", stop_there)
    for _ in range(len(stops) + 1):
        torch.rand(3)  # what else is drawn does not matter
        with contextlib.suppress(TrainingInterruptedError):
            train(job)
    assert len(stopped) >= min(len(stops), 12)
    assert_equal(newest(job.out), newest(undisturbed[0]))
    assert set(multiprocessing.active_children()) <= before
    said = capfd.readouterr().err.count("Stopping after this step")
    assert len(stopped) / 2 <= said <= len(stopped)  # one that is stopping already is not told again


def test_killed_in_its_evaluations_it_repeats_no_epoch(images, tmp_path, undisturbed, monkeypatch):
    job = a_job(images, tmp_path / "out", recipe={"mixup": 0.2})
    row, trained = full_run.TrainingRun._evaluate, []

    def killed_at_first(run, clock):
        if run.trainer.epoch not in trained:
            trained.append(run.trainer.epoch)
            raise KeyboardInterrupt
        assert run.trainer.seen == 0  # since it was started
        return row(run, clock)

    monkeypatch.setattr(full_run.TrainingRun, "_evaluate", killed_at_first)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            train(job)
    train(job)
    assert trained == [1, 2, 3]
    assert_equal(newest(job.out), newest(undisturbed[0]))


@pytest.mark.parametrize("error", [HostError("no drive"), UserError("no image")])
def test_a_loader_that_fails_costs_no_step(images, tmp_path, undisturbed, monkeypatch, error):
    job = a_job(images, tmp_path / "out", recipe={"mixup": 0.2})
    epoch = TrainLoader.epoch

    def failing(loader, number, start=0):
        for step, batch in enumerate(epoch(loader, number, start), start):
            if (number, step) == (1, 3):
                raise error
            yield batch

    with monkeypatch.context() as patch:
        patch.setattr(TrainLoader, "epoch", failing)
        with pytest.raises(type(error), match=str(error)):
            train(job)
    listener = Recorder()
    train(job, listener)
    assert any(note.startswith("Resuming after step") for note in listener.notes)
    assert_equal(newest(job.out), newest(undisturbed[0]))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_an_evaluation_and_costs_no_step(images, tmp_path, undisturbed, monkeypatch, number):
    job = a_job(images, tmp_path / "out", recipe={"mixup": 0.2})

    def waiting(_loader):
        threading.Timer(0.2, os.kill, (os.getpid(), number)).start()
        time.sleep(100)
        yield

    with monkeypatch.context() as patch:
        patch.setattr(ValLoader, "__iter__", waiting)
        with pytest.raises(TrainingInterruptedError, match=r"Stopped after step \d+ of \d+, which is saved"):
            train(job)
    train(job)
    assert_equal(newest(job.out), newest(undisturbed[0]))


def test_a_complete_training_is_not_repeated(images, undisturbed):
    out, summary, _ = undisturbed
    listener = Recorder()
    assert train(a_job(images, out, recipe={"mixup": 0.2}), listener) == summary
    assert listener.notes == [f"{out} holds this training, and it is complete."]


def test_a_damaged_checkpoint_costs_the_steps_since_the_one_before(images, tmp_path, undisturbed, monkeypatch):
    job = a_job(images, tmp_path / "out", recipe={"mixup": 0.2})
    monkeypatch.setattr(full_run.TrainingRun, "finish", lambda _: None)
    train(job)
    path = Checkpoints(job.out / "checkpoints").newest_first()[0]
    path.write_bytes(path.read_bytes()[:-5])
    listener = Recorder()
    train(job, listener)
    assert any("is damaged" in note and "falling back" in note for note in listener.notes)
    assert_equal(newest(job.out), newest(undisturbed[0]))


@pytest.mark.parametrize(("device", "said"), [("cpu", False), ("cuda", True)])
def test_a_training_resumes_on_another_device(images, tmp_path, device, said):
    job = a_job(images, tmp_path / "out", recipe={"epochs": 1})
    kept = Checkpoints(job.out / "checkpoints")

    class Stopper(Recorder):
        def epoch_done(self, metrics):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(job, Stopper())
    state = kept.load(CPU, pytest.fail)
    kept.save({**state, "device": device}, state["updates"])
    listener = Recorder()
    train(job, listener)
    assert any("done on cuda, those to come on cpu" in note for note in listener.notes) == said


def test_a_folder_of_another_training_is_refused(images, undisturbed):
    message = r"holds another training \(there / here\): recipe.lr: 0.002 / 0.1. Give the same"
    with pytest.raises(UserError, match=message):
        train(a_job(images, undisturbed[0], recipe={"mixup": 0.2, "lr": 0.1}))


def test_only_one_process_trains_in_a_folder(images, tmp_path, monkeypatch):
    monkeypatch.setattr(full_folder, "PATIENCE", 0.0)
    job = a_job(images, tmp_path / "out")

    class Second(Recorder):
        def epoch_done(self, metrics):
            with pytest.raises(UserError, match="Another process trains in"):
                train(job)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(job, Second())


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"recipe": {"batch_size": 64}}, "takes 64 images .* has 48 training images.*=8 .* a smaller --batch-size"),
        ({"recipe": {"head_epochs": 1}}, "train.head_epochs=1 trains a new classifier on trained weights; give --init"),
        ({"teacher": "resnet181"}, "no teacher 'resnet181'.*Did you mean resnet18"),
        ({"data": "nowhere"}, "nowhere"),
    ],
)
def test_invalid_jobs_are_refused_before_anything_is_written(images, tmp_path, keys, message):
    data = keys.pop("data", images)
    with pytest.raises(UserError, match=message):
        train(a_job(data, tmp_path / "out", **keys))
    assert not (tmp_path / "out").exists()


def test_a_missing_validation_set_is_refused(tmp_path):
    root = write_images(tmp_path / "images", val=0)
    with pytest.raises(UserError, match="val"):
        train(a_job(root, tmp_path / "out"))


def test_weights_that_are_no_numbers_are_never_saved(images, tmp_path):
    job = a_job(images, tmp_path / "out", recipe={"lr": 1e30, "warmup_epochs": 0})
    with pytest.raises(TrainingDivergedError):
        train(job)
    assert Checkpoints(job.out / "checkpoints").newest_first() == []


def test_new_classes_get_a_new_classifier_which_learns_first(images, tmp_path, undisturbed, monkeypatch):
    other = write_images(tmp_path / "images")
    for part in ("train", "val"):
        (other / part / CLASSES[0]).rename(other / part / "another")
    job = a_job(
        other, tmp_path / "out", init=undisturbed[0] / "model", recipe={"epochs": 2, "head_epochs": 1, "ema_decay": 0.0}
    )
    listener = Recorder()
    begun = torch.load(Checkpoints(undisturbed[0] / "checkpoints").newest_first()[0], weights_only=True)["ema"]
    seen = []
    done = full_run.TrainingRun._evaluate
    monkeypatch.setattr(
        full_run.TrainingRun, "_evaluate", lambda run, clock: seen.append(_copy(run.trainer.model)) or done(run, clock)
    )
    train(job, listener)
    assert any("the classifier is a new one" in note for note in listener.notes)
    moved = [{name for name, value in state.items() if not torch.equal(value, begun[name])} for state in seen]
    assert moved[0] == {"head.fc.weight", "head.fc.bias"}
    assert len(moved[1]) > 20


def test_a_checkpoint_knows_its_classes(undisturbed):
    path = Checkpoints(undisturbed[0] / "checkpoints").newest_first()[0]
    assert read_init_weights(path).classes == CLASSES


def _copy(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_the_same_classes_keep_their_classifier(images, tmp_path, undisturbed):
    job = a_job(images, tmp_path / "out", init=undisturbed[0] / "model", recipe={"epochs": 1, "lr": 1e-5})
    listener = Recorder()
    summary = train(job, listener)
    assert not any("classifier" in note for note in listener.notes)
    assert summary.raw.loss == pytest.approx(undisturbed[1].ema.loss, abs=0.05)


def spoilt(root, tmp_path, *names):
    copy = shutil.copytree(root, tmp_path / "photos")
    for name in names:
        (copy / name).write_bytes(b"no image")
    return copy


@pytest.fixture
def a_tenth_tolerated(monkeypatch):
    monkeypatch.setattr("edgenext_search.data.unreadable.UNREADABLE_FRACTION", 0.1)


class KilledAfterAnEpoch(Recorder):
    def epoch_done(self, metrics):
        raise KeyboardInterrupt


UNREADABLE = ("train/dark/3.jpg", "val/left/2.jpg")


def test_unreadable_images_are_left_out_and_may_be_removed_at_any_time(images, a_tenth_tolerated, tmp_path):
    data = spoilt(images, tmp_path, *UNREADABLE)
    undisturbed = train(a_job(data, tmp_path / "undisturbed", recipe={"epochs": 2}))
    assert undisturbed is not None
    assert (undisturbed.data.train_images, undisturbed.data.val_images) == (47, 14)
    job, listener = a_job(data, tmp_path / "out", recipe={"epochs": 2}), KilledAfterAnEpoch()
    with pytest.raises(KeyboardInterrupt):
        train(job, listener)
    said = [note.partition(": ")[0] for note in listener.notes if "cannot be read" in note]
    assert said == [f"1 image of {part}/ cannot be read and is left out" for part in ("train", "val")]
    for name in UNREADABLE:
        (data / name).unlink()
    train(job)
    assert_equal(newest(tmp_path / "out"), newest(tmp_path / "undisturbed"))


def test_a_training_goes_on_with_its_images_wherever_they_are_and_with_no_others(images, tmp_path):
    job = a_job(images, tmp_path / "out", recipe={"epochs": 1})
    undisturbed = train(replace(job, out=tmp_path / "undisturbed"))
    with pytest.raises(KeyboardInterrupt):
        train(job, KilledAfterAnEpoch())
    others = shutil.copytree(images, tmp_path / images.name)
    dark, left = ([*(others / "train" / name).iterdir()] for name in ("dark", "left"))
    for one, other in zip(sorted(dark), sorted(left), strict=True):
        one.write_bytes(other.read_bytes())
    with pytest.raises(UserError, match="holds a training on other images"):
        train(replace(job, data=str(others)))
    copy = shutil.copytree(images, tmp_path / "copied", copy_function=shutil.copyfile)
    summary = train(replace(job, data=str(copy)))
    assert_equal(newest(tmp_path / "out"), newest(tmp_path / "undisturbed"))
    assert summary.top1 == undisturbed.top1


def test_too_many_unreadable_images_are_refused_before_the_first_epoch_and_may_be_removed(images, tmp_path):
    data = spoilt(images, tmp_path, *UNREADABLE)
    job = a_job(data, tmp_path / "out", recipe={"epochs": 1})
    for name in UNREADABLE:
        with pytest.raises(UserError, match=rf"{name}: cannot identify .*\. Repair or remove these files"):
            train(job)
        assert not (tmp_path / "out").exists()
        (data / name).unlink()
    summary = train(job)
    assert summary is not None
    assert summary.data.train_images == 47


def test_a_class_of_unreadable_images_alone_is_refused(images, a_tenth_tolerated, tmp_path):
    data = shutil.copytree(images, tmp_path / "photos")
    for number in range(1, 5):
        (data / f"val/dark/{number}.jpg").unlink()
    (data / "val/dark/0.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"has none of 1 \('dark'\): .*val/dark/0\.jpg: the file is empty\. Repair"):
        train(a_job(data, tmp_path / "out"))
