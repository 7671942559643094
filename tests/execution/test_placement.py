import os

import pytest
import torch

from edgenext_search.errors import UserError
from edgenext_search.execution.placement import gpu_memory, local_devices, local_places, split_cores
from edgenext_search.training.proxy.job import Placement


@pytest.fixture
def host(monkeypatch):
    """A host with some GPUs and 12 cores."""

    def with_gpus(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(12)))

    return with_gpus


@pytest.mark.parametrize(
    ("gpus", "options", "devices", "threads"),
    [
        # On the CPU: one thread a process, as many processes as there are cores.
        (0, {}, ["cpu"] * 12, 1),
        (0, {"parallel": 5, "threads": 2}, ["cpu"] * 5, 2),
        (0, {"gpus_per_trial": 5}, ["cpu cpu cpu cpu cpu"] * 2, 1),
        (0, {"gpus_per_trial": 20}, [" ".join(["cpu"] * 20)], 1),
        (0, {"trials_per_gpu": 3, "parallel": 1}, ["cpu"], 1),
        (2, {"device": "cpu", "parallel": 1}, ["cpu"], 1),
        # On GPUs: one each, the cores shared out.
        (2, {}, ["cuda:0", "cuda:1"], 6),
        (2, {"device": "cuda", "parallel": 1}, ["cuda:0"], 12),
        (2, {"parallel": 3}, ["cuda:0", "cuda:1", "cuda:0"], 4),
        (2, {"trials_per_gpu": 2}, ["cuda:0", "cuda:1", "cuda:0", "cuda:1"], 3),
        (5, {"gpus_per_trial": 2}, ["cuda:0 cuda:1", "cuda:2 cuda:3"], 3),  # one GPU is left over
        (8, {"gpus_per_trial": 8}, [" ".join(f"cuda:{gpu}" for gpu in range(8))], 1),
        (2, {"trials_per_gpu": 40}, ["cuda:0", "cuda:1"] * 40, 1),
    ],
)
def test_places_of_a_host(host, gpus, options, devices, threads):
    host(gpus)
    assert local_places(**options) == [Placement(devices=tuple(place.split()), threads=threads) for place in devices]


@pytest.mark.parametrize(
    ("gpus", "options", "message"),
    [
        (0, {"parallel": 0}, "--parallel must be >= 1, but got 0"),
        (0, {"parallel": -2}, "--parallel must be >= 1, but got -2"),
        (0, {"threads": 0}, "--threads must be >= 1"),
        (2, {"gpus_per_trial": 0}, "--gpus-per-trial must be >= 1"),
        (2, {"gpus_per_trial": 3}, "--gpus-per-trial must be at most 2, the GPUs of this host, but got 3"),
        (4, {"gpus_per_trial": 2, "trials_per_gpu": 2}, "not both; leave one of them out"),
        (0, {"device": "cuda"}, r"--device cuda needs a CUDA GPU.*edgenext-search doctor"),
    ],
)
def test_devices_that_the_host_lacks_are_refused(host, gpus, options, message):
    host(gpus)
    with pytest.raises(UserError, match=message):
        local_places(**options)


def test_memory_is_that_of_the_smallest_gpu(host, monkeypatch):
    host(0)
    assert gpu_memory() == 0
    host(2)
    sizes = [type("Gpu", (), {"total_memory": size}) for size in (80, 40)]
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda gpu: sizes[gpu])
    assert gpu_memory() == 40


def test_devices_of_a_full_training(host):
    host(0)
    assert local_devices("auto", None) == local_devices("cpu", 1) == ("cpu",)
    assert local_devices("cpu", 3) == ("cpu",) * 3
    host(2)
    assert local_devices("auto", None) == ("cuda:0", "cuda:1")
    assert local_devices("cuda", 1) == ("cuda:0",)
    with pytest.raises(UserError, match="--processes must be at most the visible GPUs, 2, but got 3"):
        local_devices("cuda", 3)


def test_cores_are_split(host):
    host(0)
    assert split_cores(2, "cpu") == (6, 6)
    assert split_cores(1, "cuda:0") == (8, None)
    assert split_cores(100, "cpu") == (1, 1)
    assert split_cores(2, "cpu", workers=0, threads=3) == (0, 3)
