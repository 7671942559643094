"""A whole search on a board behind a real OpenSSH server that stops in the middle and comes back."""

import json
import threading
import time

import pytest
from click.testing import CliRunner
from latency_profiles import measurement, profile_of

from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.spaces.space import Space
from edgenext_search.cli import main
from edgenext_search.latency.devices.open import open_device
from edgenext_search.latency.profile.measurement_plan import make_plan
from edgenext_search.search.store.run_folder import RunFolder

pytestmark = pytest.mark.slow

DEPLOYMENT = Deployment(num_classes=10, img_size=64)


def a_profile(device, path):
    """A profile of the board whose times are made up; what answers is real."""
    plan = make_plan(Space.load("edgenext"), DEPLOYMENT, networks=60, stages=24, seed=0)
    measured = [(target, measurement(target, deployment=DEPLOYMENT)) for target in plan]
    found = profile_of(measured, device=device.check(), deployment=DEPLOYMENT)
    path.write_text(json.dumps(found.to_dict()), "utf-8")
    return path


def call(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_server_that_stops_in_the_middle_of_a_run(server, tmp_path, class_folder, cache_dir):
    device, out = open_device(server.url()), tmp_path / "run"
    profile = a_profile(device, tmp_path / "profile.json")

    def stop_once_begun():
        while not (out / "study.db").exists():
            time.sleep(0.05)
        server.stop()

    stopper = threading.Thread(target=stop_once_begun)
    stopper.start()
    stopped = call(
        "run", "--budget", f"latency=5ms@{device.name}", "--data", class_folder, "--study", "demo",
        "--num-classes", "10", "--img-size", "64", "--trials", "3", "--set", f"latency.profile={profile}",
        "--set", "latency.seconds=1", "--set", "search.cohort=3", "--set", "search.finalists=1",
        "--set", "search.rescore_seeds=1", "--set", "search.rematch_seeds=0", "--set", "proxy.img_size=32",
        "--set", "proxy.epochs=1", "--set", "proxy.rungs=[1.0]", "--device", "cpu", "--cache-dir", cache_dir,
        "--out", out,
    )  # fmt: skip
    stopper.join()
    assert stopped.exit_code == 2, stopped.output
    assert "is the ssh server running" in stopped.stderr
    assert f"`edgenext-search resume {out}` goes on." in stopped.stderr
    recipe = RunFolder(out).recipe()
    before = RunFolder(out).open_store(recipe, None).records()
    assert [trial.state for trial in before] == ["complete"] * 3

    again = call("resume", out, "--device", "cpu", "--cache-dir", cache_dir)
    assert again.exit_code == 2  # it is still off: refused at once
    server.start()
    ended = call("resume", out, "--device", "cpu", "--cache-dir", cache_dir, "--json")
    assert ended.exit_code == 0, ended.output
    summary = json.loads(ended.stdout)
    assert RunFolder(out).open_store(recipe, None).records() == before
    assert summary["latency"]["device"] == device.name
    assert summary["latency"]["measured"] >= len(summary["finalists"])  # one, where the baseline is expected to be best
    assert all(finalist["measured"]["conditions"]["device"] == device.name for finalist in summary["finalists"])
    assert server.left_behind() == []
