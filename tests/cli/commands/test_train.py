import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
import timm
import torch
from full_builders import CLASSES, EXPORTED, write_images
from strategies import TINY

from edgenext_search.data.augment.transforms import Preprocessing
from edgenext_search.data.loading.datasets import open_val_set
from edgenext_search.data.loading.loaders import ValLoader
from edgenext_search.errors import UserError
from edgenext_search.execution import launch
from edgenext_search.files import dump_yaml
from edgenext_search.training.engine.distributed import FirstRefusedError
from edgenext_search.training.full import finalize, training_run
from edgenext_search.training.full.checkpoint import Checkpoints

from ..helpers import ROOT, call, call_json, refusal

RECIPE = ("epochs=2", "img_size=32", "lr_batch_size=8", "lr=0.002", "channels_last=false")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("train") / "images")


@pytest.fixture(scope="module")
def candidate(tmp_path_factory):
    path = tmp_path_factory.mktemp("candidate") / "tiny.yaml"
    path.write_text(dump_yaml({key: list(v) if isinstance(v, tuple) else v for key, v in TINY.items()}))
    return path


@pytest.fixture
def no_export(monkeypatch):
    monkeypatch.setattr(finalize, "export_folder", lambda *_args, **_keys: EXPORTED)


def settings(*more):
    return [part for text in (*RECIPE, *more) for part in ("--set", f"train.{text}")]


def usual(candidate, images, out, *more):
    return ("train", candidate, "--data", images, "--out", out, "--workers", 0, "--threads", 1, *more)


def test_train_reports_what_it_made(candidate, images, tmp_path, no_export):
    out = tmp_path / "out"
    summary = call_json(*usual(candidate, images, out, *settings(), "--batch-size", 4, "--accumulate", 2))
    assert summary["model_dir"] == str(out / "model")
    assert summary["conditions"]["batch"] == "4 images x 1 process x 2 accumulated"
    assert summary["conditions"]["lr"] == pytest.approx(0.002)
    assert summary == json.loads((out / "summary.json").read_text())
    result = call(*usual(candidate, images, out, *settings(), "--batch-size", 4, "--accumulate", 2))
    assert result.exit_code == 0
    assert f'timm.create_model("local-dir:{out}/model", pretrained=True)' in result.stdout
    assert f"top-1 {summary['top1']:.2%}" in result.stdout
    assert "is complete" in result.stderr


def test_plain_timm_has_the_same_top1(candidate, images, tmp_path, no_export):
    out = tmp_path / "out"
    summary = call_json(*usual(candidate, images, out, *settings("epochs=4"), "--batch-size", 8))
    model = timm.create_model(f"local-dir:{out}/model", pretrained=True).eval()
    assert model.pretrained_cfg["label_names"] == list(CLASSES)
    config = timm.data.resolve_model_data_config(model)
    loader = ValLoader(
        open_val_set(str(images)), Preprocessing(img_size=config["input_size"][-1], crop_pct=config["crop_pct"])
    )
    right = count = 0
    with torch.inference_mode():
        for batch, labels in loader:
            right += int((model(batch).argmax(1) == labels).sum())
            count += len(labels)
    assert right / count == summary["top1"]
    evaluation = call_json("evaluate", out / "model", "--data", images, "--workers", 0)
    assert evaluation["top1"] == summary["top1"]
    assert evaluation["loss"] == pytest.approx(summary["loss"], rel=1e-5)
    assert count == summary["data"]["val_images"] == 15


def test_a_signal_saves_and_ends_with_its_own_code(candidate, images, tmp_path, no_export, monkeypatch):
    def stop(run, _clock):
        if run.trainer.updates == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(training_run.TrainingRun, "_show", stop)
    result = call(*usual(candidate, images, tmp_path / "out", *settings(), "--batch-size", 8))
    assert result.exit_code == 130
    assert result.stdout == ""
    assert "Stopped after step" in result.stderr
    assert "The same command continues from there." in result.stderr
    assert Checkpoints(tmp_path / "out" / "checkpoints").newest_first()


def test_a_signal_at_the_end_stops_at_once_and_the_same_command_ends_it(
    candidate, images, tmp_path, no_export, monkeypatch
):
    finish = training_run.TrainingRun.finish

    def stop(run):
        os.kill(os.getpid(), signal.SIGTERM)
        return finish(run)

    command = usual(candidate, images, tmp_path / "out", *settings(), "--batch-size", 8)
    with monkeypatch.context() as patch:
        patch.setattr(training_run.TrainingRun, "finish", stop)
        result = call(*command)
    assert result.exit_code == 130
    assert "Stopped after the last step, which is saved" in result.stderr
    assert "Stopping after this step" not in result.stderr
    assert not (tmp_path / "out" / "summary.json").exists()
    assert call(*command).exit_code == 0
    assert (tmp_path / "out" / "summary.json").is_file()


@pytest.mark.parametrize(
    ("rank", "error", "said"),
    [
        (0, UserError("no images"), ["Error: no images"]),
        (1, UserError("no images"), ["Error on process 1: no images"]),
        (1, FirstRefusedError("no images"), []),
    ],
)
def test_each_of_torchruns_processes_says_what_it_alone_refuses(
    candidate, images, tmp_path, monkeypatch, rank, error, said
):
    for name, value in (
        ("RANK", rank),
        ("WORLD_SIZE", 2),
        ("LOCAL_RANK", rank),
        ("MASTER_ADDR", "a"),
        ("MASTER_PORT", 1),
    ):
        monkeypatch.setenv(name, str(value))

    def refuse(*_given):
        raise error

    monkeypatch.setattr(launch, "train_as_rank", refuse)
    result = call(*usual(candidate, images, tmp_path / "out", *settings(), "--batch-size", 8))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == said


def test_a_training_that_diverges_says_so(candidate, images, tmp_path):
    given = settings("lr=1e30", "warmup_epochs=0", "label_smoothing=0.0")
    result = call(*usual(candidate, images, tmp_path / "out", *given, "--batch-size", 8))
    assert result.exit_code == 1
    assert "a lower lr may help" in result.stderr.splitlines()[-1]
    assert "bug" not in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "proxy.lr=1"], "--set takes the keys of the section train here, such as train.epochs=100"),
        (["--batch-size", "100"], "takes 100 images (100 images x 1 process)"),
        (["--teacher", "resnet"], "There is no teacher 'resnet'"),
        (["--init", "nowhere.pth"], "nowhere.pth cannot be read: No such file"),
        (["--classes", "none.txt"], "none.txt"),
        (["--batch-size", "8", "--set", "train.batch_size=16"], "give one of them"),
        (["--wandb"], "--wandb needs the package wandb"),
        (["--device", "cuda"], "--device cuda needs a CUDA GPU"),
    ],
)
def test_what_cannot_be_is_refused_at_once(candidate, images, tmp_path, options, message):
    if options == ["--device", "cuda"] and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    pytest.importorskip("torch")
    given = options if "--batch-size" in options else [*options, "--batch-size", "8"]
    assert message in refusal(*usual(candidate, images, tmp_path / "out", *settings(), *given))
    assert not (tmp_path / "out").exists()


def test_a_teacher_of_other_classes_is_refused(candidate, images, tmp_path, no_export):
    two = tmp_path / "two.txt"
    two.write_text("bright\ndark\n")
    teacher = tmp_path / "teacher"
    call_json(*usual(candidate, images, teacher, *settings(), "--batch-size", 8, "--classes", two))
    more = ("--teacher", teacher / "model", "--batch-size", 8)
    message = refusal(*usual(candidate, images, tmp_path / "out", *settings(), *more))
    assert "has 2 and the data 3" in message
    summary = call_json(*usual(candidate, images, tmp_path / "out", *settings(), *more, "--classes", two))
    assert math.isfinite(summary["loss"])
    assert summary["deployment"]["num_classes"] == 2


def test_a_study_whose_finalists_could_not_be_trained_is_refused_before_the_search(tmp_path):
    out = tmp_path / "run"
    message = refusal("run", "--budget", "1.3M", "--train-top", 1, "--out", out)
    assert "--train-top needs images of your own with a validation set" in message
    root = write_images(tmp_path / "images")
    shutil.rmtree(root / "val")
    study = ("run", "--budget", "1.3M", "--data", root, "--train-top", 1, "--out", out, "--set", "train.batch_size=8")
    assert "val" in refusal(*study)
    assert not out.exists()


@pytest.mark.slow
def test_a_run_goes_on_to_full_training(tmp_path, no_export):
    root, out = write_images(tmp_path / "images", train=30), tmp_path / "run"
    keys = ["search.cohort=2", "search.finalists=1", "search.rescore_seeds=1", "search.rematch_seeds=0"]
    keys += ["proxy.img_size=32", "proxy.epochs=1", "proxy.rungs=[1.0]", "proxy.batch_size=16", "train.batch_size=16"]
    keys += [f"train.{key}" for key in RECIPE]
    options = [part for key in keys for part in ("--set", key)]
    run = ("run", "--study", "demo", "--data", root, "--budget", "60k", "--num-classes", 3, "--img-size", 32)
    more = ("--trials", 2, "--device", "cpu", "--cache-dir", tmp_path / "cache", "--out", out, *options)
    summary = call_json(*run, *more, "--train-top", 1)
    (trained,) = summary["trained"]
    assert trained["fingerprint"] == summary["finalists"][0]["fingerprint"]
    assert trained["out"] == str(out / "trained" / trained["fingerprint"])
    assert (out / "trained" / trained["fingerprint"] / "model" / "model.safetensors").is_file()
    again = call_json("report", out)
    assert again["trained"] == summary["trained"]
    assert "best of all epochs" in call("resume", out, "--train-top", 1, "--cache-dir", tmp_path / "cache").stdout
    named = call_json("train", out, "--out", tmp_path / "other", "--workers", 0, "--set", "train.epochs=1")
    assert named["fingerprint"] == summary["winner"]["fingerprint"]


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_bits(candidate, images, tmp_path):
    """As a user runs it, with worker processes, several sizes and checkpoints every half second."""
    more = settings("epochs=8", "multi_scale=[32,64,2]", "drop_path=0.2", "mixup=0.2")
    command = [str(part) for part in ("train", candidate, "--data", images, "--batch-size", 4, "--threads", 1, *more)]
    command += ["--workers", "1", "--checkpoint-minutes", "0.005"]

    def start(out):
        return subprocess.Popen(
            [sys.executable, "-m", "edgenext_search", *command, "--out", str(out)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    assert start(tmp_path / "undisturbed").wait() == 0
    rng, kills = random.Random(0), 0
    for _ in range(3):
        process = start(tmp_path / "killed")
        seen = len(list((tmp_path / "killed").glob("checkpoints/step*.pt")))
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if len(list((tmp_path / "killed").glob("checkpoints/step*.pt"))) > seen or seen:
                break
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 1.5))
        kills += process.poll() is None
        process.kill()
        process.wait()
    assert start(tmp_path / "killed").wait() == 0
    assert kills == 3
    assert _weights(tmp_path / "killed") == _weights(tmp_path / "undisturbed")


def _weights(out):
    return (out / "model" / "model.safetensors").read_bytes()
