import torch

from edgenext_search.execution.conditions import RunConditions, conditions, versions
from edgenext_search.machine import cpu_cores, cpu_name
from edgenext_search.training.engine.numerics import Numerics
from edgenext_search.training.proxy.job import Placement


def test_conditions_of_a_cpu():
    found = conditions([Placement(), Placement()], Numerics())
    assert found == RunConditions(
        device="cpu",
        device_name=cpu_name(),
        parallel=2,
        devices_per_trial=1,
        threads=1,
        numerics="fp32",
        host_cores=cpu_cores(),
        versions=versions(),
    )


def test_conditions_of_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda gpu: {"cuda:0": "A", "cuda:1": "B"}[gpu])
    places = [Placement(devices=(f"cuda:{gpu}",), threads=4) for gpu in (0, 1, 0)]
    found = conditions(places, Numerics(precision="bf16", channels_last=True))
    assert (found.device, found.device_name, found.parallel, found.threads) == ("cuda", "A, B", 3, 4)
    assert found.numerics == "bf16, channels_last"
