import contextlib
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from multiprocessing import forkserver
from pathlib import Path

import fault_stubs
import pytest
import torch
import worker_stubs
from strategies import tiny
from study_builders import FakeExecutor

from edgenext_search.errors import HostError
from edgenext_search.execution import dispatch
from edgenext_search.execution import local as module
from edgenext_search.execution.executor import Lost
from edgenext_search.execution.local import LocalExecutor
from edgenext_search.training.proxy.job import Failed, OutOfMemory, Place, Placement, Trained, TrainJob
from edgenext_search.training.proxy.recipe import TrainRecipe
from edgenext_search.training.proxy.rung import train_rung

from .executor_conformance import ExecutorConformance

RECIPE = TrainRecipe(img_size=32, epochs=1, batch_size=64)
TWO = [Placement(), Placement()]  # two jobs at once, a process each
PAIR = Placement(devices=("cpu", "cpu"))  # one job on two processes


def some_jobs(data, folder, count=4):
    return [
        TrainJob(
            name=f"job-{number}",
            label=f"trial {number}",
            candidate=tiny(),
            recipe=RECIPE,
            data=data,
            seed=number,
            until=1,
            folder=folder,
        )
        for number in range(count)
    ]


class LocalConformance(ExecutorConformance):
    places = TWO

    @pytest.fixture
    def executor(self):
        with contextlib.closing(LocalExecutor(self.places)) as executor:
            yield executor
        assert workers() == []

    @pytest.fixture
    def jobs(self, prepared, tmp_path):
        return some_jobs(prepared.folder, tmp_path / "scratch", count=3)

    @pytest.fixture
    def faults(self, executor, jobs, monkeypatch):
        def make(job, fault):
            if fault == "endless":
                return replace(endless(job), name=job.name)
            if fault == "nan":
                return replace(job, recipe=RECIPE.model_copy(update={"lr": 1e30}))
            if fault == "no data":
                return replace(job, data=job.folder / "no-such-data")
            if fault == "hang":
                assert run(executor, [replace(jobs[0], name="the server has imported torch")])
                executor.timeout = 10
            monkeypatch.setattr(module, "train", fault_stubs.as_labelled)
            return replace(job, label=fault)

        return make

    def after_death(self, executor):
        """Its jobs died with it."""
        executor.close()
        return executor


class TestLocalExecutor(LocalConformance):
    """One process a job, two jobs at once."""


class TestFakeExecutor(ExecutorConformance):
    """The scripted executor of the other tests keeps the promises too, or they would show nothing."""

    @pytest.fixture
    def executor(self):
        def outcome(job):
            fault = job.label
            if fault in ("no data", "killed"):
                return Lost(job, fault)
            if fault == "memory":
                return OutOfMemory(reason="out of memory")
            if fault in ("exception", "nan", "hang"):
                return Failed(reason={"nan": "TrainingDivergedError", "hang": "timed out"}.get(fault, fault))
            here = Place(host="h", device="d", numerics=str(job.numerics), package="1", torch="2")
            return Trained(score=job.seed / 10, seconds=1.0, place=here)

        return FakeExecutor(outcome)

    @pytest.fixture
    def jobs(self, tmp_path):
        return some_jobs(tmp_path, tmp_path / "scratch")

    @pytest.fixture
    def faults(self):
        return lambda job, fault: replace(job, label=fault)

    @pytest.fixture(autouse=True)
    def _same_versions(self, monkeypatch):
        monkeypatch.setattr(dispatch, "installed", {"edgenext-search": "1", "torch": "2"}.get)

    def after_death(self, executor):
        executor.forget()
        return executor


@pytest.fixture
def executor():
    """Two jobs at once; what hangs is given up."""
    with contextlib.closing(LocalExecutor(TWO)) as executor:
        yield executor
    assert workers() == []


@pytest.fixture
def jobs(prepared, tmp_path):
    return some_jobs(prepared.folder, tmp_path / "scratch", count=3)


def workers():
    """Trial processes: living children of the server that they are forked from."""
    server = forkserver._forkserver._forkserver_pid
    assert multiprocessing.active_children() == []
    return [pid for pid, parent, state in _processes() if parent == server and state != "Z"]


def _processes():
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                yield int(folder.name), int(parent), state


def endless(job):
    """The same job, but it would train for hours."""
    return replace(job, name="endless", recipe=job.recipe.model_copy(update={"epochs": 10**6}), until=10**6)


def signal_to(name, number):
    """A progress callback that sends a signal to the process of one job, once it trains."""

    def on_progress(job, _share):
        if job.name == name.partition(",")[0]:
            (process,) = [child for child in multiprocessing.active_children() if child.name == name]
            os.kill(process.pid, number)

    return on_progress


def run(executor, jobs, **others):
    return ExecutorConformance.outcomes(executor, jobs, **others)


def test_a_process_trains_what_a_call_trains(executor, jobs, tmp_path):
    outcome = run(executor, jobs[:1])[jobs[0].name]
    threads = torch.get_num_threads()
    assert outcome.score == train_rung(replace(jobs[0], folder=tmp_path / "here")).score
    torch.set_num_threads(threads)
    assert jobs[0].weights_file.is_file()
    assert jobs[0].state_file.is_file()


def test_a_process_that_crashes_fails_its_job_and_the_others_are_done(executor, jobs):
    found = run(executor, [endless(jobs[0]), *jobs[1:]], on_progress=signal_to("endless", signal.SIGSEGV))
    assert found["endless"].reason.startswith("the process was killed by SIGSEGV")
    assert {type(found[job.name]) for job in jobs[1:]} == {Trained}


@pytest.mark.parametrize(("place", "victim"), [(Placement(), ""), (PAIR, ""), (PAIR, ", rank 1")])
def test_a_job_that_is_killed_again_and_again_is_lost_whichever_process_it_was(jobs, place, victim):
    executor = LocalExecutor([place])
    with pytest.raises(HostError, match=r"Trial 0 could not be trained: the process was killed by SIGKILL.*memory"):
        run(executor, [endless(jobs[0])], on_progress=signal_to(f"endless{victim}", signal.SIGKILL))
    assert workers() == []
    assert isinstance(run(executor, jobs[1:2])[jobs[1].name], Trained)


def test_a_job_that_is_killed_once_is_trained_as_if_nothing_had_happened(executor, jobs, tmp_path):
    killed = []

    def kill_once(job, share):
        if not killed:
            killed.append(job)
            signal_to(job.name, signal.SIGKILL)(job, share)

    outcome = run(executor, jobs[:1], on_progress=kill_once)[jobs[0].name]
    undisturbed = run(executor, [replace(jobs[0], folder=tmp_path / "again")])[jobs[0].name]
    assert killed
    assert (outcome.score, outcome.place) == (undisturbed.score, undisturbed.place)


def test_a_sigterm_for_all_processes_leaves_it_to_the_parent_what_ends(executor, jobs):
    told = []

    def on_progress(job, share):
        if not told:
            told.append(job)
            signal_to(job.name, signal.SIGTERM)(job, share)
            os.kill(forkserver._forkserver._forkserver_pid, signal.SIGTERM)

    outcomes = run(executor, jobs, on_progress=on_progress)
    assert told
    assert {type(outcome) for outcome in outcomes.values()} == {Trained}


def test_a_stop_ends_what_runs_at_once(executor, jobs):
    stopped = []

    def on_progress(_job, _share):
        if not stopped:
            stopped.append(time.monotonic())

    found = run(
        executor,
        [endless(jobs[0]), replace(endless(jobs[1]), name="endless too")],
        on_progress=on_progress,
        should_stop=lambda: bool(stopped),
    )
    assert found == {}
    assert time.monotonic() - stopped[0] < 5
    assert workers() == []


def test_a_stop_is_noticed_while_nothing_happens(executor, jobs):
    stopped = []

    def hang(job, share):
        signal_to("endless", signal.SIGSTOP)(job, share)
        stopped.append(time.monotonic() + 1)

    found = run(
        executor,
        [endless(jobs[0])],
        on_progress=hang,
        should_stop=lambda: bool(stopped) and time.monotonic() > stopped[0],
    )
    assert found == {}
    assert time.monotonic() - stopped[0] < 5


def test_an_error_of_the_coordinator_ends_what_runs(executor, jobs):
    def on_progress(_job, _share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(executor, [endless(jobs[0]), jobs[1]], on_progress=on_progress)
    assert workers() == []


def test_one_slot_trains_one_job_at_a_time(jobs):
    most = []

    def on_progress(_job, _share):
        most.append(len(multiprocessing.active_children()))

    assert len(run(LocalExecutor([Placement()]), jobs, on_progress=on_progress)) == 3
    assert set(most) == {1}


# Several processes for one job


class TestLocalExecutorOnPairs(LocalConformance):
    """One job on two processes."""

    places = (PAIR,)


@pytest.mark.parametrize("norm_act", ["ln_gelu", "bn_hs"])
@pytest.mark.parametrize("changes", [{}, {"crop_scale": [0.5, 1.0], "color_jitter": 0.4, "mixup": 0.8, "cutmix": 1.0}])
def test_two_processes_train_what_one_trains(jobs, tmp_path, norm_act, changes):
    recipe = TrainRecipe(img_size=32, epochs=3, batch_size=33, lr=1e-3, **changes)
    candidate = replace(tiny(), norm_act=norm_act)
    losses = []
    for place, name in ((Placement(), "alone"), (PAIR, "pair")):
        job = replace(jobs[0], recipe=recipe, candidate=candidate, until=3, folder=tmp_path / name)
        outcome = run(LocalExecutor([place]), [job])[job.name]
        assert isinstance(outcome, Trained), outcome
        assert job.weights_file.is_file()
        losses.append(torch.load(job.state_file, weights_only=True)["losses"])
    assert len(losses[0]) == 3
    assert losses[1] == pytest.approx(losses[0], abs=1e-3)


# Memory


def test_a_job_out_of_memory_retries_with_smaller_micro_batches(monkeypatch, executor, jobs):
    monkeypatch.setattr(module, "train", worker_stubs.has_memory_for_20_images)
    found = run(executor, jobs[:1])
    assert found[jobs[0].name].place.micro_batch == 16  # 64, 32, 16
    again = run(executor, jobs[:1])
    assert again == found
    assert executor._micro_batches == {jobs[0].name: 16}


def test_a_job_that_has_no_memory_for_one_image_fails_and_the_others_are_done(monkeypatch, executor, jobs):
    monkeypatch.setattr(module, "train", worker_stubs.only_job_1_has_memory)
    found = run(executor, jobs)
    assert found["job-0"] == OutOfMemory(reason="out of memory: 0 images fit")
    assert isinstance(found["job-1"], Trained)


# Progress


def test_progress_is_sent_now_and_then_by_the_first_process(monkeypatch, jobs, tmp_path):
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])

    def training(_job, on_step, *, rank, rendezvous):
        assert rendezvous == tmp_path
        for step in range(1, 101):
            now[0] += 0.05
            on_step(step, 100)

    monkeypatch.setattr("edgenext_search.training.proxy.rung.train_rung", training)
    shares, others = [], []
    module.train(jobs[0], 0, tmp_path, send=shares.append)
    module.train(jobs[0], 1, tmp_path, send=others.append)
    assert 20 <= len(shares) <= 27  # 5 s, every 0.2 s
    assert shares == sorted(shares)
    assert others == []
