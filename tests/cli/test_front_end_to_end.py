"""A study of several objectives as a user runs it: its front, and the same front after an interruption."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import optuna
import pytest

from edgenext_search.search.store.run_folder import RunFolder

from .test_end_to_end import Program, left_of, result

pytestmark = pytest.mark.slow

OBJECTIVES = ["--objectives", "accuracy,madds", "--set", "search.finalists=2", "--set", "search.rematch_seeds=0"]


def a_program(out, class_folder, cache_dir):
    program = Program(out, class_folder, cache_dir)
    program.arguments += OBJECTIVES
    return program


@pytest.fixture(scope="module")
def undisturbed(class_folder, cache_dir, prepared, tmp_path_factory):
    """A run that nothing interrupted: its folder and what it printed."""
    program = a_program(tmp_path_factory.mktemp("undisturbed") / "run", class_folder, cache_dir)
    return program, program.run(parallel=2)


def test_the_front_is_what_was_promised(undisturbed):
    program, printed = undisturbed
    assert printed == json.loads((program.out / "summary.json").read_text())
    assert printed["objectives"] == ["accuracy", "madds"]
    front = printed["front"]
    assert front[0]["fingerprint"] == printed["winner"]["fingerprint"]
    assert printed["winner"]["score"]["mean"] == max(row["score"]["mean"] for row in printed["finalists"])
    for row in printed["finalists"]:
        beaten = [
            other
            for other in printed["finalists"]
            if other["score"]["mean"] >= row["score"]["mean"]
            and other["madds"] <= row["madds"]
            and (other["score"]["mean"], other["madds"]) != (row["score"]["mean"], row["madds"])
        ]
        assert (row["fingerprint"] in [member["fingerprint"] for member in front]) == (not beaten)
    for member in front:
        files = {path.name for path in Path(member["model_dir"]).iterdir()}
        assert files == {"config.json", "model.safetensors", "model.onnx", "candidate.yaml"}


def test_optunas_dashboard_has_a_front_to_show(undisturbed):
    program, printed = undisturbed
    url = f"sqlite:///{program.out}/study.db"
    (name,) = optuna.get_all_study_names(url)
    study = optuna.load_study(study_name=name, storage=url)
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.metric_names == ["accuracy", "madds"]
    assert len(study.best_trials) >= 1
    by_trial = {row["trial"]: row for row in printed["finalists"]}
    for trial in study.trials:
        if trial.number in by_trial:
            assert trial.values == [by_trial[trial.number]["search_score"], by_trial[trial.number]["madds"]]


def test_killed_in_the_middle_it_resumes_as_if_undisturbed(undisturbed, class_folder, cache_dir, tmp_path):
    program = a_program(tmp_path / "run", class_folder, cache_dir)
    process = program.start(program.arguments, parallel=2)
    program.wait_for(process, "Cohort 1, rung 1 of 2: trial")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert left_of(process) == []
    program.end(process)
    assert any(
        trial.state == "open" for trial in RunFolder(program.out).open_store(RunFolder(program.out).recipe()).records()
    )
    program.resume(parallel=1)
    assert result(program.out) == result(undisturbed[0].out)
