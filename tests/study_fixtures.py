import pytest
from study_builders import FakeExecutor

from edgenext_search.execution.numerics import ProbedNumerics
from edgenext_search.search.study import session
from edgenext_search.search.study.session import Execution
from edgenext_search.training.engine.numerics import Numerics


@pytest.fixture(autouse=True)
def no_probe(monkeypatch):
    """Runs in these tests take eager fp32 without timing it; the probe has tests of its own."""
    monkeypatch.setattr(session, "probe_host", lambda *_, **__: ProbedNumerics(numerics=Numerics()))
    monkeypatch.setattr(session, "start_server", lambda: None)


@pytest.fixture
def execution(cache_dir):
    """One training at a time, on the CPU."""
    return Execution(device="cpu", parallel=1, cache_dir=cache_dir)


@pytest.fixture
def fake(monkeypatch):
    """The executor of the runs of a test; replace its attribute ``current`` for another."""

    class Holder:
        current = FakeExecutor()

    monkeypatch.setattr(session, "LocalExecutor", lambda *_, **__: Holder.current)
    return Holder
