"""Paths and names of any characters: they are shown and typed again as they are, and mean nothing else."""

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path, PurePath

import pytest
from latency_profiles import DEPLOYMENT

from edgenext_search.arch.published import published_variant
from edgenext_search.files import read_yaml
from edgenext_search.models.folder import candidate_text
from edgenext_search.texts import command_line

from .helpers import ROOT, call, call_json, refusal

FOLDERS = ROOT / "tests" / "old_folders"
NAMES = {
    "printable": "".join(chr(sign) for sign in range(32, 127) if chr(sign) != "/") + "é木😀",
    "home": "~root",
    "option": "-x",
    "lines": "a\nb\x1b[31m",
    "latin": os.fsdecode(b"caf\xe9"),
}


@pytest.fixture(params=NAMES, name="name")
def _name(request, tmp_path, monkeypatch):
    """A name; the working directory has the same one."""
    folder = tmp_path / NAMES[request.param]
    folder.mkdir()
    monkeypatch.chdir(folder)
    return NAMES[request.param]


def typed(name):
    """A name as people type it where it looks like an option or a home folder."""
    return f"./{name}" if name[0] in "-~" else name


def test_runs_are_reported_and_refused(name):
    for number, run in enumerate(("search", "scale-study")):
        shutil.copytree(FOLDERS / run, f"{typed(name)}{number}")
    run = typed(name) + "0"
    assert call("report", run).exit_code == 0
    assert json.loads(Path(run, "summary.json").read_text())["run"] == f"{name}0"
    assert read_yaml(Path(run, "study.yaml"))
    assert call_json("report", Path(run).absolute(), "--format", "md")["run"] == str(Path(run).absolute())
    assert call("scale", "report", typed(name) + "1").exit_code == 0
    assert "--trials must be >=" in refusal("resume", run, "--trials", "1")
    assert len(list(Path().iterdir())) == 2


@pytest.mark.parametrize("name", [NAMES["printable"], NAMES["latin"], "$x_{$", "_x"], ids=ascii)
def test_runs_are_compared_and_drawn(name, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    for end in "01":
        shutil.copytree(FOLDERS / "search", f"{name}{end}")
    done = call("report", f"{name}0", f"{name}1", "--out", f"{name}page", "--figures", "svg")
    assert done.exit_code == 0, done.output
    assert Path(f"{name}page", "index.html").is_file()


def test_small_commands(name):
    candidate, space, cache = (f"{typed(name)}{end}" for end in (".yaml", "space.yaml", "cache"))
    Path(candidate).write_text(candidate_text(published_variant("edgenext_small").candidate, DEPLOYMENT))
    shutil.copy(ROOT / "spaces" / "edgenext.yaml", space)
    for words in (
        ("cost", candidate),
        ("space", "check", space),
        ("space", "sample", "--space", space, "--budget", "1.3M", "-n", "1"),
        ("scale", "family", candidate, "--budgets", "0.6M", "--out", typed(name) + "family"),
        ("data", "info", "--cache-dir", cache),
    ):
        done = call(*words)
        assert done.exit_code == 0, done.output
        assert "\x1b" not in done.output


def test_what_is_missing_is_named_in_one_line(name):
    for words in (("report", typed(name)), ("cost", typed(name)), ("run", "--study", typed(name), "--budget", "1.3M")):
        assert "\x1b" not in refusal(*words)


@pytest.mark.parametrize("key", NAMES)
def test_printed_commands_can_be_typed(key):
    path = PurePath(NAMES[key])
    line = command_line("resume", path)
    assert line.isprintable()
    script = line.replace("edgenext-search resume", "printf %s", 1)
    words = subprocess.run(["bash", "-c", script], capture_output=True, check=True).stdout
    assert os.fsdecode(words).removeprefix("./") == NAMES[key]
    if "\n" not in NAMES[key] and key != "latin":
        assert shlex.split(line)[-1].removeprefix("./") == NAMES[key]


@pytest.mark.parametrize(
    "words", [("report", "~/run"), ("report", "~/run", "--json"), ("evaluate", "~/run", "--data=~")]
)
def test_the_home_folder_is_found_where_no_shell_has_replaced_it(words, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert str(tmp_path) in call(*words).stderr


def test_outputs_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert call("scale", "family", "edgenext_small", "--budgets", "1.3M", "--out", "~/family").exit_code == 0
    assert call_json("data", "info", "--cache-dir", "~/cache")["cache_dir"] == str(tmp_path / "cache")
    assert (tmp_path / "family").is_dir()
    assert not (tmp_path / "~").exists()
