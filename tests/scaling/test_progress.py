from dataclasses import replace

import pytest
from scaling_plans import STUDY
from study_builders import FakeExecutor, Killed

from edgenext_search.errors import UserError
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.study import session as module
from edgenext_search.search.study.run import run_study
from edgenext_search.search.study.session import Execution


def test_another_plan_and_other_runs_are_refused(scaled, recipe, cache_dir, tmp_path, monkeypatch):
    path = tmp_path / "run"
    scaled(path, STUDY)
    with pytest.raises(UserError, match=r"another plan: 4 shapes at params=40k, params=60k, 2 seeds"):
        scaled(path, replace(STUDY, shapes=5))
    with pytest.raises(UserError, match="scale resume"):
        run_study(RunFolder(path), recipe, Execution(device="cpu", parallel=1, cache_dir=cache_dir))
    monkeypatch.setattr(module, "LocalExecutor", lambda *_, **__: FakeExecutor(killed_at=1))
    with pytest.raises(Killed):
        run_study(RunFolder(tmp_path / "search"), recipe, Execution(device="cpu", parallel=1, cache_dir=cache_dir))
    for plan in (None, STUDY):
        with pytest.raises(UserError, match="is no scaling study"):
            scaled(tmp_path / "search", plan)
