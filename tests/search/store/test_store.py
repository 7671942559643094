import sqlite3
import threading

import optuna
import pytest
from study_builders import MANY_DUPLICATES, Killed, a_candidate, some_values

from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.spaces.space import Space
from edgenext_search.errors import DataError, FailureKind, HostError, UserError
from edgenext_search.failures import classify
from edgenext_search.search.store import store as store_module
from edgenext_search.search.store.records import DataFacts, Losses, StudyFacts
from edgenext_search.search.store.store import StudyStore
from edgenext_search.training.engine.numerics import Numerics

SPACE = Space.from_dict(MANY_DUPLICATES)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/study.db"


def add(store, number=0, **changes):
    values = {
        "cohort": 0,
        "origin": "sampler",
        "values": some_values(SPACE, number),
        "candidate": a_candidate(number),
        "cost": cost(a_candidate(number), Deployment()),
        "seed": 7,
        "duplicate_of": None,
    }
    store.add(**{**values, **changes})


def test_what_is_added_is_read_back(url):
    store = StudyStore(url, "s", SPACE)
    add(store, 0, origin="edgenext_xx_small")
    add(store, 1, cohort=1, duplicate_of=0, candidate=a_candidate(0))
    first, second = store.records()
    assert (first.number, first.state, first.cohort, first.origin, first.seed) == (
        0,
        "open",
        0,
        "edgenext_xx_small",
        7,
    )
    assert first.candidate == a_candidate(0)
    assert first.cost == cost(a_candidate(0), Deployment())
    assert (first.curve, first.score, first.epochs, first.seconds, first.reason) == ((), None, 0, 0, None)
    assert (second.number, second.cohort, second.duplicate_of) == (1, 1, 0)
    assert store.values()[1] == some_values(SPACE, 1)


def test_scores_times_and_ends_are_read_back_by_another_process(url):
    store = StudyStore(url, "s", SPACE)
    for number in range(4):
        add(store, number)
    for number, scores in enumerate([(0.25, 0.5), (0.125,), (0.375,)]):
        for epoch, score in zip((2, 6), scores, strict=False):
            losses = Losses(held_out=score + 1, train=epoch / 8) if number == 0 else None
            store.report(number, epoch=epoch, score=score, seconds=1.5, losses=losses)
    store.tell(0, "complete")
    store.tell(1, "pruned")
    store.fail(2, "ValueError: x")
    store.tell(2, "failed")
    again = StudyStore(url, "s", SPACE).records()
    assert again == store.records()
    assert [trial.state for trial in again] == ["complete", "pruned", "failed", "open"]
    assert [trial.curve for trial in again] == [((2, 0.25), (6, 0.5)), ((2, 0.125),), ((2, 0.375),), ()]
    assert again[0].losses == ((2, Losses(held_out=1.25, train=0.25)), (6, Losses(held_out=1.5, train=0.75)))
    assert [trial.losses for trial in again[1:]] == [(), (), ()]
    assert [trial.seconds for trial in again] == [3.0, 1.5, 1.5, 0]
    assert [trial.reason for trial in again] == [None, None, "ValueError: x", None]
    study = optuna.load_study(study_name="s", storage=url)
    assert (study.best_value, study.best_trial.number) == (0.5, 0)
    assert study.best_trial.params.keys() == {parameter.name for parameter in SPACE.parameters}


def test_a_study_of_several_objectives_has_their_values_and_its_curves(url):
    objectives = ("accuracy", "madds", "memory")
    store = StudyStore(url, "s", SPACE, objectives=objectives)
    for number in range(3):
        add(store, number)
    for number, scores in enumerate([(0.25, 0.5), (0.125,), (0.375, 0.375)]):
        for epoch, score in zip((2, 6), scores, strict=False):
            store.report(number, epoch=epoch, score=score, seconds=1.5)
    store.tell(0, "complete")
    store.tell(1, "pruned")
    again = StudyStore(url, "s", SPACE, objectives=objectives, must_exist=True)
    assert again.records() == store.records()
    assert [trial.curve for trial in again.records()] == [
        ((2, 0.25), (6, 0.5)),
        ((2, 0.125),),
        ((2, 0.375), (6, 0.375)),
    ]
    assert [trial.state for trial in again.records()] == ["complete", "pruned", "open"]
    study = optuna.load_study(study_name="s", storage=url)
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE", "MINIMIZE"]
    assert study.metric_names == list(objectives)
    counted = cost(a_candidate(0), Deployment())
    assert study.trials[0].values == [0.5, counted.madds, counted.memory]
    assert study.trials[1].intermediate_values == {2: 0.125}
    assert [trial.number for trial in study.best_trials] == [0]


def test_a_record_is_whole_or_not_there(url, monkeypatch):
    """A crash while a trial is being added must leave none that lacks its candidate."""
    store = StudyStore(url, "s", SPACE)
    add(store, 0)
    storage = store._study._storage
    writes = [name for name in dir(storage) if name.startswith(("set_", "create_", "_set_"))]
    calls = []
    for name in writes:
        real = getattr(storage, name)
        monkeypatch.setattr(storage, name, lambda *a, _n=name, _r=real, **k: (calls.append(_n), _r(*a, **k))[1])
    add(store, 1)
    assert calls[0] == "create_new_trial"
    public = [name for name in calls if not name.startswith("_")]
    assert public == ["create_new_trial"]


def test_a_transaction_that_is_cut_off_leaves_nothing(url, monkeypatch):
    store = StudyStore(url, "s", SPACE)
    import sqlalchemy.orm

    def killed(*_):
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(sqlalchemy.orm.Session, "commit", killed)
        with pytest.raises(Killed):
            add(store, 0)
    assert StudyStore(url, "s", SPACE).records() == []


def test_a_told_trial_is_remembered_and_an_open_one_is_read_afresh(url):
    ours, other = StudyStore(url, "s", SPACE), StudyStore(url, "s", SPACE)
    add(ours)
    assert other.records()[0].curve == ()
    ours.report(0, epoch=2, score=0.5, seconds=1)
    assert other.records()[0].curve == ((2, 0.5),)
    ours.tell(0, "pruned")
    assert other.records()[0].state == "pruned"
    assert other.records()[0] is other.records()[0]


def test_rescores_are_scores_or_reasons(url):
    store = StudyStore(url, "s", SPACE)
    store.add_rescore("abc", 1_000_000, 0.5)
    store.add_rescore("abc", 2_000_000, "killed")
    store.add_rescore("12e4", 1_000_000, 0.25)
    assert StudyStore(url, "s", SPACE).rescores() == {
        ("abc", 1_000_000): 0.5,
        ("abc", 2_000_000): "killed",
        ("12e4", 1_000_000): 0.25,
    }


def test_references_are_kept_by_candidate_epochs_and_seed(url):
    store = StudyStore(url, "s", SPACE)
    store.add_reference("abc", 12, 500_000, 0.5)
    store.add_reference("abc", 12, 1_500_000, "killed: by hand")
    store.add_reference("abc", 24, 500_000, 0.75)
    assert StudyStore(url, "s", SPACE).references() == {
        ("abc", 12, 500_000): 0.5,
        ("abc", 12, 1_500_000): "killed: by hand",
        ("abc", 24, 500_000): 0.75,
    }
    assert store.rescores() == {}


def test_facts_are_kept_and_those_not_set_stay(url):
    store = StudyStore(url, "s", SPACE)
    assert store.facts() == StudyFacts()
    data = DataFacts(name="birds", classes=2, train_images=8, val_images=2, fingerprint="x")
    store.record_facts(StudyFacts(data=data, numerics=Numerics(precision="bf16"), seconds=1.5))
    store.record_facts(StudyFacts(seconds=2.5, complete=True))
    facts = StudyFacts(data=data, numerics=Numerics(precision="bf16"), seconds=2.5, complete=True)
    assert StudyStore(url, "s", SPACE).facts() == facts
    assert (
        optuna.load_study(study_name="s", storage=url).user_attrs["fact:data"] == data.to_dict()
    )  # under the keys of version 0.1.0
    assert store.rescores() == {}


def test_studies_of_one_storage_are_kept_apart(url):
    add(StudyStore(url, "s", SPACE))
    assert StudyStore(url, "t", SPACE).records() == []
    assert len(StudyStore(url, "s", SPACE).records()) == 1


def test_a_trial_is_told_once(url):
    store = StudyStore(url, "s", SPACE)
    add(store)
    store.report(0, epoch=2, score=0.5, seconds=1)
    store.tell(0, "complete")
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        store.fail(0, "late")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://anna:s3cret@127.0.0.1:1/studies",
        "mysql+pymysql://anna:s3cret@nowhere.invalid/studies",
        "nonsense://anna:s3cret@host/db",
        "redis://anna:s3cret@127.0.0.1:1",
        "sqlite:////nowhere/at/all/anna:s3cret@study.db",
        "s3cret",
    ],
)
def test_a_storage_that_cannot_be_opened_is_said_so_without_its_password(url):
    with pytest.raises(UserError) as caught:
        StudyStore(url, "s", SPACE)
    message = str(caught.value)
    assert "cannot be opened" in message
    assert "\n" not in message
    if "://" in url and not url.startswith("sqlite"):
        assert "s3cret" not in message
        assert "anna:***@" in message


def test_a_driver_that_repeats_the_password_is_not_quoted(monkeypatch):
    def refuse(_):
        raise OSError("no route to postgresql://anna:s3cret@host/db\nand more")

    monkeypatch.setattr(optuna.storages, "get_storage", refuse)
    with pytest.raises(UserError, match=r"no route to postgresql://anna:\*\*\*@host/db; check") as caught:
        StudyStore("postgresql://anna:s3cret@host/db", "s", SPACE)
    assert "s3cret" not in str(caught.value)


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "study.db").write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(UserError, match=r"study\.db cannot be opened: .*not a database"):
        StudyStore(f"sqlite:///{tmp_path}/study.db", "s", SPACE)


@pytest.fixture
def locked(url, tmp_path):
    """The connection of another program that holds the record's file."""
    StudyStore(url, "s", SPACE)
    holder = sqlite3.connect(tmp_path / "study.db", isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")
    yield holder
    holder.close()


def test_a_database_that_another_program_holds(url, locked, monkeypatch):
    monkeypatch.setattr(store_module, "LOCK_PATIENCE", 0.1)
    with pytest.raises(HostError, match=r"cannot be opened: .*Another program has locked"):
        StudyStore(url, "s", SPACE)


def test_a_locked_database_is_waited_for(url, locked):
    threading.Timer(6, lambda: locked.execute("COMMIT")).start()  # longer than SQLite waits by itself
    assert StudyStore(url, "s", SPACE).records() == []


def test_a_file_without_a_record_is_refused_and_stays_as_it_is(tmp_path):
    file = tmp_path / "study.db"
    file.touch()
    with pytest.raises(DataError, match=r"study\.db holds no record of a study; restore it"):
        StudyStore(file, "s", SPACE, must_exist=True)
    assert file.stat().st_size == 0


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE trial_params SET distribution_json = replace(distribution_json, 'Distribution', 'Distributwon')",
        "UPDATE trial_user_attributes SET value_json = '{'",
        "UPDATE trial_user_attributes SET value_json = '[]' WHERE key = 'cost'",
        "DELETE FROM trial_user_attributes WHERE key = 'candidate'",
        "UPDATE trials SET datetime_start = '20x6-11-28 00:49:51.763374'",
        "UPDATE trials SET state = 'GONE'",
        "UPDATE study_user_attributes SET value_json = '{'",
        "UPDATE study_user_attributes SET value_json = CAST(x'7bff' AS TEXT)",
        "UPDATE study_user_attributes SET key = 'rescore:x'",
        """UPDATE study_user_attributes SET key = 'fact:seconds', value_json = '"x"'""",
    ],
)
def test_a_damaged_record_is_said_to_be_damaged(url, tmp_path, change):
    store = StudyStore(url, "s", SPACE)
    add(store)
    store.add_rescore("abc", 1, 0.5)
    with sqlite3.connect(tmp_path / "study.db") as database:
        assert database.execute(change).rowcount
    store = StudyStore(url, "s", SPACE)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of a library, where its text says enough
        store.records(), store.values(), store.facts(), store.rescores()
    assert classify(caught.value).kind is FailureKind.DATA
    assert "restore" in classify(caught.value).message
