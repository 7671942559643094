"""``edgenext-search dashboard``."""

import contextlib
from types import SimpleNamespace

import pytest

from edgenext_search.search import dashboard
from edgenext_search.search.resolver import load_study
from edgenext_search.search.store.run_folder import RunFolder

from ..helpers import call, refusal


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    recipe = load_study("demo", flags={"budget": "1.3M"})
    folder.create(recipe, storage=None)
    folder.open_store(recipe)
    return folder


def test_it_says_where_it_is_and_ends_with_ctrl_c(run, monkeypatch):
    def serve():
        raise KeyboardInterrupt

    @contextlib.contextmanager
    def server(_store, port):
        yield SimpleNamespace(server_port=port, serve_forever=serve)

    monkeypatch.setattr(dashboard, "dashboard_server", server)
    result = call("dashboard", run.path, "--port", "8123")
    assert result.exit_code == 0
    assert "http://127.0.0.1:8123/dashboard" in result.stdout


def test_it_needs_a_run(tmp_path):
    assert "is not a run" in refusal("dashboard", tmp_path)
