import json
import shutil

import pytest
from strategies import tiny

from edgenext_search.execution.executor import Lost
from edgenext_search.files import dump_yaml, read_yaml
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.study import session as session_module
from edgenext_search.training.proxy.job import Failed, Trained

from ..conftest import Scripted
from ..helpers import call, call_json, refusal


@pytest.fixture
def small(class_folder, cache_dir, tmp_path):
    """Arguments of a small run, without ``run`` and ``--out``."""
    return [
        "--study", "demo", "--data", class_folder, "--budget", "60k", "--num-classes", "10", "--img-size", "64",
        "--trials", "6", "--set", "search.cohort=3", "--set", "search.sampler=random", "--set", "search.finalists=1",
        "--set", "search.rescore_seeds=2", "--set", "search.rematch_seeds=2",
        "--set", "proxy.img_size=32", "--set", "proxy.epochs=4",
        "--set", "proxy.rungs=[0.5, 1.0]", "--set", "proxy.lr=0.003", "--device", "cpu", "--cache-dir", cache_dir,
    ]  # fmt: skip


def test_a_run_prints_one_object_and_writes_the_same(small, executor, tmp_path):
    out = tmp_path / "out"
    printed = call_json("run", *small, "--out", out)
    assert printed == json.loads((out / "summary.json").read_text())
    assert printed["run"] == str(out)
    assert printed["trials"] == {"complete": 4, "pruned": 2, "failed": 0, "open": 0} or printed["trials"]["pruned"] == 3
    assert (out / "report" / "index.html").stat().st_size > 10_000
    assert len((out / "report" / "trials.csv").read_text().splitlines()) == 7


def test_a_run_for_people_shows_progress_apart_from_the_result(small, executor, tmp_path):
    result = call("run", *small, "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert f"Starting demo in {tmp_path / 'out'}" in result.stderr
    assert "budget params=60k at 10 classes, 64x64 px\n  6 trials in cohorts of 3, seed 0" in result.stderr
    assert "Cohort 1: trials 3 to 5 of 6" in result.stderr
    assert str(tmp_path / "out" / "report" / "index.html") in result.stdout.replace("\n", "")
    assert "Cohort" not in result.stdout


def test_flags_become_keys_of_the_study(small, executor, tmp_path):
    out = tmp_path / "out"
    call("run", *small, "--seed", "5", "--time", "1h", "--space", "paper", "--set", "search.seed=6", "--out", out)
    study = read_yaml(out / "study.yaml")["study"]
    assert study["search"]["seed"] == 6
    assert study["search"]["time"] == "1h"
    assert study["space"]["name"] == "paper"
    assert study["deployment"] == {"num_classes": 10, "img_size": 64}
    assert {job.seed for job in executor.jobs} == {6, 1_000_006, 2_000_006}


def test_enqueued_candidates_are_trained_first_and_named(small, executor, tmp_path):
    (tmp_path / "mine.yaml").write_text(dump_yaml(tiny(kernel_sizes=(3, 3, 3, 9)).to_dict()))
    out = tmp_path / "out"
    small = [*small, "--set", "search.finalists=2"]
    result = call(
        "run", *small, "--enqueue", tmp_path / "mine.yaml", "--enqueue", "edgenext_small", "--out", out, "--json"
    )
    assert result.exit_code == 0, result.output
    trials = RunFolder(out).open_store(RunFolder(out).recipe()).records()
    assert [trial.origin for trial in trials[1:3]] == ["enqueued", "enqueued"]
    assert trials[1].candidate.kernel_sizes[0] == 3
    assert "is scaled into the budget as" in result.stderr
    assert "enqueued" in (out / "report" / "index.html").read_text()
    again = call_json("run", *small, "--enqueue", out, "--out", tmp_path / "again")
    assert again["status"] == "complete"


def test_objectives_end_in_a_front_of_model_folders(small, executor, tmp_path):
    out = tmp_path / "out"
    small = [*small, "--objectives", "madds,accuracy", "--set", "search.sampler=bayes", "--set", "search.finalists=3"]
    executor.outcome = lambda job: Trained(score=job.candidate.depths[2] / 20 + job.until / 100, seconds=1.0)
    result = call("run", *small, "--out", out)
    assert result.exit_code == 0, result.output
    assert "objectives: accuracy, madds; the result is a front" in result.stderr
    assert "on the front of top-1 and multiply-adds" in " ".join(result.stdout.split())
    summary = json.loads((out / "summary.json").read_text())
    assert (
        summary["objectives"] == read_yaml(out / "study.yaml")["study"]["search"]["objectives"] == ["accuracy", "madds"]
    )
    assert len(summary["front"]) > 1
    assert ">front<" in (out / "report" / "index.html").read_text()
    assert call_json("report", out)["front"] == summary["front"]
    assert "search.objectives: ['accuracy', 'madds'] / ['accuracy', 'acts']" in refusal(
        "run", *small, "--objectives", "acts,accuracy", "--out", out
    )


def test_with_data_the_study_is_imagenet_and_without_demo(executor, class_folder, tmp_path, cache_dir):
    shared = ["--budget", "1.3M", "--trials", "1", "--set", "search.sampler=random", "--cache-dir", cache_dir]
    call("run", *shared, "--data", class_folder, "--out", tmp_path / "a")
    call("run", *shared, "--set", "data.train_images=20", "--set", "data.val_images=20", "--out", tmp_path / "b")
    assert RunFolder(tmp_path / "a").recipe().name == "imagenet"
    assert RunFolder(tmp_path / "b").recipe().name == "demo"
    assert RunFolder(tmp_path / "b").summary()["data"]["demonstration"] is True
    assert "demonstration" in call("report", tmp_path / "b").stdout


def test_the_default_folder_is_below_the_working_directory(small, executor, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = call_json("run", *small)["run"]
    assert run.startswith("runs/demo-params60k-")
    assert (tmp_path / run / "summary.json").is_file()


def test_the_same_command_again_resumes(small, executor, tmp_path):
    out = tmp_path / "out"
    executor.ctrl_c_after = 4
    result = call("run", *small, "--out", out, "--json")
    assert result.exit_code == 130
    interrupted = json.loads(result.stdout)
    assert interrupted["status"] == "interrupted"
    assert interrupted["trials"]["open"] == 3
    assert (out / "report" / "index.html").is_file()
    assert "SIGINT: stopping with a report" in result.stderr

    before = len(executor.jobs)
    again = call("run", *small, "--out", out, "--json")
    assert again.exit_code == 0
    assert f"Resuming demo in {out}" in again.stderr
    assert json.loads(again.stdout)["status"] == "complete"
    ours = [(job.name, job.until) for job in executor.jobs]
    assert len(set(ours)) == len(ours) > before


def test_resume_needs_no_recipe_and_takes_more_trials(small, executor, tmp_path):
    out = tmp_path / "out"
    first = call_json("run", *small, "--out", out)
    assert call_json("resume", out)["trials"] == first["trials"]
    more = call_json("resume", out, "--trials", "9")
    assert sum(more["trials"].values()) == 9
    assert RunFolder(out).recipe().search.trials == 9


def test_a_run_goes_on_with_images_that_have_moved(small, class_folder, cache_dir, executor, tmp_path):
    out, here = tmp_path / "out", shutil.copytree(class_folder, tmp_path / "here")
    where = ["--device", "cpu", "--cache-dir", cache_dir]
    first = call_json("run", *[here if item == class_folder else item for item in small], "--out", out)
    there = here.rename(tmp_path / "there")
    for command in (["resume"], ["audit"], ["scale", "resume"]):
        remedy = f"`edgenext-search {' '.join(command)} {out} --data PATH`"
        assert refusal(*command, out).endswith(f"not in {here} any more. If they have moved: {remedy}.")
    other = shutil.copytree(there, tmp_path / "other")
    one, another, *_ = sorted((other / "train").rglob("*.jpg"))
    one.write_bytes(another.read_bytes())
    before = (out / "study.yaml").read_bytes()
    assert "are not those that the run began with" in refusal("resume", out, "--data", other, *where)
    assert (out / "study.yaml").read_bytes() == before
    again = call_json("resume", out, "--data", there, *where)
    assert (again["finalists"], again["trials"]) == (first["finalists"], first["trials"])
    assert RunFolder(out).recipe().data.source == str(there)


def test_another_recipe_on_a_run_is_refused_by_its_keys(small, executor, tmp_path):
    out = tmp_path / "out"
    call("run", *small, "--out", out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    line = refusal("run", *small, "--seed", "3", "--set", "proxy.lr=0.1", "--out", out)
    assert "search.seed: 0 / 3" in line
    assert "proxy.lr: 0.003 / 0.1" in line
    assert "proxy.epochs" not in line
    assert f"edgenext-search resume {out}" in line
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_commands_that_go_on_are_what_a_shell_takes(small, executor, tmp_path):
    out = tmp_path / "my runs" / "out"
    call("run", *small, "--out", out)
    assert f"`edgenext-search resume '{out}'`" in refusal("run", *small, "--seed", "3", "--out", out)
    RunFolder(out).summary_file.write_text(json.dumps({**RunFolder(out).summary(), "winner": None}))
    assert f"`edgenext-search resume '{out}'`" in refusal("scale", "family", out, "--budgets", "60k")


def test_a_full_disk_stops_the_run_and_says_how_to_go_on(small, executor, tmp_path):
    out = tmp_path / "out"
    executor.outcome = lambda job: Lost(job, "No space left on device; free some space.")
    result = call("run", *small, "--out", out)
    assert result.exit_code == 1
    said = " ".join(result.stderr.split())
    assert " could not be trained: No space left on device; free some space. What" in said
    assert f"What was finished is kept: `edgenext-search resume {out}` goes on." in said
    executor.outcome = Scripted().outcome
    assert call("resume", out).exit_code == 0


def test_a_run_without_a_winner_has_failed_and_counts_why(small, executor, tmp_path):
    out = tmp_path / "out"
    executor.outcome = lambda job: Failed(reason="it diverged") if job.until == 4 else Scripted().outcome(job)
    result = call("run", *small, "--out", out, "--json")
    summary = json.loads(result.stdout)
    assert (result.exit_code, summary["winner"]) == (1, None)
    assert summary["failures"] == [{"reason": "it diverged", "trials": summary["trials"]["failed"], "finalists": 0}]


def test_failures_at_the_start_end_the_run_with_their_reason(small, executor, tmp_path):
    executor.outcome = lambda _: Failed(reason="OSError: no such device")
    result = call("run", *small, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 1
    assert "OSError: no such device" in result.stderr.splitlines()[-1]
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "12k", "--num-classes", "1000"], "The budget params=12k cannot be reached"),
        (["--trials", "0"], "search.trials"),
        (["--time", "soon"], "search.time"),
        (["--seed", "-1"], "search.seed"),
        (["--study", "nowhere"], "There is no study 'nowhere'"),
        (["--space", "nowhere"], "There is no space 'nowhere'"),
        (["--set", "proxy.epoch=3"], "proxy.epoch: there is no such key"),
        (["--parallel", "0"], "--parallel must be >= 1"),
        (["--timeout", "never"], "such as 30m"),
        (["--data", "torch/no_such_set", "--data-dir", "."], "torch/no_such_set"),
        (["--data", "."], "has no folder train/"),
        (["--img-size", "8"], "deployment.img_size"),
        (["--enqueue", "."], "search.enqueue.1: . is not a model folder"),
        (["--objectives", "accuracy,flops"], "but got 'flops'"),
    ],
)
def test_what_cannot_be_used_is_refused_before_a_folder_is_made(small, executor, tmp_path, arguments, message):
    line = refusal("run", *small, *arguments, "--out", tmp_path / "out")
    assert message in line
    assert not (tmp_path / "out").exists()
    assert executor.jobs == []


def test_without_a_budget():
    assert "write --budget 1.3M" in refusal("run")


def test_a_folder_that_is_no_run(tmp_path):
    for command in ("resume", "report"):
        assert "is not a run: it has no study.yaml" in refusal(command, tmp_path)


def test_a_password_reaches_no_file_and_no_message(small, executor, tmp_path):
    url = "postgresql://anna:s3cret@127.0.0.1:1/studies"
    result = call("run", *small, "--storage", url, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "anna:***@127.0.0.1:1/studies cannot be opened" in result.stderr
    assert "s3cret" not in result.output
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"s3cret" not in path.read_bytes()


def test_paths_are_printed_as_they_are(small, executor, tmp_path):
    """Square brackets are markup to rich."""
    out = tmp_path / "[bold]a[/b]"
    result = call("run", *small, "--out", out)
    assert result.exit_code == 0, result.output
    assert f"Starting demo in {out}" in result.stderr
    assert str(out) in result.stdout.replace("\n", "")


def test_ctrl_c_before_there_is_a_run_says_what_goes_on(small, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(session_module, "open_study_device", interrupted)  # while a device is profiled
    result = call("run", *small, "--out", tmp_path / "out")
    assert result.exit_code == 130
    assert "What was finished is kept: the same command goes on." in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()
