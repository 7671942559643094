import os
import signal
import threading
import time

import pytest
import torch
import worker_stubs
from full_builders import Recorder, a_job, write_images
from rank_processes import on_ranks

from edgenext_search.errors import HostError, UserError
from edgenext_search.execution.launch import (
    TorchrunRank,
    launch,
    torchrun_rank,
    train_as_rank,
)
from edgenext_search.training.engine.distributed import Ranks
from edgenext_search.training.errors import TrainingInterruptedError
from edgenext_search.training.full.checkpoint import Checkpoints

STEPS = 50
TWO = ("cpu", "cpu")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("launch") / "images", train=24, val=3)


@pytest.fixture(scope="module")
def alone(images):
    """Losses of one process that takes batches of 16."""
    torch.set_num_threads(1)
    return worker_stubs.losses(Ranks(), images, 16, 1, STEPS)


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one(images, alone, tmp_path):
    both = on_ranks(2, "losses", images, 8, 1, STEPS, folder=tmp_path)
    assert both[0] == both[1]
    assert both[0] == pytest.approx(alone, abs=1e-4)
    assert alone[0] - alone[-1] > 0.05  # something was learned


def test_two_parts_that_are_added_up_have_the_losses_of_one_batch(images, alone):
    parts = worker_stubs.losses(Ranks(), images, 8, 2, STEPS)
    assert parts == pytest.approx(alone, abs=1e-4)


@pytest.mark.slow
def test_two_processes_are_started_stopped_and_resumed(images, tmp_path):
    job = a_job(images, tmp_path / "out", recipe={"epochs": 6})

    class Stopper(Recorder):
        def epoch_done(self, metrics):
            super().epoch_done(metrics)
            if metrics.epoch == 2:
                os.kill(os.getpid(), signal.SIGUSR1)

    listener = Stopper()
    with pytest.raises(TrainingInterruptedError, match="The same command continues from there"):
        launch(job, TWO, listener)
    assert 2 <= len(listener.rows) < 6
    summary = launch(job, TWO, listener)
    assert [row.epoch for row in listener.rows] == [1, 2, 3, 4, 5, 6]
    assert summary.conditions.batch == "4 images x 2 processes"
    assert (job.out / "model" / "model.onnx").is_file()


@pytest.mark.slow
def test_a_process_that_dies_ends_the_training_and_not_what_it_saved(images, tmp_path):
    job = a_job(images, tmp_path / "out", recipe={"epochs": 200})

    class Killer(Recorder):
        def epoch_done(self, metrics):
            super().epoch_done(metrics)
            if metrics.epoch == 1:
                threading.Thread(target=_kill_a_rank).start()

    def _kill_a_rank():
        import multiprocessing

        rank = next(process for process in multiprocessing.active_children() if process.name == "training, rank 1")
        os.kill(rank.pid, signal.SIGKILL)

    started = time.monotonic()
    with pytest.raises(HostError, match="rank 1 was killed by SIGKILL"):
        launch(job, TWO, Killer())
    assert time.monotonic() - started < 60
    assert Checkpoints(job.out / "checkpoints").load(torch.device("cpu"), pytest.fail) is not None


def test_a_refusal_of_a_process_reaches_the_caller(images, tmp_path):
    job = a_job(images, tmp_path / "out", recipe={"batch_size": 9})
    with pytest.raises(UserError, match=r"train.batch_size must be a multiple of 2 processes, but is 9"):
        launch(job, TWO, Recorder())
    assert not (tmp_path / "out").exists()


def test_a_process_of_torchrun_watches_its_parent(tmp_path, monkeypatch):
    watched = threading.Event()
    monkeypatch.setattr("edgenext_search.execution.launch.stop_with_parent", watched.set)
    with pytest.raises(UserError, match="nowhere"):
        train_as_rank(a_job(tmp_path / "nowhere", tmp_path / "out"), TorchrunRank(0, 1, 0, 1), "cpu", Recorder())
    assert watched.is_set()


def test_a_place_that_torchrun_gave(monkeypatch):
    assert torchrun_rank() is None
    for name, value in (
        ("RANK", "3"),
        ("WORLD_SIZE", "4"),
        ("LOCAL_RANK", "1"),
        ("MASTER_ADDR", "a"),
        ("MASTER_PORT", "1"),
    ):
        monkeypatch.setenv(name, value)
    assert torchrun_rank() == TorchrunRank(rank=3, world=4, local=1, local_world=4)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert torchrun_rank().local_world == 2


@pytest.mark.parametrize(
    "wrong", [{"RANK": "abc"}, {"RANK": "2"}, {"WORLD_SIZE": "0"}, {"LOCAL_RANK": "-1"}, {"LOCAL_WORLD_SIZE": "x"}]
)
def test_variables_that_another_program_left_behind(wrong, monkeypatch):
    usual = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}
    for name, value in (usual | wrong).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=rf"{next(iter(wrong))} must be a number from .*`unset RANK`"):
        torchrun_rank()
