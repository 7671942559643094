import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
CONDITIONS = {"date", "python", "cpu", "cores", "threads", "versions", "n", "seed", "budget", "deployment"}


def last_line(name):
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / name), "--quick"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
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
    assert figures["ms_each"] < 50  # ten milliseconds are the aim; a shared machine may take longer


@pytest.mark.slow
def test_costs():
    figures, conditions = last_line("costs.py")
    assert conditions["threads"] == 1
    assert figures["disagreements"] == 0
    assert figures["candidates_per_second"] > 1000
    assert figures["ratio"] > 100
    assert figures["fvcore_candidates_per_second"] > 0


@pytest.mark.slow
def test_memory():
    figures, conditions = last_line("memory.py")
    assert conditions["n"] == 3
    assert figures["exact"] == 1
    assert figures["allocator_mean_error"] < 0.05
    assert figures["onnxruntime_over_closed"] > 0.5
