import re
import shutil
import signal
from dataclasses import replace

import pytest
from study_builders import FakeExecutor, Killed, a_recipe, fails_for, score_of, with_data

from edgenext_search.audit.run import Audit, run_audit
from edgenext_search.errors import StudyFailedError, UserError
from edgenext_search.search.ranking.references import reference_seeds
from edgenext_search.search.store.records import ScalingFacts, StudyFacts
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.study import session as module
from edgenext_search.search.study.listener import Listener
from edgenext_search.search.study.run import run_study
from edgenext_search.search.study.session import Execution
from edgenext_search.training.engine.numerics import Numerics
from edgenext_search.training.proxy.job import Failed, Trained

AUDIT = Audit(epochs=16, n=6, seeds=2)


class Notes(Listener):
    def __init__(self):
        self.notes, self.started = [], []

    def note(self, text):
        self.notes.append(text)

    def jobs_started(self, what, jobs, *, since, until):
        self.started.append((what, len(jobs), since, until))


@pytest.fixture(scope="module")
def finished(class_folder, cache_dir, tmp_path_factory):
    """A finished run whose trainings were scripted, to be copied."""
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LocalExecutor", lambda *_, **__: FakeExecutor())
        patch.setattr(module, "start_server", lambda: None)
        execution = Execution(device="cpu", parallel=1, cache_dir=cache_dir)
        run_study(folder, with_data(a_recipe(), class_folder), execution)
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    shutil.copytree(finished.path, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def audited(folder, execution, fake, audit=AUDIT, executor=None, listener=None):
    fake.current = executor or FakeExecutor()
    return run_audit(folder, folder.recipe(), audit, execution, listener).to_dict()


def without_times(summary):
    return {**summary, "run": None, "report": None, "model_dir": None, "audit": {**summary["audit"], "seconds": None}}


def test_an_audit_trains_the_sample_longer_with_fresh_seeds_in_one_cycle(folder, execution, fake):
    notes = Notes()
    before = folder.summary()
    summary = audited(folder, execution, fake, listener=notes)
    assert summary == folder.summary()
    assert {key for key in summary if summary[key] != before[key]} == {"audit", "run", "report"}  # it is a copy
    assert before["audit"] is None
    jobs = fake.current.jobs
    assert len(jobs) == 12
    assert {job.seed for job in jobs} == set(reference_seeds(0, 2))
    assert [job.seed for job in jobs] == sorted(job.seed for job in jobs)  # all have one seed before any has two
    proxy = folder.recipe().proxy
    assert {job.until for job in jobs} == {16}
    assert jobs[0].recipe == proxy.model_copy(update={"epochs": 16, "rungs": [1.0]})
    assert jobs[0].recipe.rung_epochs == (16,)
    audit = summary["audit"]
    assert (audit["status"], audit["n"], audit["seeds"]) == ("complete", 6, 2)
    assert audit["candidates"][0]["trial"] == 0
    assert audit["conditions"]["parallel"] == 1
    assert notes.started == [("Audit", 12, 0, 16)]
    assert "6 candidates, 2 seeds of 16 epochs each; 12 of 12 trainings to do" in notes.notes[0]


def test_an_audit_again_trains_nothing_and_a_larger_one_what_is_missing(folder, execution, fake):
    first = audited(folder, execution, fake)
    again = audited(folder, execution, fake)
    assert fake.current.given == []
    assert without_times(again) == without_times(first)
    given = []
    for audit, more in ((replace(AUDIT, n=8), 4), (replace(AUDIT, n=8, seeds=3), 8), (replace(AUDIT, epochs=17), 12)):
        audited(folder, execution, fake, audit)
        assert len(fake.current.given) == more
        given += fake.current.given
    assert len(set(given)) == len(given)


def test_second_seeds_of_a_smaller_sample_are_no_more_than_it_has(folder, execution, fake):
    audited(folder, execution, fake, replace(AUDIT, n=8, seeds=1))
    assert len(fake.current.given) == 8
    audit = audited(folder, execution, fake, replace(AUDIT, n=4, seeds=2))["audit"]
    assert len(fake.current.given) == 4
    assert (audit["status"], audit["n"]) == ("complete", 8)


def test_trials_that_are_added_leave_an_audit_as_it_is(folder, class_folder, execution, fake):
    first = audited(folder, execution, fake, executor=FakeExecutor())["audit"]
    fake.current = FakeExecutor()
    grown = run_study(folder, with_data(a_recipe(trials=16), class_folder), execution).to_dict()
    assert grown["trials"]["complete"] + grown["trials"]["pruned"] == 16
    assert grown["audit"] == first
    audited(folder, execution, fake)  # what is finished is drawn anew
    assert 0 < len(fake.current.given) <= 12


def test_an_audit_goes_on_with_its_sample_after_trials_were_added(folder, class_folder, execution, fake):
    with pytest.raises(Killed):
        audited(folder, execution, fake, executor=FakeExecutor(killed_at=4))
    fake.current = FakeExecutor()
    assert run_study(folder, with_data(a_recipe(trials=16), class_folder), execution).to_dict()["audit"]["open"] == 9
    assert audited(folder, execution, fake)["audit"]["status"] == "complete"
    assert len(fake.current.given) == 9


@pytest.mark.parametrize("at", [1, 6, 12])
def test_killed_and_called_again_it_ends_as_if_undisturbed(folder, execution, fake, tmp_path, at):
    other = RunFolder(tmp_path / "other")
    shutil.copytree(folder.path, other.path)
    expected = audited(other, execution, fake)
    with pytest.raises(Killed):
        audited(folder, execution, fake, executor=FakeExecutor(killed_at=at))
    killed = fake.current.given
    assert without_times(audited(folder, execution, fake)) == without_times(expected)
    assert len(killed) == at - 1
    assert len({*killed, *fake.current.given}) == len(killed) + len(fake.current.given) == 12


def test_ctrl_c_ends_with_what_there_is(folder, execution, fake):
    class Interrupting(FakeExecutor):
        def after_outcome(self, _job):
            if len(self.given) == 5:
                signal.raise_signal(signal.SIGINT)

    summary = audited(folder, execution, fake, executor=Interrupting())
    assert summary["status"] == "complete"  # that of the run
    assert (summary["audit"]["status"], summary["audit"]["n"], summary["audit"]["open"]) == ("interrupted", 5, 7)
    assert folder.summary() == summary
    assert audited(folder, execution, fake)["audit"]["status"] == "complete"


def test_a_training_that_fails_is_recorded_and_left_out(folder, execution, fake):
    victim = folder.open_store(folder.recipe()).records()[0].candidate.fingerprint
    notes = Notes()
    summary = audited(folder, execution, fake, executor=FakeExecutor(fails_for(victim)), listener=notes)
    audit = summary["audit"]
    assert (audit["status"], audit["n"]) == ("complete", 5)
    assert [(row["trial"], row["reason"]) for row in audit["failed"]] == [(0, "ValueError: no luck")] * 2
    assert "2 long trainings failed, and the audit does without" in notes.notes
    audited(folder, execution, fake)
    assert fake.current.given == []


def test_an_audit_in_which_all_fails_stops(folder, execution, fake):
    executor = FakeExecutor(lambda _: Failed(reason="no such device"))
    with pytest.raises(StudyFailedError, match=r"first 3 long trainings all failed.*no such device"):
        audited(folder, execution, fake, executor=executor)
    assert len(executor.given) == 3
    assert audited(folder, execution, fake)["audit"]["failed"] == []  # tried again, once the cause is gone


def test_nothing_is_left_in_scratch_but_what_was_there(folder, execution, fake):
    folder.scratch.mkdir()
    (folder.scratch / "kept.safetensors").write_bytes(b"a finalist's weights")

    def outcome(job):
        for file in (job.state_file, job.weights_file):
            file.write_bytes(b"")
        return Trained(score=score_of(job), seconds=0.5)

    audited(folder, execution, fake, executor=FakeExecutor(outcome))
    assert [path.name for path in folder.scratch.iterdir()] == ["kept.safetensors"]
    (folder.scratch / "kept.safetensors").unlink()
    audited(folder, execution, fake)
    assert not folder.scratch.exists()


def test_numerics_are_those_of_the_run(folder, execution, fake):
    known = Numerics(precision="bf16", channels_last=True)
    folder.open_store(folder.recipe()).record_facts(StudyFacts(numerics=known))
    audited(folder, execution, fake)
    assert {job.numerics for job in fake.current.jobs} == {known}


def test_a_run_under_way_is_not_audited(folder, execution, fake):
    with folder.lock(), pytest.raises(UserError, match="Another process works on"):
        audited(folder, execution, fake)


def test_images_that_changed_since_the_run_are_refused(folder, execution, fake):
    store = folder.open_store(folder.recipe())
    other = store.facts().data.model_copy(update={"fingerprint": "another"})
    store.record_facts(StudyFacts(data=other))
    before = folder.summary()
    with pytest.raises(UserError, match="are not those that the run began with"):
        audited(folder, execution, fake)
    assert (fake.current.given, folder.summary()) == ([], before)


def test_too_few_scored_candidates_are_refused(class_folder, execution, fake, tmp_path):
    folder = RunFolder(tmp_path / "small")
    run_study(folder, with_data(a_recipe(trials=3, cohort=3), class_folder), execution)
    with pytest.raises(UserError, match=r"has 3 scored candidates, and an audit needs at least 4.*resume"):
        audited(folder, execution, fake)
    assert fake.current.given == []


def test_a_scaling_study_is_not_audited(folder, execution, fake):
    folder.open_store(folder.recipe()).record_facts(StudyFacts(scaling=ScalingFacts(plan={})))
    with pytest.raises(UserError, match="is a scaling study, not a search; `edgenext-search scale report"):
        audited(folder, execution, fake)
    assert fake.current.given == []


def test_an_interrupted_run_is_audited_and_goes_on_as_if_it_had_not_been(
    class_folder, folder, execution, fake, tmp_path
):
    young = RunFolder(tmp_path / "young")
    fake.current = FakeExecutor(killed_at=10)
    with pytest.raises(Killed):
        run_study(young, with_data(a_recipe(), class_folder), execution)
    summary = audited(young, execution, fake, Audit(epochs=8, n=4, seeds=1))
    assert (summary["status"], summary["audit"]["n"]) == ("interrupted", 4)
    assert all(series["noise_ceiling"] is None for series in summary["audit"]["series"])
    fake.current = FakeExecutor()
    ended = run_study(young, young.recipe(), execution).to_dict()
    expected = folder.summary()
    assert {key: ended[key] for key in ("winner", "finalists", "gain", "trials")} == {
        key: expected[key] for key in ("winner", "finalists", "gain", "trials")
    }
    assert ended["audit"]["n"] == 4


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"epochs": 3}, "--reference-epochs must be >= 4, the epochs of the proxy, but got 3"),
        ({"n": 3}, "--n must be >= 4, but got 3"),
        ({"seeds": 0}, "--seeds must be >= 1, but got 0"),
    ],
)
def test_an_audit_that_would_say_nothing_is_refused(asked, message):
    with pytest.raises(UserError, match=re.escape(message)):
        Audit.of(a_recipe(), **asked)


def test_a_reference_is_four_times_as_long_by_default():
    assert Audit.of(a_recipe()) == Audit(epochs=16, n=16, seeds=2)
    assert Audit.of(a_recipe(), epochs=4).epochs == 4
