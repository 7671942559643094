import os

from edgenext_search.machine import cpu_cores, cpu_name


def test_cores_are_those_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7})
    assert cpu_cores() == 3


def test_the_processor_has_a_name():
    assert cpu_name()
