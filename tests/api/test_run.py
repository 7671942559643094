"""Searches through the Python interface; the rest is tested with the commands, which use the same code."""

import subprocess
import sys

import pytest

import edgenext_search as es
from edgenext_search.report.trials.table import COLUMNS

TINY = {
    "proxy.epochs": 1,
    "proxy.rungs": [1.0],
    "proxy.img_size": 32,
    "data.train_images": 64,
    "data.val_images": 32,
    "search.finalists": 1,
    "search.rescore_seeds": 1,
    "search.rematch_seeds": 0,
}
SCRIPT = f"""
import edgenext_search as es
run = es.search("400k", space="paper", trials=2, out="run", settings={TINY!r}, progress=False)
print(run.summary.status, run.winner.fingerprint)
"""


@pytest.mark.slow
def test_a_script_searches_without_a_guard(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    run = es.open_run(tmp_path / "run")
    assert done.stdout.split() == ["complete", run.winner.fingerprint]
    assert list(run.trials.columns) == list(COLUMNS)
    assert run.front[0] == run.winner
    assert run.report.is_file()
    assert run._repr_html_().startswith("<iframe srcdoc=")
    assert sum(p.numel() for p in run.model().parameters()) > 100_000
    with pytest.raises(es.UserError, match="another recipe"):
        es.search("400k", space="paper", trials=3, out=tmp_path / "run", settings=TINY)


def test_what_is_no_run_is_one_message(tmp_path):
    with pytest.raises(es.UserError, match="is not a run"):
        es.open_run(tmp_path)
