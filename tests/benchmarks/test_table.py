import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.fixture
def few_resamples(monkeypatch):
    monkeypatch.setattr("benchmarks.table.analyse.RESAMPLES", 20)


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

    assert "| short | 0.3M | 2 of 315 |" in finish(command("analyse", "--table", tmp_path))

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


def made_up(noise, *, shapes=60, seeds=3, spread=2.0):
    """A table of trainings whose end is an effect of the shape and noise, in points; early epochs are noisier."""
    from benchmarks.table import Table
    from benchmarks.table.files import packed

    rng = np.random.default_rng(5)
    effects = rng.normal(size=shapes) * spread / 100
    ends, curves = [], []
    for shape, seed in itertools.product(range(shapes), range(seeds)):
        name, end = f"short-0.3M-{shape}-{seed}", 0.7 + effects[shape] + rng.normal() * noise / 100
        row = {"training": name, "part": "short", "budget": "0.3M", "seed": seed, "diverged": False}
        row["shape"] = f"drawn-{shape}" if shape else "edgenext_xx_small"
        correct = rng.permutation(1000) < 1000 * end
        ends.append(row | {"top1": end, "cpu_seconds": 1.0, "images": 1000, "correct": packed(correct)})
        for epoch, extra in ((1, 4.0), (2, 0.0)):
            top1 = end + rng.normal() * extra / 100
            losses = {"loss": 1 - top1, "train_loss": 1 - top1}
            curves.append({"training": name, "epoch": epoch, "top1": top1, **losses})
    shape_rows = pd.DataFrame([{"budget": "0.3M", "shape": row["shape"]} for row in ends]).drop_duplicates()
    return Table(shapes=shape_rows, trainings=pd.DataFrame(ends), curves=pd.DataFrame(curves))


def cells(text, beginning):
    """The figures without their intervals of each row of the tables that begins so."""
    rows = [
        [cell.strip() for cell in line.split("|")[2:-1]] for line in text.splitlines() if line.startswith(beginning)
    ]
    return [[float(cell.split(" ")[0]) for cell in row] for row in rows]


def test_spread_noise_and_ceiling_are_found_again(few_resamples):
    from benchmarks.table.analyse import analysis

    [[_, one, spread, noise, ceiling, n]] = cells(analysis(made_up(noise=1.0)), "| end of `short`")
    assert (spread, noise, n) == (pytest.approx(2, rel=0.2), pytest.approx(1, rel=0.2), 60)
    assert one == pytest.approx((spread**2 + noise**2) ** 0.5, rel=0.05)
    assert 0.5 < ceiling < 0.8


def test_without_noise_ends_rank_as_the_shapes_do(few_resamples):
    from benchmarks.table.analyse import analysis

    text = analysis(made_up(noise=0.0))
    [[_, _, _, noise, ceiling, _]] = cells(text, "| end of `short`")
    assert (noise, ceiling) == (0, 1)
    assert all(tau < 0.6 for row in cells(text, "| epoch 1")[1:] for tau in row)
    assert all(row[:3] == [1, 1, 1] for row in cells(text, "| epoch 2")[1:])
    assert "60 shapes, 3 seeds" in text
