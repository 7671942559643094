"""The program as a user runs it: real images, processes and signals. One undisturbed run is what others equal."""

import contextlib
import csv
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from edgenext_search.files import read_yaml
from edgenext_search.search.store.run_folder import RunFolder

pytestmark = pytest.mark.slow

PATIENCE = 240  # seconds for a whole run on a busy machine


class Program:
    """The tiny study, run by the program into one folder."""

    def __init__(self, out, class_folder, cache_dir):
        self.out = out
        self.cache = ["--device", "cpu", "--cache-dir", str(cache_dir)]
        self.arguments = [
            "run", "--study", "demo", "--data", str(class_folder), "--budget", "60k", "--num-classes", "10",
            "--img-size", "64", "--trials", "4", "--objectives", "accuracy,madds",
            "--set", "search.cohort=2", "--set", "search.finalists=2",
            "--set", "search.rescore_seeds=2", "--set", "search.rematch_seeds=2",
            "--set", "proxy.img_size=32", "--set", "proxy.epochs=2",
            "--set", "proxy.rungs=[0.5, 1.0]", "--set", "proxy.batch_size=64", "--set", "proxy.lr=0.003",
            "--out", str(out), "--json",
        ]  # fmt: skip
        self.lines: list[str] = []

    def start(self, arguments, *, parallel):
        """The program in a process group of its own, as a shell starts it; its messages are collected."""
        process = subprocess.Popen(
            [sys.executable, "-m", "edgenext_search", *arguments, *self.cache, "--parallel", str(parallel)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.lines = []
        self._reader = threading.Thread(target=lambda: self.lines.extend(process.stderr), daemon=True)
        self._reader.start()
        return process

    def finish(self, process):
        """Exit code and standard output; afterwards nothing of it is left."""
        try:
            output = process.stdout.read()
            code = process.wait(timeout=PATIENCE)
            assert left_of(process) == []
        finally:
            self.end(process)
        return code, output

    def end(self, process):
        """Make sure that nothing of it is left."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._reader.join(timeout=10)
        process.stdout.close()
        process.stderr.close()

    def wait_for(self, process, text):
        """Return as soon as a message holds a text."""
        deadline = time.monotonic() + PATIENCE
        while not any(text in line for line in self.lines):
            if process.poll() is not None or time.monotonic() > deadline:
                self.end(process)
                pytest.fail(f"no {text!r} in:\n{''.join(self.lines)}")
            time.sleep(0.02)

    def run(self, arguments=None, *, parallel=2):
        """The object that a run prints, from its beginning to its end."""
        code, output = self.finish(self.start(arguments or self.arguments, parallel=parallel))
        assert code == 0, "".join(self.lines)
        return json.loads(output)

    def resume(self, *, parallel):
        return self.run(["resume", str(self.out), "--json"], parallel=parallel)


def left_of(process):
    """Processes of a program that has ended which do not end with it."""
    deadline = time.monotonic() + 20
    while (left := _group(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _group(pid):
    """Living processes of a process group."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                state, _, group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
                if int(group) == pid and state != "Z":
                    found.append(int(folder.name))
    return found


@pytest.fixture
def program(class_folder, cache_dir, prepared, tmp_path):
    return Program(tmp_path / "run", class_folder, cache_dir)


@pytest.fixture(scope="module")
def undisturbed(class_folder, cache_dir, prepared, tmp_path_factory):
    """A run with two trials at once that nothing interrupted: its folder and what it printed."""
    program = Program(tmp_path_factory.mktemp("undisturbed") / "run", class_folder, cache_dir)
    return program, program.run(parallel=2)


def result(run):
    """All of a run that has to be the same whatever happened on the way: summary, trials, the winners' weights."""
    folder = RunFolder(Path(run))
    summary = folder.summary()
    for key in ("run", "report", "model_dir", "seconds", "conditions"):
        assert summary.pop(key)
    with folder.csv_file.open(newline="") as file:
        rows = [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]
    assert all(Path(member["model_dir"]).is_dir() for member in summary["front"])
    for member in (summary["winner"], summary["baseline"], *summary["finalists"], *summary["front"]):
        member.pop("model_dir")
    weights = {
        winner.name: hashlib.sha256((winner / "model.safetensors").read_bytes()).hexdigest()
        for winner in folder.winners.iterdir()
    }
    assert weights.keys() == {member["fingerprint"] for member in summary["front"]}
    return summary, rows, weights


def test_what_is_printed_is_what_was_promised(undisturbed):
    program, printed = undisturbed
    assert printed == json.loads((program.out / "summary.json").read_text())
    assert printed["run"] == str(program.out)
    assert printed["status"] == "complete"
    assert printed["trials"]["failed"] == printed["trials"]["open"] == 0
    assert printed["trials"]["complete"] + printed["trials"]["pruned"] == 4
    assert printed["trials"]["pruned"] >= 1
    for entry in (printed["winner"], printed["baseline"]):
        assert entry.keys() >= {"fingerprint", "candidate", "params", "madds", "acts", "score"}
        assert 54_000 <= entry["params"] <= 60_000  # so small a network has few widths to choose from
        assert entry["score"].keys() == {"mean", "std", "n"}
        assert entry["score"]["n"] == 2
    assert printed["baseline"]["origin"] == "edgenext_xx_small"
    assert printed["baseline"]["trial"] == 0
    assert printed["winner"]["score"]["mean"] >= printed["baseline"]["score"]["mean"]
    assert Path(printed["report"]).stat().st_size > 10_000
    assert Path(printed["model_dir"]).is_dir()


def test_the_run_folder_holds_what_the_design_says(undisturbed):
    program, printed = undisturbed
    files = {path.relative_to(program.out).as_posix() for path in program.out.rglob("*") if path.is_file()}
    winner = f"winners/{printed['winner']['fingerprint']}"
    names = ("config.json", "model.safetensors", "model.onnx", "candidate.yaml")
    models = {f"winners/{member['fingerprint']}/{name}" for member in printed["front"] for name in names}
    weights = {f"scratch/{finalist['fingerprint']}-1000000.safetensors" for finalist in printed["finalists"]}
    assert files - {".lock"} == {
        *weights,
        "study.yaml",
        "study.db",
        "summary.json",
        "report/index.html",
        "report/trials.csv",
        *models,
    }
    study = read_yaml(program.out / "study.yaml")
    assert study["versions"]["torch"]
    assert study["study"]["search"]["seed"] == 0
    facts = read_yaml(program.out / winner / "candidate.yaml")
    assert facts["fingerprint"] == printed["winner"]["fingerprint"]
    assert facts["params"] == printed["winner"]["params"]
    assert facts["weights"]["from"] == "proxy training, not full training"


def test_trials_have_the_scores_that_were_told(undisturbed):
    program, _ = undisturbed
    trials = RunFolder(program.out).open_store(RunFolder(program.out).recipe()).records()
    assert [trial.number for trial in trials] == list(range(4))
    for trial in trials:
        assert trial.cost.params <= 60_000
        assert trial.state in ("complete", "pruned")
        assert trial.epochs == (2 if trial.state == "complete" else 1)
        assert trial.score * 32 % 1 == pytest.approx(0, abs=1e-9)  # shares of 32 held-out images
        assert trial.seconds > 0
    with (program.out / "report" / "trials.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 4


def test_the_winner_scores_as_it_was_scored(undisturbed, prepared):
    """The weights in the model folder are those of the first fresh seed."""
    from edgenext_search.models.folder import load_model_folder
    from edgenext_search.training.engine.loader import evaluation_batches

    program, printed = undisturbed
    folder = RunFolder(program.out)
    seed = read_yaml(Path(printed["model_dir"]) / "candidate.yaml")["weights"]["seed"]
    told = folder.open_store(folder.recipe()).rescores()[printed["winner"]["fingerprint"], seed]
    model, right = load_model_folder(Path(printed["model_dir"])), 0
    with torch.inference_mode():
        for images, labels in evaluation_batches(prepared.val, img_size=32, device=torch.device("cpu")):
            right += int((model(images).argmax(1) == labels).sum())
    assert right / len(prepared.val.labels) == told


def test_progress_goes_to_standard_error(undisturbed):
    program, _ = undisturbed
    text = "".join(program.lines)
    assert text.startswith(f"Starting demo in {program.out}")
    assert len(re.findall(r"trial \d+: top-1 ", text)) >= 4
    assert "Traceback" not in text
    assert "Warning" not in text


def test_interrupted_and_killed_it_ends_as_if_undisturbed(undisturbed, program):
    """Ctrl-C ends with a report; the same command goes on, and is killed; ``resume`` ends it."""
    process = program.start(program.arguments, parallel=2)
    program.wait_for(process, "Cohort 0, rung 1 of 2: trial")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the coordinator and to its trials
    code, output = program.finish(process)
    assert code == 130, "".join(program.lines)
    summary = json.loads(output)
    assert (summary["status"], summary["trials"]["open"]) == ("interrupted", 2)
    assert (program.out / "report" / "index.html").is_file()
    assert "stopping with a report" in "".join(program.lines)
    assert "Traceback" not in "".join(program.lines)

    process = program.start(program.arguments, parallel=2)
    program.wait_for(process, "Cohort 1, rung 1 of 2: trial")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert left_of(process) == []  # trials end with their coordinator
    program.end(process)
    store = RunFolder(program.out).open_store(RunFolder(program.out).recipe())
    before = [(trial.number, rung) for trial in store.records() for rung in trial.curve]
    assert len(before) >= 4

    program.resume(parallel=1)
    assert result(program.out) == result(undisturbed[0].out)
    trained = re.findall(r"\] (Cohort \d, rung \d of 2: trial \d+): top-1", "".join(program.lines))
    curves = sum(len(trial.curve) for trial in store.records() if trial.duplicate_of is None)
    assert len(trained) == curves - len(before)  # nothing that was finished is trained again
    assert "Warning" not in "".join(program.lines)


def test_an_audit_that_is_killed_goes_on_with_what_it_has(undisturbed, program):
    shutil.copytree(undisturbed[0].out, program.out)
    arguments = ["audit", str(program.out), "--n", "4", "--seeds", "1", "--reference-epochs", "3", "--json"]
    process = program.start(arguments, parallel=1)
    program.wait_for(process, "Audit: trial 0, seed 1: top-1")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert left_of(process) == []
    program.end(process)

    summary = program.run(arguments, parallel=2)
    assert "4 candidates, 1 seed of 3 epochs each" in "".join(program.lines)
    trained = re.findall(r"Audit: (trial \d+), seed 1: top-1", "".join(program.lines))
    assert 1 <= len(trained) <= 3
    assert "trial 0" not in trained
    assert (summary["audit"]["status"], summary["audit"]["n"]) == ("complete", 4)
    assert [series["name"] for series in summary["audit"]["series"]] == ["rung:1", "rung:2", "params", "madds"]
    assert "Can the scores be trusted?" in (program.out / "report" / "index.html").read_text()
    assert "Traceback" not in "".join(program.lines)


def test_a_trial_on_a_pair_of_processes_of_which_one_is_killed_is_trained_again(program):
    arguments = [*program.arguments, "--gpus-per-trial", "2"]
    process = program.start(arguments, parallel=1)
    program.wait_for(process, "Cohort 0, rung 1 of 2: trial 0: top-1")
    pair = _pair(process)
    os.kill(pair[1], signal.SIGKILL)
    code, output = program.finish(process)
    assert code == 0, "".join(program.lines)
    summary = json.loads(output)
    assert summary["status"] == "complete"
    assert summary["conditions"]["devices_per_trial"] == 2
    assert (summary["trials"]["failed"], summary["failures"]) == (0, [])
    assert summary["trials"]["complete"] + summary["trials"]["pruned"] == 4


def _pair(process):
    """The two training processes of a trial: children of a child of the program."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        parents = {}
        for pid in _group(process.pid):
            with contextlib.suppress(OSError):
                parents[pid] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        children = sorted(pid for pid, parent in parents.items() if parents.get(parent) == process.pid)
        if len(children) == 2:
            return children
        time.sleep(0.01)
    pytest.fail("no pair of processes was seen")
