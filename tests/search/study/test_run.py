import contextlib
import shutil
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from study_builders import FakeExecutor, Killed, a_recipe, with_data

from edgenext_search.arch.budget import Budget
from edgenext_search.errors import StudyFailedError, UserError
from edgenext_search.execution import placement
from edgenext_search.execution.numerics import ProbedNumerics
from edgenext_search.search.results import RunSummary
from edgenext_search.search.store.records import DataSummary
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.study import run as run_module
from edgenext_search.search.study import session as module
from edgenext_search.search.study.finalists import finalists_of
from edgenext_search.search.study.listener import Listener
from edgenext_search.search.study.run import run_study
from edgenext_search.training.engine.numerics import Numerics
from edgenext_search.training.proxy.job import Failed


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


@pytest.fixture
def recipe(class_folder):
    return with_data(a_recipe(), class_folder)


class Notes(Listener):
    def __init__(self):
        self.notes, self.images, self.started = [], [], []

    def study_started(self, *, resumed):
        self.started.append(resumed)

    def data_progress(self, done, total):
        self.images.append((done, total))

    def note(self, text):
        self.notes.append(text)


def in_no_folder(summary):
    """What is the same whatever happened on the way."""
    finalists = [finalist.model_copy(update={"model_dir": None}) for finalist in summary.finalists]
    return summary.model_copy(
        update={
            "run": "",
            "report": "",
            "seconds": 0.0,
            "model_dir": None,
            "winner": None,
            "baseline": None,
            "front": [finalist.trial for finalist in summary.front],
            "finalists": finalists,
        }
    )


def test_a_run_from_its_beginning_to_its_summary(folder, recipe, execution, fake):
    notes = Notes()
    summary = run_study(folder, recipe, execution, notes)
    assert summary == folder.read_summary(RunSummary)
    assert summary.status == "complete"
    assert summary.data == DataSummary(name="folder patterns", classes=4, train_images=128, val_images=32)
    assert summary.conditions.parallel == 1
    assert notes.started == [False]
    assert folder.recipe().differences(recipe) == []
    assert not folder.scratch.exists()


def test_a_finished_run_is_read_again_without_training(folder, recipe, execution, fake):
    first = run_study(folder, recipe, execution)
    fake.current = FakeExecutor()
    notes = Notes()
    second = run_study(folder, recipe, execution, notes)
    assert fake.current.given == []
    assert notes.started == [True]
    assert any("complete already" in note for note in notes.notes)
    assert second == first


def test_scores_are_never_read_off_val(class_folder, folder, recipe, execution, fake):
    """The fixture's val/ holds files that cannot be read."""
    assert list((class_folder / "val").rglob("*.jpg"))
    assert run_study(folder, recipe, execution).data.skipped_images == 0


def test_images_that_changed_since_the_run_began_are_refused(folder, execution, fake, class_folder, tmp_path):
    images = tmp_path / "images"
    shutil.copytree(class_folder, images)
    recipe = with_data(a_recipe(), images)
    run_study(folder, recipe, execution)
    before = folder.read_summary(RunSummary)
    (images / "train" / "rows" / "0.jpg").unlink()
    with pytest.raises(UserError, match=r"images of folder images are not those that the run began with.*--out"):
        run_study(folder, recipe, execution)
    assert folder.read_summary(RunSummary) == before


def test_unreadable_images_are_named(folder, execution, fake, tmp_path):
    images = tmp_path / "images"
    for kind in ("a", "b"):
        (images / "train" / kind).mkdir(parents=True)
        for number in range(1000):
            Image.new("RGB", (2, 2)).save(images / "train" / kind / f"{number}.bmp")
    (images / "train" / "a" / "7.bmp").write_bytes(b"nonsense")
    notes = Notes()
    summary = run_study(folder, with_data(a_recipe(trials=1), images), execution, notes)
    assert summary.data.skipped_images == 1
    assert any("1 unreadable images were skipped" in note and "7.bmp" in note for note in notes.notes)


def _unreachable(recipe):
    return replace(recipe, budget=Budget(params=3_000))


def _no_data(recipe):
    return replace(recipe, data=recipe.data.model_copy(update={"source": "/no/such/folder"}))


@pytest.mark.parametrize(
    ("change", "others", "message"),
    [
        (_unreachable, {}, r"budget params=3k cannot be reached: the smallest candidate .* has params=\d"),
        (_no_data, {}, r"--data must be a folder"),
        (lambda recipe: recipe, {"parallel": 0}, r"--parallel must be >= 1"),
        (lambda recipe: recipe, {"device": "cuda", "parallel": None}, r"--device cuda needs"),
    ],
)
def test_what_cannot_be_used_is_refused_before_a_folder_is_made(
    folder, recipe, execution, monkeypatch, change, others, message
):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError, match=message):
        run_study(folder, change(recipe), replace(execution, **others))
    assert not folder.path.exists()


def test_a_run_under_way_is_not_joined(folder, recipe, execution, fake):
    folder.create(recipe, storage=None)
    with folder.lock(), pytest.raises(UserError, match="Another process works on"):
        run_study(folder, recipe, execution)
    assert fake.current.given == []


def test_a_study_that_failed_at_the_start_is_tried_again(folder, recipe, execution, fake):
    fake.current = FakeExecutor(lambda _: Failed(reason="no luck"))
    with pytest.raises(StudyFailedError, match="no luck"):
        run_study(folder, recipe, execution)
    fake.current = FakeExecutor()
    summary = run_study(folder, recipe, execution)
    assert summary.trials.failed == 0
    assert summary.status == "complete"


def test_weights_of_former_finalists_stay(folder, recipe, execution, fake, monkeypatch):
    """With still more trials one of them may win, and its fresh seeds are not trained again."""

    class Writing(FakeExecutor):
        def after_outcome(self, job):
            job.folder.mkdir(exist_ok=True)
            job.weights_file.write_text("")

    monkeypatch.setattr(run_module, "write_winner", lambda *_: None)
    finalists = set()
    for trials in (8, 20, 32):
        fake.current = Writing()
        run_study(folder, folder.extend(trials=trials, time=None) if folder.exists() else recipe, execution)
        finalists |= {finalist.candidate.fingerprint for finalist in finalists_of(folder.open_store(recipe), recipe)}
    assert len(finalists) > recipe.search.finalists + 1  # not always the same
    assert {path.name.partition("-")[0] for path in folder.scratch.iterdir()} == finalists


class Interrupting(FakeExecutor):
    """Presses Ctrl-C after some outcomes."""

    def __init__(self, after, number=signal.SIGINT):
        super().__init__()
        self.after, self.number = after, number

    def after_outcome(self, _job):
        if len(self.given) == self.after:
            signal.raise_signal(self.number)


@pytest.mark.parametrize(("number", "after"), [(signal.SIGINT, 1), (signal.SIGHUP, 7), (signal.SIGTERM, 14)])
def test_one_signal_stops_with_a_summary_and_the_next_call_goes_on(folder, recipe, execution, fake, number, after):
    run_study(undisturbed := RunFolder(folder.path.parent / "undisturbed"), recipe, execution)
    expected = undisturbed.read_summary(RunSummary)
    handlers = [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)]
    fake.current = Interrupting(after, number)
    notes = Notes()
    summary = run_study(folder, recipe, execution, notes)
    assert summary.status == "interrupted"
    assert folder.read_summary(RunSummary) == summary
    assert len(fake.current.given) == after
    assert any(note.startswith(f"{number.name}: stopping with a report") for note in notes.notes)
    assert [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)] == handlers

    fake.current = FakeExecutor()
    resumed = run_study(folder, recipe, execution)
    assert in_no_folder(resumed) == in_no_folder(expected)


def test_a_second_signal_stops_at_once(folder, recipe, execution, fake):
    class Impatient(FakeExecutor):
        def after_outcome(self, _job):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            pytest.fail("it went on")

    fake.current = Impatient()
    with pytest.raises(KeyboardInterrupt):
        run_study(folder, recipe, execution)
    with folder.lock():
        pass


def test_a_run_in_a_thread_leaves_the_signals_alone(folder, recipe, execution, fake):
    results = []
    thread = threading.Thread(target=lambda: results.append(run_study(folder, recipe, execution)))
    thread.start()
    thread.join()
    assert results[0].status == "complete"


def test_ctrl_c_while_images_are_prepared(folder, recipe, execution, fake, tmp_path):
    class Impatient(Notes):
        def data_progress(self, done, total):
            super().data_progress(done, total)
            if done < total:
                signal.raise_signal(signal.SIGINT)

    listener = Impatient()
    fresh = replace(execution, cache_dir=tmp_path / "cache")
    with pytest.raises(KeyboardInterrupt):
        run_study(folder, recipe, fresh, listener)
    assert len(listener.images) < 160
    assert run_study(folder, recipe, fresh).status == "complete"


def test_another_storage(folder, recipe, execution, fake, tmp_path):
    url = f"sqlite:///{tmp_path}/elsewhere.db"
    run_study(folder, recipe, replace(execution, storage=url))
    assert Path(tmp_path / "elsewhere.db").is_file()
    assert not (folder.path / "study.db").exists()
    fake.current = FakeExecutor()
    run_study(folder, recipe, execution)  # found again without being told
    assert fake.current.given == []


BF16 = Numerics(precision="bf16", channels_last=True)


def numerics_of(fake):
    return {job.numerics for job in fake.current.jobs}


@pytest.fixture
def probed(monkeypatch):
    """What the probe finds; how often it was asked."""

    class Probe:
        found, asked = ProbedNumerics(numerics=BF16), 0

        def __call__(self, *_, **__):
            self.asked += 1
            return self.found

    probe = Probe()
    monkeypatch.setattr(module, "probe_host", probe)
    return probe


def test_all_trainings_have_the_numerics_that_the_probe_found(folder, recipe, execution, fake, probed):
    summary = run_study(folder, recipe, execution)
    assert numerics_of(fake) == {BF16}
    assert summary.conditions.numerics == "bf16, channels_last"


def test_a_run_goes_on_with_the_numerics_that_it_was_begun_with(folder, recipe, execution, fake, probed):
    fake.current = FakeExecutor(killed_at=5)
    with pytest.raises(Killed):
        run_study(folder, recipe, execution)
    probed.found = ProbedNumerics(numerics=Numerics())
    fake.current = FakeExecutor()
    run_study(folder, recipe, execution)
    assert numerics_of(fake) == {BF16}
    assert probed.asked == 1


def test_a_probe_that_failed_is_told_and_made_again(folder, recipe, execution, fake, probed):
    probed.found = ProbedNumerics(numerics=Numerics(), note="no luck")
    fake.current = FakeExecutor(killed_at=5)
    notes = Notes()
    with pytest.raises(Killed):
        run_study(folder, recipe, execution, notes)
    assert "no luck" in notes.notes
    with contextlib.suppress(Killed):
        run_study(folder, recipe, execution)
    assert probed.asked == 2


def test_a_recipe_that_fixes_the_numerics_is_not_probed(folder, recipe, execution, fake, probed):
    fixed = {"precision": "fp32", "channels_last": True, "compile": False}
    recipe = replace(recipe, proxy=recipe.proxy.model_copy(update=fixed))
    run_study(folder, recipe, execution)
    assert (probed.asked, numerics_of(fake)) == (0, {Numerics(channels_last=True)})


@pytest.mark.parametrize(("wanted", "places"), [(1, 2), (3, 6), (0, 8)])
def test_trials_are_packed_on_gpus_as_asked_or_as_memory_allows(
    folder, recipe, execution, probed, monkeypatch, wanted, places
):
    """Two GPUs that hold four trials each."""
    probed.found = ProbedNumerics(numerics=BF16, gpu_bytes=15 * 2**30)
    monkeypatch.setattr(placement, "_gpus", lambda _device: 2)
    monkeypatch.setattr(module, "gpu_memory", lambda: 70 * 2**30)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda gpu: f"GPU {gpu}")
    given = []
    monkeypatch.setattr(module, "LocalExecutor", lambda places, **_: given.append(places) or FakeExecutor())
    run_study(folder, recipe, replace(execution, device="cuda", parallel=None, trials_per_gpu=wanted))
    assert len(given[0]) == places


def test_more_devices_than_images_in_a_batch_are_refused(folder, recipe, execution, fake):
    with pytest.raises(UserError, match=r"--gpus-per-trial 33 exceeds proxy\.batch_size=32"):
        run_study(folder, recipe, replace(execution, gpus_per_trial=33))
    assert not folder.path.exists()


def test_what_is_refused_before_the_run_begins_leaves_no_folder(folder, recipe, execution, fake):
    with pytest.raises(UserError, match="storage"):
        run_study(folder, recipe, replace(execution, storage="nonsense"))
    assert not folder.path.exists()


def test_what_is_refused_later_loses_nothing(folder, recipe, execution, fake, monkeypatch):
    def refuse(self):
        raise UserError("too late to take anything back")

    monkeypatch.setattr("edgenext_search.search.study.coordinator.Coordinator.rescore", refuse)
    with pytest.raises(UserError, match="too late"):
        run_study(folder, recipe, execution)
    trials = folder.open_store(recipe, must_exist=True).records()
    assert trials
    assert all(trial.state != "open" for trial in trials)


def test_a_baseline_that_cannot_fill_the_budget_is_told(folder, recipe, execution, fake):
    notes = Notes()
    run_study(folder, replace(recipe, budget=Budget(memory=100_000)), execution, notes)
    (note,) = [note for note in notes.notes if "tightest cap" in note]
    assert note.startswith("Note: The baseline, the published shape scaled to the budget, uses ")
    quiet = Notes()
    run_study(
        RunFolder(folder.path.parent / "other"),
        replace(recipe, budget=Budget(params=200_000)),
        execution,
        quiet,
    )
    assert not any("tightest cap" in note for note in quiet.notes)
