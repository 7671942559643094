"""Folders that an earlier version wrote still open: reported, resumed and trained from, with the same figures."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from full_builders import write_images

from edgenext_search.cli import main
from edgenext_search.files import read_yaml
from edgenext_search.search.resolver import find_enqueued
from edgenext_search.search.results import RunSummary

FOLDERS = Path(__file__).parent / "old_folders"
RUNS = ["search", "audited", "front", "latency", "interrupted"]
ELSEWHERE = {"run", "report", "model_dir", "seconds", "versions"}  # what differs wherever and whenever it is opened
RENAMED = {
    "aim": "effective_cap",
    "ceiling": "noise_ceiling",
    "madds_pairs_right": "madds_pairwise_accuracy",
    "merit": "ranking_score",
    "pairs_right": "pairwise_accuracy",
    "params_pairs_right": "params_pairwise_accuracy",
    "room": "headroom",
    "score_pairs_right": "score_pairwise_accuracy",
    "tau_of_ceiling": "share_of_noise_ceiling",
}
TRAINING = [
    "--set", "train.img_size=32", "--set", "train.multi_scale=null", "--set", "train.epochs=2", "--batch-size", "8",
    "--set", "train.precision=fp32", "--set", "train.channels_last=false", "--device", "cpu", "--processes", "1",
    "--workers", "0", "--threads", "1",
]  # fmt: skip


def expected(name):
    """What the version that wrote a folder printed of it."""
    return json.loads((FOLDERS / "expected" / f"{name}.json").read_text())


def call_json(*arguments):
    done = CliRunner().invoke(main, [*map(str, arguments), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def figures(value):
    """A printed object without paths and times; keys that came later may be added, so those of old ones decide."""
    if isinstance(value, dict):
        return {key: figures(item) for key, item in value.items() if key not in ELSEWHERE}
    return [figures(item) for item in value] if isinstance(value, list) else value


def assert_holds(new, old, where=""):
    """Assert that each figure of the old object is in the new one, scores to the digit."""
    if isinstance(old, dict):
        gone = {RENAMED.get(key, key) for key in old} - new.keys()
        assert not gone, f"{where}: {sorted(gone)} gone"
        for key in old:
            assert_holds(new[RENAMED.get(key, key)], old[key], f"{where}.{key}")
    elif isinstance(old, list):
        assert len(new) == len(old), where
        for index, pair in enumerate(zip(new, old, strict=True)):
            assert_holds(*pair, f"{where}[{index}]")
    else:
        assert type(new) is type(old), where
        assert new == (pytest.approx(old, rel=1e-9) if isinstance(old, float) else old), where


def assert_reported(printed, name):
    assert_holds(figures(printed), figures(expected(name)), name)


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Copies an old folder to where it may be written, and works beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGENEXT_SEARCH_CACHE", str(tmp_path / "cache"))
    return lambda name: Path(shutil.copytree(FOLDERS / name, tmp_path / name))


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", RUNS)
def test_report(opened, name):
    run = opened(name)
    printed = call_json("report", run)
    assert_reported(printed, name)
    assert printed["conditions"]["versions"] == expected(name)["conditions"]["versions"]  # of the run, not of today
    assert json.loads((run / "summary.json").read_text()) == printed
    assert (run / "report" / "index.html").stat().st_size > 10_000
    if (FOLDERS / name / "report" / "trials.csv").exists():
        for new, old in zip(
            rows(run / "report" / "trials.csv"), rows(FOLDERS / name / "report" / "trials.csv"), strict=True
        ):
            assert {key: new[key] for key in old} == old


def test_report_of_several_runs(opened):
    printed = call_json("report", opened("search"), opened("front"), "--out", "several")
    assert_reported(printed, "several")


@pytest.mark.parametrize("name", ["scale-study", "scale-compare"])
def test_scale_report(opened, name):
    assert_reported(call_json("scale", "report", opened(name)), name)


def test_an_audit_is_in_the_report(opened):
    run = opened("audited")
    audit = call_json("report", run)["audit"]
    assert (audit["status"], audit["n"], audit["open"]) == ("complete", 4, 0)
    assert_holds(audit, expected("audited")["audit"])
    # asked for again, it trains nothing
    again = call_json("audit", run, "--n", "4", "--seeds", "2", "--reference-epochs", "3", "--device", "cpu")
    assert_reported(again, "audited")


def test_a_complete_run_is_resumed_without_work(opened):
    assert_reported(call_json("resume", opened("search"), "--device", "cpu"), "search")


@pytest.mark.slow
def test_an_interrupted_run_is_resumed(opened):
    run = opened("interrupted")
    before = {row["number"]: row for row in _finished(run)}
    printed = call_json("resume", run, "--device", "cpu", "--parallel", "2", "--threads", "1")
    assert printed["status"] == "complete"
    trials = printed["trials"]
    assert (trials["complete"] + trials["pruned"], trials["failed"], trials["open"]) == (6, 0, 0)
    assert printed["winner"]["score"]["n"] == 2
    after = {row["number"]: row for row in rows(run / "report" / "trials.csv")}
    assert len(before) >= 3
    for number, row in before.items():
        assert after[number] == row


def _finished(run):
    call_json("report", run)
    return [row for row in rows(run / "report" / "trials.csv") if row["state"] in ("complete", "pruned")]


@pytest.mark.slow
def test_a_winner_is_trained(opened, tmp_path):
    run = opened("search")
    images = write_images(tmp_path / "images")
    settings = [setting.replace("epochs=2", "epochs=1") for setting in TRAINING]
    printed = call_json("train", run, "--data", images, *settings, "--out", tmp_path / "trained")
    winner = expected("search")["winner"]
    assert (printed["fingerprint"], printed["candidate"]) == (winner["fingerprint"], winner["candidate"])


@pytest.mark.slow
def test_an_interrupted_training_goes_on(opened, tmp_path):
    folder = opened("training-interrupted")
    (old,) = rows(folder / "metrics.csv")
    printed = call_json(
        "train", FOLDERS / "candidate.yaml", "--data", write_images(tmp_path / "images"), *TRAINING,
        "--keep", "1", "--out", folder,
    )  # fmt: skip
    first, second = rows(folder / "metrics.csv")
    assert first == old
    assert (second["epoch"], printed["epochs"]) == ("2", 2)


def test_a_complete_training_is_read_not_trained_again(opened, tmp_path):
    folder = opened("training")
    weights = (folder / "model" / "model.safetensors").read_bytes()
    printed = call_json(
        "train", FOLDERS / "candidate.yaml", "--data", write_images(tmp_path / "images"), *TRAINING, "--out", folder
    )
    assert_holds(figures(printed), figures(json.loads((FOLDERS / "training" / "summary.json").read_text())))
    assert (folder / "model" / "model.safetensors").read_bytes() == weights


def test_a_model_folder_is_evaluated(opened, tmp_path):
    images = write_images(tmp_path / "images")
    printed = call_json("evaluate", opened("training"), "--data", images, "--device", "cpu", "--workers", "0")
    old = expected("evaluate")
    for key in ("fingerprint", "weights", "classes", "n", "img_size", "crop_pct", "top1"):
        assert printed[key] == old[key]
    assert printed["loss"] == pytest.approx(old["loss"], rel=1e-4)  # kernels differ between processors


def test_a_model_folder_is_exported(opened, tmp_path):
    printed = call_json("export", opened("training"), "--out", tmp_path / "model.onnx")
    old = expected("export")
    for key in ("fingerprint", "input", "output", "preprocessing"):
        assert printed[key] == old[key]
    assert printed["opset"] >= 18  # the default of torch's exporter, which later releases raise


def test_the_winner_of_a_run_is_a_model_folder(opened):
    run = opened("search")
    winner = expected("search")["winner"]
    (folder,) = (run / "winners").iterdir()
    printed = call_json("cost", folder)
    assert {key: printed[key] for key in ("fingerprint", "params", "madds", "acts", "memory")} == {
        key: winner[key] for key in ("fingerprint", "params", "madds", "acts", "memory")
    }
    assert read_yaml(folder / "candidate.yaml")["fingerprint"] == winner["fingerprint"]
    import timm

    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 16)


def test_a_former_run_gives_candidates(opened):
    run = opened("search")
    finalists = json.loads((run / "summary.json").read_text("utf-8"))["finalists"]
    expected = [row["fingerprint"] for row in finalists if row["trial"]]
    assert expected
    assert [candidate.fingerprint for candidate in find_enqueued([str(run)])] == expected


def test_a_summary_with_the_old_keys_is_read():
    """An audit and a device of a run, without the database that they were made from."""
    for name in ("audited", "latency"):
        old = json.loads((FOLDERS / name / "summary.json").read_text("utf-8"))
        printed = RunSummary.read(old, where=name).to_dict()
        for topic in ("audit", "latency"):
            assert_holds(printed[topic], figures(old[topic]), topic)


def test_nothing_of_a_machine_is_in_them():
    personal = (b"/home/", b"/root/", b"/Users/", bytes(FOLDERS.parents[1]))
    files = {path: path.read_bytes() for path in FOLDERS.rglob("*") if path.is_file()}
    assert [path for path, content in files.items() if any(place in content for place in personal)] == []
    assert sum(map(len, files.values())) < 2_000_000
