import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))


def command(name, *options):
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.table.{name}", *map(str, options)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return out


def comparable(results):
    """The rows of all trainings, less what a clock says of them."""
    clock = {"cpu_seconds", "wall_seconds", "resumed"}
    rows = [json.loads(file.read_text()) for file in sorted((results / "trainings").glob("*.json"))]
    for row in rows:
        row["curve"] = [{key: value for key, value in point.items() if key not in clock} for point in row["curve"]]
    return [{key: value for key, value in row.items() if key not in clock} for row in rows]


def test_the_plan_serves_partial_tables():
    from benchmarks.table.plan import PARTS, read_shapes, trainings

    plan = trainings(read_shapes(), PARTS)
    assert len({training.name for training in plan}) == len(plan)
    for budget in ("0.3M", "1.3M"):
        seeds = {part: [(t.shape, t.seed) for t in plan if (t.part, t.budget) == (part, budget)] for part in PARTS}
        shapes = {shape for shape, _ in seeds["short"]}
        assert len(shapes) >= 100
        assert len(seeds["short"]) == 3 * len(shapes)
        assert len(seeds["reference"]) == 2 * 30
        assert {shape for shape, _ in seeds["reference"]} <= shapes
    assert [t.budget for t in plan[:4]] == ["0.3M", "1.3M"] * 2
    pairs = {(t.part, t.budget, t.shape): 0 for t in plan}
    for training in plan[:48]:
        pairs[training.part, training.budget, training.shape] += 1
    assert sorted(pairs.values())[-24:] == [2] * 24  # first of all two seeds each of twelve shapes a budget
    images = {name: part.images * part.epochs for name, part in PARTS.items()}
    assert images["reference"] == 6 * images["short"]


def test_the_shapes_hold_their_budgets():
    from benchmarks.table.plan import DEPLOYMENT, candidate_of, read_shapes
    from edgenext_search.arch.budget import Budget
    from edgenext_search.arch.cost import cost

    for row in read_shapes():
        candidate = candidate_of(row)
        counted = cost(candidate, DEPLOYMENT)
        assert candidate.fingerprint == row["fingerprint"]
        assert Budget.parse(row["budget"]).holds(counted)
        assert (counted.params, counted.madds) == (int(row["params"]), int(row["madds"]))


@pytest.mark.slow
def test_a_table_of_several_processes_one_of_them_killed(tmp_path):
    from benchmarks.table import load
    from benchmarks.table.plan import SHAPES_FILE

    alone, shared = tmp_path / "alone", tmp_path / "shared"
    finish(command("train", "--quick", "--out", alone))
    killed = command("train", "--quick", "--out", shared)
    while not list(shared.glob("states/*.pt")):
        assert killed.poll() is None
        time.sleep(0.02)
    killed.kill()
    killed.communicate()
    for process in [command("train", "--quick", "--out", shared) for _ in range(2)]:
        finish(process)
    assert comparable(shared) == comparable(alone)
    assert not list(shared.glob("states/*"))

    (tmp_path / "shapes.csv").write_bytes(SHAPES_FILE.read_bytes())
    assert "6 of 6 trainings" in finish(command("merge", shared, "--into", tmp_path, "--quick"))
    table = load(tmp_path)
    assert list(table.trainings["part"].value_counts()) == [4, 2]
    assert len(table.curves) == 2 * len(table.trainings)
    assert table.correct().shape == (6, 50)
    assert table.correct().mean(axis=1) == pytest.approx(table.trainings["top1"])

    before = (tmp_path / "trainings.csv.gz").read_bytes()
    assert "6 of 6 trainings" in finish(command("merge", tmp_path / "nothing", "--into", tmp_path, "--quick"))
    assert (tmp_path / "trainings.csv.gz").read_bytes() == before


class KilledError(Exception):
    pass


def test_a_training_resumes_where_it_was(tmp_path):
    """In the middle of a rung, where the learning rate of the next step depends on the rung's beginning."""
    from benchmarks.table.plan import Part, read_shapes, trainings
    from benchmarks.table.train import images, train

    part = Part(images=64, epochs=4, rungs=(0.25, 1.0), seeds=(0,), shapes=1, val_images=50, img_size=32)
    training = trainings(read_shapes(), {"short": part, "reference": part})[0]
    data = images(part, tmp_path, None)
    whole = train(training, part, data, tmp_path / "whole.pt")
    stops = itertools.count(1)

    def stop(_epoch):
        if next(stops) <= 2:
            raise KilledError

    for _ in range(2):
        with pytest.raises(KilledError):
            train(training, part, data, tmp_path / "broken.pt", stop)
    broken = train(training, part, data, tmp_path / "broken.pt")
    assert broken["resumed"] == 2
    assert broken["correct"] == whole["correct"]
    assert broken["loss"] == whole["loss"]
    readings = ("epoch", "steps", "lr_end", "top1", "loss", "train_loss")
    assert [[p[k] for k in readings] for p in broken["curve"]] == [[p[k] for k in readings] for p in whole["curve"]]


def test_bits_are_packed_and_unpacked():
    from benchmarks.table.files import packed, unpacked

    correct = np.random.default_rng(0).random(77) < 0.8
    assert (unpacked(packed(correct), 77) == correct).all()


def test_missing_data_is_named_with_the_next_step(tmp_path):
    process = command("train", "--out", tmp_path / "out", "--data-dir", tmp_path / "none")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "apt-get install dataset-fashion-mnist" in errors
