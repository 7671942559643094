import json
import shutil

import pytest

from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.study import session as session_module

from .helpers import call, call_json, imported, refusal
from .test_run import Scripted


@pytest.fixture(scope="module")
def finished(class_folder, cache_dir, tmp_path_factory):
    """A finished run whose trainings were scripted."""
    from edgenext_search.search.resolver import load_study
    from edgenext_search.search.study.run import run_study
    from edgenext_search.search.study.session import Execution

    flags = {
        "budget": "60k",
        "deployment.num_classes": 10,
        "data.source": str(class_folder),
        "search.trials": 6,
        "search.cohort": 6,
        "search.sampler": "random",
        "proxy.img_size": 32,
    }
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_module, "LocalExecutor", lambda *_, **__: Scripted())
        patch.setattr(session_module, "start_server", lambda: None)
        where = Execution(device="cpu", parallel=1, cache_dir=cache_dir)
        run_study(folder, load_study("demo", flags=flags), where)
    return folder


@pytest.fixture
def run(finished, tmp_path):
    shutil.copytree(finished.path, tmp_path / "run")
    return RunFolder(tmp_path / "run")


@pytest.fixture
def executor(monkeypatch):
    scripted = Scripted()
    monkeypatch.setattr(session_module, "LocalExecutor", lambda *_, **__: scripted)
    return scripted


@pytest.fixture
def where(cache_dir):
    return ["--device", "cpu", "--cache-dir", cache_dir]


def test_an_audit_prints_the_summary_and_writes_the_report_anew(run, executor, where):
    printed = call_json("audit", run.path, "--n", "5", "--seeds", "2", *where)
    assert printed == run.summary()
    assert printed["audit"]["n"] == 5
    assert printed["audit"]["fidelity"]["epochs"] == 12
    assert len(executor.jobs) == 10
    assert "Can the scores be trusted?" in run.report_file.read_text()
    assert call_json("report", run.path)["audit"] == printed["audit"]


def test_an_audit_for_people(run, executor, where):
    result = call("audit", run.path, "--n", "5", "--reference-epochs", "6", *where)
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    assert "8 candidates with different scores at one rung are needed, and 5 were trained long" in text
    assert "after 3 epochs" in text
    assert str(run.report_file) in result.stdout.replace("\n", "")
    assert f"Auditing {run.path}: 5 candidates, 2 seeds of 6 epochs each" in result.stderr
    assert "Audit: 10 trainings, epochs 1 to 6" in result.stderr


def test_an_interrupted_audit_goes_on_by_the_same_command(run, executor, where):
    executor.ctrl_c_after = 4
    result = call("audit", run.path, "--json", *where)
    assert result.exit_code == 130
    assert json.loads(result.stdout)["audit"]["status"] == "interrupted"
    assert call_json("audit", run.path, *where)["audit"]["status"] == "complete"
    names = [job.name for job in executor.jobs]
    assert len(set(names)) == len(names) == 12  # all six candidates there are, twice


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--reference-epochs", "2"], "--reference-epochs must be >= 3, the epochs of the proxy, but got 2"),
        (["--n", "3"], "--n must be >= 4, but got 3"),
        (["--seeds", "0"], "--seeds must be >= 1, but got 0"),
        (["--parallel", "0"], "--parallel must be >= 1"),
    ],
)
def test_what_says_nothing_is_refused_before_any_training(run, executor, where, arguments, message):
    before = run.summary()
    assert message in refusal("audit", run.path, *arguments, *where)
    assert (executor.jobs, run.summary()) == ([], before)


def test_what_is_no_run_or_is_at_work_is_refused(run, executor, where, tmp_path):
    assert "is not a run: it has no study.yaml" in refusal("audit", tmp_path, *where)
    with run.lock():
        assert "Another process works on" in refusal("audit", run.path, *where)


def test_help_stays_light():
    assert imported("audit", "--help", blocked=("torch", "timm", "optuna", "numpy", "matplotlib")) == []
