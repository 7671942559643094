import subprocess
import sys
from dataclasses import replace

import pytest
from study_builders import Lab, a_recipe

from edgenext_search.arch.budget import Budget
from edgenext_search.errors import UserError
from edgenext_search.files import dump_yaml, read_yaml
from edgenext_search.results import Result
from edgenext_search.search.store.run_folder import RunFolder

URL = "postgresql://anna:s3cret@127.0.0.1:1/studies"


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "runs" / "mine")


@pytest.fixture
def begun(folder):
    folder.create(a_recipe(), storage=None)
    return folder


def test_a_run_is_there_once_it_is_created(folder):
    assert not folder.exists()
    with pytest.raises(UserError, match=r"There is no run .*mine: the folder does not exist"):
        folder.recipe()
    folder.path.mkdir(parents=True)
    with pytest.raises(UserError, match=r"mine is not a run: it has no study\.yaml"):
        folder.recipe()
    folder.create(a_recipe(), storage=None)
    assert folder.exists()
    assert folder.recipe().differences(a_recipe()) == []
    study = read_yaml(folder.study_file)
    assert study["versions"].keys() >= {"python", "torch", "optuna", "edgenext-search"}
    assert study["study"]["search"]["seed"] == 0
    assert [path.name for path in folder.path.iterdir()] == ["study.yaml"]


@pytest.mark.parametrize("name", ["12e5", "1e3", "on", "null", "3"])
def test_a_name_that_looks_like_something_else_is_still_a_name(folder, name):
    recipe = replace(a_recipe(), name=name, description=name)
    folder.create(recipe, storage=None)
    assert folder.recipe().differences(recipe) == []


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(folder):
    folder.path.mkdir(parents=True)
    (folder.path / "thesis.tex").write_text("important")
    with pytest.raises(UserError, match="exists and is not a run; give another folder with --out"):
        folder.create(a_recipe(), storage=None)
    assert [path.name for path in folder.path.iterdir()] == ["thesis.tex"]


def test_an_empty_folder_is_taken(folder):
    folder.path.mkdir(parents=True)
    folder.create(a_recipe(), storage=None)
    assert folder.exists()


def test_a_file_in_the_way(folder):
    folder.path.parent.mkdir(parents=True)
    folder.path.write_text("a file")
    with pytest.raises(UserError, match="exists and is not a run"):
        folder.create(a_recipe(), storage=None)


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be written: .*; give another with --out"):
        RunFolder(tmp_path / "file" / "run").create(a_recipe(), storage=None)


@pytest.mark.parametrize("damage", ["", "- a list\n", "study: {name: [\n", "study: {nme: x}\n", "studdy: {}\n"])
def test_a_damaged_study_file_is_named(begun, damage):
    begun.study_file.write_text(damage)
    with pytest.raises(UserError, match=r"study\.yaml"):
        begun.recipe()


def test_the_default_place_has_study_budget_and_time(monkeypatch):
    recipe = replace(a_recipe(), budget=Budget(params=1_300_000, madds=260_000_000))
    monkeypatch.setattr("time.strftime", lambda _: "20261122-120000")
    path = RunFolder.default_path(recipe)
    assert path.as_posix() == "runs/demo-params1.3M-madds260M-20261122-120000"


# Passwords and storages


def test_a_password_is_written_nowhere(folder):
    folder.create(a_recipe(), storage=URL)
    for path in folder.path.rglob("*"):
        assert b"s3cret" not in path.read_bytes()
    with pytest.raises(UserError, match=r"anna:\*\*\*@127\.0\.0\.1:1/studies; give the same one, with its password"):
        folder.storage(None)
    assert folder.storage(URL) == URL
    with pytest.raises(UserError, match="give the same one") as caught:
        folder.storage("postgresql://anna:an0ther@elsewhere/studies")
    assert "an0ther" not in str(caught.value)


def test_the_storage_is_that_of_the_beginning(folder, begun, tmp_path):
    own = f"sqlite:///{begun.path}/study.db"
    assert begun.storage(None) == begun.storage(own) == begun.path / "study.db"
    with pytest.raises(UserError, match="begun without --storage; leave it out"):
        begun.storage("postgresql://user:password@localhost/trials")
    other = RunFolder(tmp_path / "other")
    url = f"sqlite:///{tmp_path}/shared.db"
    other.create(a_recipe(), storage=url)
    assert other.storage(None) == url
    assert other.storage(url) == url
    with pytest.raises(UserError, match="The run's storage is sqlite"):
        other.storage("sqlite:///elsewhere.db")


def fill(folder, storage=None):
    recipe = a_recipe(trials=4)
    folder.create(recipe, storage=storage)
    lab = Lab(recipe)
    lab.store = lambda: folder.open_store(recipe)
    lab.run()
    return folder.open_store(recipe).records()


def test_a_run_that_was_moved_keeps_its_trials(folder, tmp_path):
    trials = fill(folder)
    assert len(trials) == 4
    moved = RunFolder(folder.path.rename(tmp_path / "archive"))
    assert moved.open_store(moved.recipe()).records() == trials


def test_runs_of_one_name_in_one_storage_are_kept_apart(tmp_path):
    url = f"sqlite:///{tmp_path}/shared.db"
    ours, theirs = RunFolder(tmp_path / "a" / "run"), RunFolder(tmp_path / "b" / "run")
    fill(ours, url)
    theirs.create(a_recipe(), storage=url)
    assert theirs.open_store(theirs.recipe()).records() == []
    assert len(ours.open_store(ours.recipe()).records()) == 4


def test_what_a_killed_beginning_left_is_no_foreign_run(tmp_path):
    run = RunFolder(tmp_path)
    for name in (".lock", ".study.yaml.12345678.edgenext-part"):
        (tmp_path / name).touch()
    run.create(a_recipe(), storage=None)
    assert run.exists()
    assert not run.holds_results()


# More trials or time


def test_a_run_is_extended(begun):
    begun.extend(trials=12, time="2h")
    assert begun.recipe().search.trials == 12
    assert begun.recipe().time_limit == 7200
    assert a_recipe().differences(begun.recipe()) == ["search.time: None / 2h", "search.trials: 8 / 12"]


def test_nothing_to_extend_leaves_the_file(begun):
    before = begun.study_file.read_bytes()
    assert begun.extend(trials=None, time=None).differences(a_recipe()) == []
    assert begun.study_file.read_bytes() == before


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"trials": 7, "time": None}, r"--trials must be >= the run's 8, but got 7"),
        ({"trials": 0, "time": None}, r"--trials must be >= the run's 8, but got 0"),
        ({"trials": None, "time": "later"}, r"search\.time: .*such as 30m"),
    ],
)
def test_what_cannot_be_extended_leaves_the_file(begun, more, message):
    before = begun.study_file.read_bytes()
    with pytest.raises(UserError, match=message):
        begun.extend(**more)
    assert begun.study_file.read_bytes() == before


# The lock

HOLDER = """
import sys, time
from pathlib import Path
from edgenext_search.search.store.run_folder import RunFolder
with RunFolder(Path(sys.argv[1])).lock():
    print("locked", flush=True)
    time.sleep(60)
"""


def test_two_coordinators_never_work_on_one_run(begun):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(begun.path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(UserError, match="Another process works on"), begun.lock():
            pytest.fail("both hold it")
        with pytest.raises(UserError, match="Another process works on"):
            begun.extend(trials=99, time=None)
        assert begun.recipe().differences(a_recipe()) == []
    finally:
        holder.kill()
        holder.communicate()
    with begun.lock():  # one that was killed holds nothing
        pass


# The summary


class Finding(Result):
    a: object


def test_a_summary_is_written_whole_and_read_back(begun):
    with pytest.raises(UserError, match=r"has no summary yet; `edgenext-search resume .*` makes one"):
        begun.summary()
    begun.write_summary(Finding(a=[1, None, "ü"]))
    assert begun.summary() == {"a": [1, None, "ü"]}
    begun.write_summary(Finding(a=2))
    assert begun.summary() == {"a": 2}
    assert sorted(path.name for path in begun.path.iterdir()) == ["study.yaml", "summary.json"]


def test_a_summary_that_cannot_be_written_leaves_the_old_one(begun):
    begun.write_summary(Finding(a=1))
    with pytest.raises(ValueError, match="serialize"):
        begun.write_summary(Finding(a=object()))
    assert begun.summary() == {"a": 1}


def test_a_run_from_before_there_was_a_choice_ranks_by_top1(begun):
    values = read_yaml(begun.study_file)
    del values["study"]["search"]["rank_by"]
    begun.study_file.write_text(dump_yaml(values))
    assert begun.recipe().search.rank_by == "top1"
    assert begun.recipe().differences(a_recipe()) == ["search.rank_by: top1 / train_loss"]
