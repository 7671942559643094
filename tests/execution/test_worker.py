import signal
import subprocess
import sys

import pytest
import torch
from strategies import tiny

from edgenext_search.execution import worker
from edgenext_search.execution.worker import run_probe, run_worker
from edgenext_search.training.proxy import probe, rung
from edgenext_search.training.proxy.job import Failed, OutOfMemory, Trained, TrainJob
from edgenext_search.training.proxy.recipe import TrainRecipe


class Pipe:
    """Keeps what is sent."""

    def __init__(self):
        self.messages = []

    def send(self, message):
        self.messages.append(message)


@pytest.fixture(autouse=True)
def sigint():
    """A worker ignores Ctrl-C for good."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def a_job(tmp_path):
    return TrainJob(
        name="x",
        label="trial 0",
        candidate=tiny(),
        recipe=TrainRecipe(),
        data=tmp_path / "nowhere",
        seed=0,
        until=1,
        folder=tmp_path,
    )


def sent_by(job, training, monkeypatch):
    pipe = Pipe()
    monkeypatch.setattr(rung, "train_rung", training)
    run_worker(job, pipe)
    return pipe.messages


def test_the_outcome_is_sent_last(a_job, monkeypatch):
    def training(job, on_step, **_):
        assert job is a_job
        for step in range(1, 5):
            on_step(step, 4)
        return Trained(score=0.5, seconds=1.0)

    monkeypatch.setattr(worker, "REPORT_EVERY", 0)
    assert sent_by(a_job, training, monkeypatch) == [0.25, 0.5, 0.75, 1.0, Trained(score=0.5, seconds=1.0)]


def test_progress_is_sent_now_and_then(a_job, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(worker.time, "monotonic", lambda: now[0])

    def training(_job, on_step, **_):
        for step in range(1, 101):
            now[0] += 0.05
            on_step(step, 100)
        return Trained(score=0.5, seconds=1.0)

    shares = sent_by(a_job, training, monkeypatch)[:-1]
    assert 20 <= len(shares) <= 27  # 5 s, every 0.2 s
    assert shares == sorted(shares)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("two\n  lines"), "ValueError: two lines"),
        (KeyError("x"), "KeyError: 'x'"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "out of memory: CUDA out of memory. Tried"),
        (torch.OutOfMemoryError("HIP out of memory"), "out of memory: HIP"),
        (RuntimeError("[enforce fail at alloc] DefaultCPUAllocator: not enough memory"), "out of memory: [enforce"),
        (MemoryError(), "out of memory: MemoryError"),
        (AssertionError(), "AssertionError"),
    ],
)
def test_whatever_is_raised_is_sent_as_a_failure_in_one_line(a_job, monkeypatch, error, reason):
    def training(_job, _on_step, **_):
        raise error

    (outcome,) = sent_by(a_job, training, monkeypatch)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome, OutOfMemory) == reason.startswith("out of memory")
    assert outcome.reason.startswith(reason)
    assert "\n" not in outcome.reason


def test_a_reason_has_an_end(a_job, monkeypatch):
    def training(_job, _on_step, **_):
        raise ValueError("x" * 10_000)

    (outcome,) = sent_by(a_job, training, monkeypatch)
    assert len(outcome.reason) < 400


def test_a_real_training_without_data_fails_with_its_reason(a_job):
    pipe = Pipe()
    run_worker(a_job, pipe)
    (outcome,) = pipe.messages
    assert outcome.reason.startswith(f"UserError: {a_job.data} holds no usable prepared images")


def test_ctrl_c_is_the_coordinators_business(a_job, monkeypatch):
    handlers = []

    def training(_job, _on_step, **_):
        handlers.append(signal.getsignal(signal.SIGINT))
        return Trained(score=0.0, seconds=0.0)

    sent_by(a_job, training, monkeypatch)
    assert handlers == [signal.SIG_IGN]


def test_a_real_lack_of_memory_is_known_as_one(a_job, monkeypatch):
    def training(_job, _on_step, **_):
        torch.empty(2**50)

    (outcome,) = sent_by(a_job, training, monkeypatch)
    assert isinstance(outcome, OutOfMemory)


def test_the_first_of_several_processes_tells_of_progress(a_job, monkeypatch):
    def training(_job, on_step, *, rank, meeting):
        assert (rank, meeting) == (1, a_job.data)
        on_step(1, 2)
        return Trained(score=0.5, seconds=1.0)

    monkeypatch.setattr(worker, "REPORT_EVERY", 0)
    monkeypatch.setattr(rung, "train_rung", training)
    pipe = Pipe()
    run_worker(a_job, pipe, 1, a_job.data)
    assert pipe.messages == [Trained(score=0.5, seconds=1.0)]


def test_a_probe_sends_what_it_found_or_why_not(monkeypatch):
    found = []
    monkeypatch.setattr(probe, "probe", lambda request: found.append(request) or "result")
    pipe = Pipe()
    run_probe("request", pipe)
    assert (found, pipe.messages) == (["request"], ["result"])

    def fails(_request):
        raise ValueError("no")

    monkeypatch.setattr(probe, "probe", fails)
    run_probe("request", pipe)
    assert pipe.messages[1] == Failed(reason="ValueError: no")


ORPHAN = """
import os, signal, threading, time
from edgenext_search.execution.worker import stop_with_parent
signal.signal(signal.SIGTERM, lambda *_: (print("asked to stop", flush=True), os._exit(0)))
threading.Thread(target=stop_with_parent, args=(os.getppid(),), daemon=True).start()
print("at work", flush=True)
time.sleep(30)
print("nobody asked", flush=True)
"""
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], start_new_session=True)"


def test_a_process_whose_parent_is_gone_is_asked_to_stop():
    """As where torchrun dies of a signal that it does not handle; its processes have sessions of their own."""
    with subprocess.Popen([sys.executable, "-c", PARENT, ORPHAN], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "at work\n"
        parent.send_signal(signal.SIGUSR1)
        assert parent.stdout.read() == "asked to stop\n"
