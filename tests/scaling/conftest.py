import pytest
from study_builders import FakeExecutor, a_recipe, with_data
from study_fixtures import execution, fake, no_probe  # noqa: F401 - fixtures of this folder

from edgenext_search.scaling.study import run_scaling
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.study import session as module
from edgenext_search.search.study.session import Execution


@pytest.fixture
def recipe(class_folder):
    return with_data(a_recipe(), class_folder)


@pytest.fixture
def scaled(recipe, cache_dir, monkeypatch):
    """Run a plan in a folder, with a scripted executor that is given back too."""

    def run(path, plan, executor=None):
        executor = executor or FakeExecutor()
        monkeypatch.setattr(module, "LocalExecutor", lambda *_, **__: executor)
        return run_scaling(
            RunFolder(path), recipe, plan, Execution(device="cpu", parallel=1, cache_dir=cache_dir)
        ), executor

    return run
