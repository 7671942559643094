import json

import pytest

from ..helpers import call, call_json, refusal


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


def test_what_is_no_run_or_is_at_work_is_refused(run, executor, where, tmp_path):
    before = run.summary()
    assert "is not a run: it has no study.yaml" in refusal("audit", tmp_path, *where)
    assert "--n must be >= 4, but got 3" in refusal("audit", run.path, "--n", "3", *where)
    assert "--parallel must be >= 1" in refusal("audit", run.path, "--parallel", "0", *where)
    assert (executor.jobs, run.summary()) == ([], before)
    with run.lock():
        assert "Another process works on" in refusal("audit", run.path, *where)
