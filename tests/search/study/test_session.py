import os
import shutil
from dataclasses import replace

import pytest
from study_builders import FakeExecutor, a_recipe, with_data

from edgenext_search.data import former_fingerprint
from edgenext_search.errors import UserError
from edgenext_search.search.store.records import StudyFacts
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.store.store import StudyStore
from edgenext_search.search.study import session as module
from edgenext_search.search.study.images import open_images
from edgenext_search.search.study.listener import Listener
from edgenext_search.search.study.session import Execution, open_session


@pytest.fixture
def recipe(class_folder):
    return with_data(a_recipe(), class_folder)


@pytest.fixture
def execution(cache_dir, monkeypatch):
    monkeypatch.setattr(module, "LocalExecutor", lambda *_, **__: FakeExecutor())
    return Execution(device="cpu", parallel=2, cache_dir=cache_dir)


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


def test_a_session_has_the_run_to_itself_and_all_that_trainings_need(folder, recipe, execution):
    announced = []
    with open_session(folder, recipe, execution, Listener(), announce=announced.append) as session:
        assert announced == [session.store]
        assert folder.is_running()
        assert len(session.places) == 2
        assert len(session.data.val.labels) == session.store.facts().data.val_images == 32
        assert not session.should_stop()
    assert not folder.is_running()


@pytest.mark.parametrize("record", [None, b"", "tables"])
def test_a_beginning_that_was_killed_goes_on(folder, recipe, execution, record):
    folder.create(recipe, storage=None)
    if record == "tables":
        StudyStore(folder.path / "study.db", "another name", recipe.space)
    elif record is not None:
        (folder.path / "study.db").write_bytes(record)
    with open_session(folder, recipe, execution, Listener(), announce=lambda _: None) as session:
        assert session.store.records() == []


def test_a_record_that_was_lost_is_not_begun_anew(folder, recipe, execution):
    folder.create(recipe, storage=None)
    folder.scratch.mkdir()
    with (
        pytest.raises(UserError, match="copy it back first"),
        open_session(folder, recipe, execution, Listener(), announce=lambda _: None),
    ):
        pass


def test_images_recorded_by_an_earlier_version_are_compared_as_it_did(folder, execution, class_folder, tmp_path):
    images = shutil.copytree(class_folder, tmp_path / "images")
    recipe = with_data(a_recipe(), images)

    def opened():
        with open_session(folder, recipe, execution, Listener(), announce=lambda _: None) as session:
            return session.store, session.data

    store, data = opened()
    begun = store.facts().data
    former = former_fingerprint(data, open_images(recipe), name=begun.name)
    assert former != begun.fingerprint
    store.record_facts(StudyFacts(data=begun.model_copy(update={"fingerprint": former})))
    assert opened()[0].facts().data == begun, "from now on the content decides"
    store.record_facts(StudyFacts(data=begun.model_copy(update={"fingerprint": former})))
    image = next((images / "train").rglob("*.jpg"))
    os.utime(image, ns=(1, 1))
    with pytest.raises(UserError, match="are not those that the run began with"):
        opened()
    store.record_facts(StudyFacts(data=begun))
    assert opened()[0].facts().data == begun


class Noting(Listener):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def notes_of(folder, recipe, execution):
    listener = Noting()
    with open_session(folder, recipe, execution, listener, announce=lambda _: None):
        return listener.notes


def test_classes_that_costs_are_not_counted_for_are_pointed_out_once(folder, recipe, execution, tmp_path):
    classes = len(open_images(recipe).classes)
    note = f"has {classes} classes, but costs are counted for 7"
    wanted = replace(recipe, deployment=replace(recipe.deployment, num_classes=7))
    assert sum(note in text for text in notes_of(folder, wanted, execution)) == 1
    assert not any("costs are counted" in text for text in notes_of(folder, wanted, execution))
    same = replace(recipe.deployment, num_classes=classes)
    fitting = replace(recipe, deployment=same)
    other = RunFolder(tmp_path / "other")
    assert not any("costs are counted" in text for text in notes_of(other, fitting, execution))


def test_a_cpu_is_told_of_the_study_for_cpus(folder, recipe, execution):
    recipe = replace(recipe, name="imagenet")
    assert any("--study laptop" in text for text in notes_of(folder, recipe, execution))


def test_a_cpu_is_told_that_trials_share_gpus_only(folder, recipe, execution):
    sharing = replace(execution, trials_per_gpu=2)
    assert any("--trials-per-gpu changes nothing" in text for text in notes_of(folder, recipe, sharing))
    assert not any("--trials-per-gpu" in text for text in notes_of(folder, recipe, execution))


def refuse(_store):
    raise UserError("not this one")


def test_whoever_is_told_may_refuse_before_any_work(folder, recipe, execution, monkeypatch):
    monkeypatch.setattr(module, "prepare_images", lambda *_, **__: pytest.fail("work"))
    with (
        pytest.raises(UserError, match="not this one"),
        open_session(folder, recipe, execution, Listener(), announce=refuse),
    ):
        pytest.fail("work")
    assert not folder.path.exists()  # it was new
    folder.create(recipe, storage=None)
    folder.open_store(recipe)
    with (
        pytest.raises(UserError, match="not this one"),
        open_session(folder, recipe, execution, Listener(), announce=refuse),
    ):
        pytest.fail("work")
    assert folder.exists()
