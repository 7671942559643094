import pytest

from edgenext_search.execution.numerics import ProbedNumerics
from edgenext_search.search.study import session
from edgenext_search.training.engine.numerics import Numerics


@pytest.fixture(autouse=True)
def no_probe(monkeypatch):
    """Runs in these tests take eager fp32 without timing it; the probe has tests of its own."""
    monkeypatch.setattr(session, "probe_host", lambda *_, **__: ProbedNumerics(numerics=Numerics()))
    monkeypatch.setattr(session, "start_server", lambda: None)
