"""A search under a cap on latency, with a program of the user as the device: from its profile to its verdict."""

import json
import shlex
import stat
import sys

import pytest
from latency_profiles import INFO, measurement, profile_of

from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.spaces.space import Space
from edgenext_search.latency.devices.open import open_device
from edgenext_search.latency.profile.measurement_plan import make_plan
from edgenext_search.latency.profile.predictor import Predictor
from edgenext_search.search.store.run_folder import RunFolder

from .helpers import call

pytestmark = pytest.mark.slow

DEPLOYMENT = Deployment(num_classes=10, img_size=64)
PROGRAM = """#!{python}
import json, pathlib
here = pathlib.Path(__file__).parent
if (here / "off").exists() and (here / "run" / "study.yaml").exists():
    print(json.dumps({{"error": "the board is off", "retry": True}}))
else:
    times = [{microseconds} + run % 7 for run in range(60)]
    print(json.dumps({{"times_us": times, "runtime": "made up", "version": "1", "machine": "a program", "threads": 1}}))
"""


@pytest.fixture
def board(tmp_path):
    """A program that always says four milliseconds, but while there is a file ``off`` and the run has begun."""
    program = tmp_path / "bench.py"
    program.write_text(PROGRAM.format(python=sys.executable, microseconds=4000), "utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return open_device(f"cmd:{shlex.quote(str(program))}")


@pytest.fixture
def profile(tmp_path, board):
    plan = make_plan(Space.load("edgenext"), DEPLOYMENT, networks=60, stages=24, seed=0)
    info = INFO.model_copy(update={"name": board.name, "runtime": "made up", "version": "1", "machine": "a program"})
    measured = [(target, measurement(target, deployment=DEPLOYMENT)) for target in plan]
    found = profile_of(measured, device=info, deployment=DEPLOYMENT)
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(found.to_dict()), "utf-8")
    return path


def test_a_board_that_is_off_pauses_the_run_and_resume_ends_it(tmp_path, board, profile, class_folder, cache_dir):
    out = tmp_path / "run"
    (tmp_path / "off").touch()
    run = [
        "run", "--budget", f"latency=5ms@{board.name}", "--data", class_folder, "--study", "demo",
        "--num-classes", "10", "--img-size", "64", "--trials", "3", "--set", f"latency.profile={profile}",
        "--set", "latency.seconds=20", "--set", "search.cohort=3", "--set", "search.finalists=1",
        "--set", "search.rescore_seeds=1",
        "--set", "search.rematch_seeds=0", "--set", "proxy.img_size=32", "--set", "proxy.epochs=1",
        "--set", "proxy.rungs=[1.0]", "--device", "cpu", "--cache-dir", cache_dir, "--out", out,
    ]  # fmt: skip
    stopped = call(*run)
    assert stopped.exit_code == 2, stopped.output
    assert "the board is off" in stopped.stderr
    assert f"What was finished is kept: `edgenext-search resume {out}` goes on." in stopped.stderr
    recipe = RunFolder(out).recipe()
    before = RunFolder(out).open_store(recipe, None).records()
    assert [trial.state for trial in before] == ["complete"] * 3
    predictor = Predictor.load(profile, deployment=DEPLOYMENT)
    assert all(trial.cost.latency * predictor.margin <= 5000 for trial in before)

    (tmp_path / "off").unlink()
    ended = call("resume", out, "--device", "cpu", "--cache-dir", cache_dir, "--json")
    assert ended.exit_code == 0, ended.output
    summary = json.loads(ended.stdout)
    assert RunFolder(out).open_store(recipe, None).records() == before
    assert summary["status"] == "complete"
    assert summary["latency"]["device"] == board.name
    assert summary["latency"]["measured"] == summary["latency"]["passed"] == len(summary["finalists"])
    assert summary["winner"]["measured"]["verdict"] == "pass"
    measured = summary["winner"]["measured"]
    assert 4000 <= measured["conditions"]["seen_p50"] <= 4006
    assert measured["p50"] == pytest.approx(
        predictor.profile.reference.microseconds, rel=0.01
    )  # the program times all alike
