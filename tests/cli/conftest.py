import shutil
import signal

import pytest
from study_fixtures import no_probe  # noqa: F401 - a fixture of this folder

from edgenext_search.execution.executor import Finished, Lost, Progress
from edgenext_search.search.resolver import load_study
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.study import session
from edgenext_search.search.study.run import run_study
from edgenext_search.search.study.session import Execution
from edgenext_search.training.proxy.job import Trained


class Scripted:
    """An executor that trains nothing."""

    def __init__(self, outcome=None, *, ctrl_c_after=None):
        self.outcome = outcome or (lambda job: Trained(score=_luck(job), seconds=1.0))
        self.ctrl_c_after = ctrl_c_after
        self.jobs = []
        self._under_way = []

    def capacity(self):
        return 1

    def reattach(self):
        return []

    def submit(self, job):
        self._under_way.append(job)

    def cancel(self, job):
        self._under_way.remove(job)

    def close(self):
        pass

    def events(self, _timeout):
        job = self._under_way.pop()
        self.jobs.append(job)
        if len(self.jobs) == self.ctrl_c_after:
            signal.raise_signal(signal.SIGINT)
        ending = self.outcome(job)
        return [Progress(job, 1.0), ending if isinstance(ending, Lost) else Finished(job, ending)]


def _luck(job):
    return int(job.candidate.fingerprint, 16) % 97 / 97 * job.until / job.recipe.epochs


@pytest.fixture
def executor(monkeypatch):
    scripted = Scripted()
    monkeypatch.setattr(session, "LocalExecutor", lambda *_, **__: scripted)
    return scripted


@pytest.fixture(scope="session")
def finished(class_folder, cache_dir, tmp_path_factory):
    """A finished run of six trials whose trainings were scripted, to be copied."""
    flags = {
        "budget": "60k", "deployment.num_classes": 10, "data.source": str(class_folder), "search.trials": 6,
        "search.cohort": 6, "search.sampler": "random", "proxy.img_size": 32,
    }  # fmt: skip
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "LocalExecutor", lambda *_, **__: Scripted())
        patch.setattr(session, "start_server", lambda: None)
        run_study(folder, load_study("demo", flags=flags), Execution(device="cpu", parallel=1, cache_dir=cache_dir))
    return folder


@pytest.fixture
def run(finished, tmp_path):
    return RunFolder(shutil.copytree(finished.path, tmp_path / "run"))
