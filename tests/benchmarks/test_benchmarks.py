import csv
import json
import math
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
CONDITIONS = {"date", "python", "cpu", "cores", "threads", "versions", "n", "seed", "budget", "deployment"}


def last_line(name, *options):
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / name), "--quick", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=540,  # a minute on a quiet machine
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert set(result) == {"benchmark", "figures", "conditions"}
    assert result["benchmark"] == Path(name).stem
    assert set(result["conditions"]) >= CONDITIONS
    assert str(ROOT) not in done.stdout  # no paths of the machine
    return result["figures"], result["conditions"]


@pytest.mark.slow
def test_projection():
    figures, conditions = last_line("projection.py")
    assert (conditions["budget"], conditions["n"]) == ("1.3M", 2000)
    assert figures["in_band"] >= 0.99
    assert figures["above_a_cap"] == 0
    assert figures["naive_in_band"] < 0.05
    assert figures["plain_in_band"] < figures["in_band"]
    assert 0 < figures["ms_each"] <= figures["ms_p99"] <= figures["ms_max"]


@pytest.mark.slow
def test_costs():
    figures, conditions = last_line("costs.py")
    assert conditions["threads"] == 1
    assert figures["disagreements"] == 0
    assert figures["candidates_per_second"] > 1000
    assert figures["ratio"] > 100
    assert figures["fvcore_candidates_per_second"] > 0


@pytest.mark.slow
def test_latency_protocol():
    figures, conditions = last_line("latency_protocol.py")
    assert (conditions["n"], conditions["processes"]) == (2, 2)
    for load in ("quiet", "busy", "both"):
        assert figures[f"{load}_p50_varies"] >= 0
        assert figures[f"{load}_ratio_varies"] >= 0
    assert figures["comparisons"] == 1
    assert figures["difference_shown"] > 0
    assert figures["export_seconds"] < figures["newer_export_seconds"]


@pytest.mark.slow
def test_chaos():
    """A training that is killed, then told to stop, ends as if undisturbed and leaves nothing behind."""
    figures, conditions = last_line("chaos.py")
    assert figures == {"train_moments": 1, "train_disturbed": 1, "train_attempts": 3, "train_failed": 0}
    assert conditions["kinds"] == {"kill": 1, "sigterm": 1}


@pytest.mark.slow
def test_memory():
    figures, conditions = last_line("memory.py")
    assert conditions["n"] == 2
    assert figures["exact"] == 1
    assert figures["allocator_mean_error"] < 0.05
    assert figures["onnxruntime_over_closed"] > 0.5


@pytest.mark.slow
def test_latency_predictor():
    figures, conditions = last_line("latency_predictor.py")
    assert (conditions["n"], conditions["passes"]) == (6, 2)
    assert figures["spearman"] > 0  # few small networks on a shared machine: it works, no more
    assert {f"{name}within_10" for name in ("", "single_", "madds_", "linear_", "noise_")} <= set(figures)
    assert figures["margin"] >= 1
    assert figures["profile_seconds"] > 0


@pytest.mark.slow
def test_search_efficiency(tmp_path):
    """On a table of made-up networks: the policies and figures are there, and noise does harm."""
    rng, table = random.Random(0), tmp_path / "table.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["block0_e", "block0_k", "block1_e", "block1_k", "block2_l", "macs_m", "top1"])
        for _ in range(300):
            e0, k0, e1, k1, depth = (rng.choice(values) for values in ((1, 3, 6), (3, 5), (1, 3, 6), (3, 5), (1, 2, 3)))
            macs = e0 * k0 + 2 * e1 * k1 * depth
            writer.writerow([e0, k0, e1, k1, depth, macs, 50 + math.log(macs) + e1 / 6 - e0 / 6 + 0.1 * k0])
    policies = ("random", "tpe", "nsga2")
    figures, conditions = last_line(
        "search_efficiency.py", "--table", str(table), "--target", "top1", "--policies", ",".join(("bayes", *policies))
    )
    assert (conditions["n"], conditions["rows"], conditions["landscape"]) == (2, 300, "table:top1")
    names = {"chosen", "bayes_naive", *policies, *(f"{policy}_chooser" for policy in policies)}
    assert {f"{name}_{noise}" for name in names for noise in ("0", "075", "150")} <= set(figures)
    assert figures["chosen_0"] > 1
    assert figures["chosen_0"] >= figures["random_0"] - 0.05
    assert conditions["held_out_r2"] > 0.8


def test_search_efficiency_needs_a_landscape(tmp_path):
    script = str(ROOT / "benchmarks" / "search_efficiency.py")
    for options in ([], ["--table", str(tmp_path / "none.csv")]):
        done = subprocess.run([sys.executable, script, *options], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "--table" in done.stderr


@pytest.mark.slow
def test_proxy_throughput():
    figures, conditions = last_line("proxy_throughput.py")
    assert (conditions["n"], conditions["epochs"]) == (2, 3)
    assert figures["speedup_jpeg"] > 0.1
    assert figures["speedup_memory"] > 0.1
    assert figures["images_per_second (engine, memory)"] > 0


@pytest.mark.slow
def test_overhead():
    figures, conditions = last_line("overhead.py")
    assert conditions["sampler"] == "bayes"
    assert figures["share_at_100"] == pytest.approx(figures["ours_at_100"] / 30, rel=0.02)
    assert figures["optuna_at_100"] > 0
    assert 0 < figures["start_seconds"] < 30


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromedriver") is None, reason="no chromedriver")
def test_report():
    pytest.importorskip("selenium")
    figures, conditions = last_line("report.py")
    assert conditions["trials"] == 500
    assert figures["load_cpu_seconds"] > 0
    assert figures["megabytes"] < 8
    assert {"hover_seconds", "pin_seconds", "sort_seconds", "filter_seconds", "theme_seconds"} <= set(figures)


@pytest.mark.slow
def test_fidelity():
    figures, conditions = last_line("fidelity.py", "--seeds", "2")
    assert figures["images_of_reference"] == 0.125
    for name in ("band", "wide"):
        assert -1 <= figures[f"tau_{name}_ceiling"] <= 1
        assert -1 <= figures[f"tau_{name}_{conditions['rank_by']}"] <= 1
        assert (figures[f"tau_{name}_of_ceiling"] is None) == (figures[f"tau_{name}_ceiling"] <= 0)


@pytest.mark.slow
def test_frugality():
    figures, conditions = last_line("frugality.py")
    assert conditions["rungs"] == [1, 2, 4, 8]
    assert 1 < figures["images_ratio"] <= 4
    assert 1 <= figures["optuna_images_ratio"] <= 4


@pytest.mark.slow
def test_scaling_law():
    figures, conditions = last_line("scaling_law.py")
    assert conditions["n"] == figures["n"] == 11
    assert figures["median_abs_error"] <= 0.30
    assert 0.85 <= figures["coverage_90"] <= 0.95
    assert figures["median_abs_error"] < figures["power_law_median_abs_error"]


@pytest.mark.slow
def test_train_loop():
    figures, conditions = last_line("train_loop.py", "--steps", "2", "--img-size", "32", "--batch-size", "4")
    assert (conditions["n"], conditions["steps"], conditions["workers"]) == (3, 2, 1)
    assert 0.2 < figures["relative_speed"] < 5  # of tiny epochs; full ones are to be compared
    assert figures["relative_speed_low"] <= figures["relative_speed"] <= figures["relative_speed_high"]
    assert 0 <= figures["input_wait"] < 1
