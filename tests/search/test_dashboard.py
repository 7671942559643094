"""A run in optuna-dashboard."""

import json
import threading
import urllib.error
import urllib.request

import optuna
import pytest
from strategies import seeded

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.projection import Projection
from edgenext_search.arch.spaces.space import Space
from edgenext_search.errors import UserError
from edgenext_search.search.dashboard import dashboard_server, read_only, readable
from edgenext_search.search.store.store import StudyStore

SPACE = Space.load("paper")


@pytest.fixture
def store(tmp_path):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    StudyStore(url, "another", SPACE)
    store = StudyStore(url, "mine", SPACE)
    projection = Projection(SPACE, Budget.parse("1.3M"), Deployment())
    values = SPACE.draw(seeded(0))
    candidate = projection.candidate(values)
    store.add(
        cohort=0, origin="sampler", values=values, candidate=candidate, cost=cost(candidate, Deployment()), seed=3,
        duplicate_of=None,
    )  # fmt: skip
    store.report(0, epoch=3, score=0.5, seconds=2.5)
    return store


def test_candidates_are_in_words(store):
    storage = readable(store)
    (study,) = storage.get_all_studies()
    assert study.study_name == "mine"
    (trial,) = storage.get_all_trials(study._study_id)
    candidate = store.records()[0].candidate
    assert trial.user_attrs["widths"] == "-".join(map(str, candidate.widths))
    assert trial.user_attrs["fingerprint"] == candidate.fingerprint
    assert trial.user_attrs["seconds"] == 2.5
    assert storage.get_trial(trial._trial_id).user_attrs == trial.user_attrs
    assert "candidate" in store.storage.get_all_trials(store.study_id)[0].user_attrs  # the record is as it was


def test_nothing_can_be_written(store):
    storage = readable(store)
    (study,) = storage.get_all_studies()
    for write in (
        lambda: storage.delete_study(study._study_id),
        lambda: storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE]),
        lambda: storage.set_study_user_attr(study._study_id, "a", 1),
    ):
        with pytest.raises(RuntimeError, match="only reads"):
            write()


@pytest.mark.parametrize(
    ("method", "host", "allowed"),
    [
        ("GET", "127.0.0.1:8080", True),
        ("GET", "localhost:8080", True),
        ("GET", "localhost", True),
        ("POST", "127.0.0.1:8080", False),
        ("DELETE", "127.0.0.1:8080", False),
        ("GET", "evil.example:8080", False),
        ("GET", "", False),
    ],
)
def test_only_what_reads_on_this_machine_is_answered(method, host, allowed):
    said = []
    app = read_only(lambda _environ, start: [start("200 OK", []), b"yes"][1:])
    list(app({"REQUEST_METHOD": method, "HTTP_HOST": host}, lambda status, _: said.append(status)))
    assert said == ["200 OK" if allowed else "403 Forbidden"]


def test_the_server_is_on_loopback_and_shows_the_run(store):
    pytest.importorskip("optuna_dashboard")
    with dashboard_server(store, 0) as server:
        assert server.server_address[0] == "127.0.0.1"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        with urllib.request.urlopen(f"{url}/api/studies") as answer:  # noqa: S310 - our own server
            (study,) = json.load(answer)["study_summaries"]
        assert study["study_name"] == "mine"
        with urllib.request.urlopen(f"{url}/api/studies/{study['study_id']}?after=0") as answer:  # noqa: S310
            (trial,) = json.load(answer)["trials"]
        shown = {item["key"]: item["value"] for item in trial["user_attrs"]}
        assert shown["depths"] == "-".join(map(str, store.records()[0].candidate.depths))
        request = urllib.request.Request(f"{url}/api/studies/{study['study_id']}", method="DELETE")  # noqa: S310
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(request)  # noqa: S310
        server.shutdown()
    assert len(store.records()) == 1


def test_a_port_that_is_taken(store):
    pytest.importorskip("optuna_dashboard")
    with dashboard_server(store, 0) as server, pytest.raises(UserError, match="--port"):
        dashboard_server(store, server.server_port)
