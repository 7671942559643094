import json
import re

import pytest
from latency_profiles import made_profile

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.spaces.space import Space
from edgenext_search.files import dump_yaml
from edgenext_search.latency.profile.predictor import Predictor

from ..helpers import call, call_json, refusal


@pytest.fixture
def small(class_folder, cache_dir):
    return [
        "--data", class_folder, "--num-classes", "10", "--img-size", "64", "--set", "proxy.epochs=2",
        "--device", "cpu", "--cache-dir", cache_dir,
    ]  # fmt: skip


def study(*more):
    return ("scale", "study", "--budgets", "60k,40k", "--shapes", "4", "--seeds", "1", *more)


def test_a_study_prints_one_object_and_writes_its_page(small, executor, tmp_path):
    out = tmp_path / "out"
    printed = call_json(*study(*small), "--out", out)
    assert printed == json.loads((out / "summary.json").read_text())
    assert printed["budgets"] == [{"params": 40_000}, {"params": 60_000}]
    assert (printed["study"], printed["status"]) == ("scaling", "complete")
    assert len(executor.jobs) == 8
    page = (out / "report" / "index.html").read_text()
    assert "What the next size gives" in page
    assert call_json("scale", "report", out)["laws"] == printed["laws"]
    again = call_json(*study(*small), "--out", out)
    assert len(executor.jobs) == 8
    assert again["laws"] == printed["laws"]
    assert "scale resume" in refusal("resume", out)
    assert "scale report" in refusal("report", out)
    assert "no finalist" in refusal("run", "--budget", "60k", *small[:-4], "--enqueue", out, "--out", tmp_path / "new")


def batch_norms(folder):
    path = folder / "bn.yaml"
    path.write_text(dump_yaml(Space.load("edgenext").to_dict() | {"norm_act": "bn_hs"}))
    return path


def test_latency_is_a_cost_where_there_is_a_profile(small, executor, tmp_path):
    out, profile, other = tmp_path / "out", tmp_path / "board.json", tmp_path / "other.json"
    deployment = Deployment(num_classes=10, img_size=64)
    profile.write_text(json.dumps(made_profile(deployment=deployment).to_dict()))
    other.write_text(json.dumps(made_profile().to_dict()))
    assert "was measured for 1000 classes" in refusal(*study(*small), "--out", out, "--profile", other)
    assert not out.exists()
    printed = call_json(*study(*small), "--out", out)
    assert printed["latency"] is None
    assert [law["cost"] for law in printed["laws"]] == ["params", "madds", "acts"]
    assert "was measured for 1000 classes" in refusal("scale", "report", out, "--profile", other)
    printed = call_json("scale", "report", out, "--profile", profile)
    assert printed["latency"]["device"] == "host"
    assert [law["cost"] for law in printed["laws"]] == ["params", "madds", "acts", "latency"]
    predictor = Predictor.load(profile)
    for row in printed["candidates"]:
        assert 0 <= row["latency"] - predictor.predict(Candidate.from_dict(row["candidate"])).microseconds < 1
    assert "fig-latency" in (out / "report" / "index.html").read_text()
    text = " ".join(call("scale", "report", out).stdout.split())  # the run has kept it
    assert re.search(r"latencies as predicted for host, \d of them for networks outside", text)
    other.write_text(json.dumps(made_profile(space=str(batch_norms(tmp_path)), deployment=deployment).to_dict()))
    assert "with ln_gelu" in refusal("scale", "report", out, "--profile", other)
    assert call_json("scale", "report", out)["laws"] == printed["laws"]  # what the run has kept stays
    jobs = len(executor.jobs)
    again = call_json(*study(*small), "--out", out, "--profile", profile)
    assert again["laws"] == printed["laws"]
    assert len(executor.jobs) == jobs


def test_an_interrupted_study_goes_on(small, executor, tmp_path):
    out = tmp_path / "out"
    executor.ctrl_c_after = 3
    result = call(*study(*small), "--out", out)
    assert result.exit_code == 130
    assert "trainings are still to do" in " ".join(result.stdout.split())
    assert "edgenext-search scale resume" in (out / "report" / "index.html").read_text()
    result = call("scale", "resume", out, *small[-4:])
    assert result.exit_code == 0, result.output
    assert "Kendall's tau between sizes" in " ".join(result.stdout.split())
    assert len({(job.candidate, job.seed) for job in executor.jobs}) == len(executor.jobs) == 8


def test_a_comparison_for_people(small, executor, tmp_path):
    out = tmp_path / "out"
    result = call("scale", "compare", "edgenext", "paper", "--budget", "60k", "--n", "4", *small, "--out", out)
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    assert "A random candidate of edgenext beats one of paper in" in text
    assert "Two spaces in one budget" in (out / "report" / "index.html").read_text()
    assert len(executor.jobs) == 8


def test_what_is_refused_before_any_work(small, executor, tmp_path):
    out = ("--out", tmp_path / "out")
    assert "at least 2 --budgets" in refusal("scale", "study", "--budgets", "60k", *small, *out)
    assert "are the same" in refusal("scale", "compare", "paper", "paper", "--budget", "60k", *small, *out)
    assert "no such key" in refusal(*study(*small, "--set", "proxy.epoch=2"), *out)
    assert not (tmp_path / "out").exists()
    assert executor.jobs == []
    assert "is not a run" in refusal("scale", "resume", tmp_path)
    assert "is not a run" in refusal("scale", "report", tmp_path)


def test_other_terms_in_a_folder_that_exists(small, executor, tmp_path):
    out = tmp_path / "out"
    call_json(*study(*small), "--out", out)
    assert "proxy.epochs: 2 / 3" in refusal(*study(*small, "--set", "proxy.epochs=3"), "--out", out)
    assert "another plan" in refusal(*study(*small), "--shapes", "5", "--out", out)
