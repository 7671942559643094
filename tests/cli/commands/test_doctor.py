import json
import os
import sys

from edgenext_search.files import shipped_names

from ..helpers import call, call_json


def test_what_this_machine_has():
    found = call_json("doctor")
    assert found.keys() == {"versions", "extras", "host", "shipped", "numerics", "problems"}
    assert found["host"].keys() == {
        "cpu",
        "cores",
        "torch_threads",
        "gpus",
        "trials_at_once",
        "cache_dir",
        "cache_free_gb",
    }
    assert found["host"]["cores"] == len(os.sched_getaffinity(0))
    assert found["host"]["trials_at_once"] >= 1
    assert found["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["versions"].keys() >= {"torch", "timm", "optuna", "onnxruntime"}
    assert found["shipped"] == {"spaces": shipped_names("space"), "studies": shipped_names("study")}
    assert "demo" in found["shipped"]["studies"]
    assert found["problems"] == []


def test_nothing_is_missing_here():
    text = call("doctor").stdout
    assert text.endswith("Nothing is missing.\n")
    assert "torch" in text


def test_extras_say_how_to_get_them(monkeypatch):
    monkeypatch.setattr("edgenext_search.cli.commands.doctor.EXTRAS", {"no-such-package": "wings: pip install wings"})
    assert call_json("doctor")["extras"] == {"no-such-package": None}
    assert "not there; wings: pip install wings" in call("doctor").stdout


def test_a_missing_package_is_a_problem(monkeypatch):
    for module in ("versions", "execution.doctor"):
        monkeypatch.setattr(f"edgenext_search.{module}.PACKAGES", ("torch", "no-such-package"))
    assert call_json("doctor")["problems"] == ["no-such-package is not installed; pip install no-such-package"]
    assert "problem: no-such-package" in call("doctor").stdout


def test_a_torch_that_cannot_be_imported_is_a_problem(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    found = call_json("doctor")
    assert found["host"]["torch_threads"] is None
    assert any(problem.startswith("torch cannot be used: ") for problem in found["problems"])


def test_a_cache_that_cannot_be_written_is_a_problem(monkeypatch, tmp_path):
    monkeypatch.setenv("EDGENEXT_SEARCH_CACHE", str(tmp_path / "cache"))
    assert call_json("doctor")["host"]["cache_dir"] == str(tmp_path / "cache")
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    (problem,) = call_json("doctor")["problems"]
    assert "EDGENEXT_SEARCH_CACHE" in problem


def test_an_installation_without_its_files_is_a_problem(monkeypatch):
    monkeypatch.setattr("edgenext_search.execution.doctor.shipped_names", lambda _: [])
    problems = call_json("doctor")["problems"]
    assert len(problems) == 2
    assert all("has no files; install the package again" in problem for problem in problems)


def test_the_probes_of_this_host_are_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGENEXT_SEARCH_CACHE", str(tmp_path))
    timing = {"precision": "fp32", "channels_last": False, "compile": False, "ratio": 1.0, "agrees": True}
    facts = {
        "device": "a processor",
        "threads": 1,
        "img_size": 48,
        "batch_size": 32,
        "chosen": {"precision": "fp32", "channels_last": True, "compile": False},
        "gpu_bytes": 0,
        "step_seconds": 0.1,
        "timings": [
            timing,
            {**timing, "channels_last": True, "ratio": 0.9},
            {**timing, "precision": "bf16", "ratio": 0.7, "agrees": False},
            {**timing, "precision": "fp16", "ratio": None, "agrees": False},
        ],
    }
    (tmp_path / "numerics").mkdir()
    (tmp_path / "numerics" / "abc.json").write_text(json.dumps(facts))
    assert call_json("doctor")["numerics"] == [facts]
    (line,) = [line for line in call("doctor").stdout.splitlines() if line.startswith("  48 px")]
    assert line.endswith(
        "fp32, channels_last of fp32 1.00, fp32, channels_last 0.90, bf16 0.70 (differs), fp16 given up"
    )
