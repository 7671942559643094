import os

import torch

from edgenext_search.search import conditions as module
from edgenext_search.search.conditions import conditions, cpu_cores, cpu_name, versions


def test_versions_of_what_is_installed(monkeypatch):
    found = versions()
    assert found["torch"] == torch.__version__.partition("+")[0] or found["torch"] == torch.__version__
    assert list(found)[:2] == ["python", "edgenext-search"]
    monkeypatch.setattr(module, "PACKAGES", ("torch", "no-such-package-anywhere"))
    assert list(versions()) == ["python", "torch"]


def test_cores_are_those_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7})
    assert cpu_cores() == 3


def test_conditions_of_a_cpu():
    found = conditions(("cpu", "cpu"), 1)
    assert found.items() >= {"device": "cpu", "parallel": 2, "threads": 1, "device_name": cpu_name()}.items()
    assert found["device_name"]
    assert found["host_cores"] >= 1


def test_conditions_of_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda gpu: {"cuda:0": "A", "cuda:1": "B"}[gpu])
    found = conditions(("cuda:0", "cuda:1", "cuda:0"), 4)
    assert found.items() >= {"device": "cuda", "parallel": 3, "threads": 4, "device_name": "A, B"}.items()
