"""Jobs on their way: urgency, lost attempts, late and repeated deliveries, places."""

from dataclasses import replace

import pytest
from study_builders import FakeExecutor, a_job, score_of

from edgenext_search.errors import HostError, UserError
from edgenext_search.execution import dispatch
from edgenext_search.execution.attempts import new_attempt
from edgenext_search.execution.dispatch import ATTEMPTS, Dispatcher
from edgenext_search.execution.executor import Finished, Lost, PlaceGained, PlaceGone, Progress
from edgenext_search.training.proxy.job import Place, Trained

HERE = Place(host="here", device="CPU", numerics="fp32", package="1.0", torch="2.5")


class Scripted:
    """Gives the events that it is told to give."""

    def __init__(self, places=1, left=()):
        self.places, self.left = places, left
        self.submitted, self.cancelled, self.script = [], [], []

    def capacity(self):
        return self.places

    def reattach(self):
        return self.left

    def submit(self, job):
        self.submitted.append(job)

    def cancel(self, job):
        self.cancelled.append(job)

    def events(self, _timeout):
        events, self.script = self.script, []
        return events


@pytest.fixture(autouse=True)
def _versions(monkeypatch):
    monkeypatch.setattr(dispatch, "installed", {"edgenext-search": "1.0", "torch": "2.5"}.get)


@pytest.fixture
def notes():
    return []


@pytest.fixture
def scripted():
    return Scripted()


@pytest.fixture
def dispatcher(scripted, notes):
    return Dispatcher(scripted, note=notes.append)


def trained(job, **changes):
    return Finished(job, Trained(score=0.5, seconds=1.0, place=replace(HERE, **changes)))


def jobs(n, **changes):
    return [a_job(name=f"job-{number}", label=f"trial {number}", **changes) for number in range(n)]


def test_the_most_urgent_job_first_and_of_equals_the_first(scripted, dispatcher):
    for job, urgency in zip(jobs(4), [(1, 0), (0, 5), (1, 0), (0, 4)], strict=True):
        dispatcher.add(job, urgency)
    for _ in range(4):
        dispatcher.poll(0)
        scripted.script = [trained(scripted.submitted[-1])]
        dispatcher.poll(0)
    assert [job.name for job in scripted.submitted] == ["job-3", "job-1", "job-0", "job-2"]


def test_no_more_is_submitted_than_there_are_places(scripted, dispatcher, notes):
    scripted.places = 2
    for job in jobs(5):
        dispatcher.add(job)
    assert (dispatcher.poll(0), len(scripted.submitted), dispatcher.under_way, dispatcher.idle) == ([], 2, 5, 0)
    scripted.places, scripted.script = 7, [PlaceGained("node 2")]
    dispatcher.poll(0)
    dispatcher.poll(0)
    assert (len(scripted.submitted), dispatcher.idle) == (5, 2)
    scripted.script = [PlaceGone("node 2", "it was drained")]
    dispatcher.poll(0)
    assert notes == ["node 2 has joined", "node 2 is gone: it was drained"]


def test_events_are_of_the_job_as_it_was_added(scripted, dispatcher):
    (job,) = jobs(1)
    dispatcher.add(job)
    dispatcher.poll(0)
    (attempt,) = scripted.submitted
    scripted.script = [Progress(attempt, 0.5), trained(attempt)]
    assert dispatcher.poll(0) == [Progress(job, 0.5), Finished(job, trained(job).outcome)]


def test_late_and_repeated_deliveries_are_dropped(scripted, dispatcher, tmp_path):
    (job,) = jobs(1, folder=tmp_path)
    dispatcher.add(job)
    dispatcher.poll(0)
    first = scripted.submitted[0]
    scripted.script = [Lost(first, "preempted")]
    assert dispatcher.poll(0) == []
    dispatcher.poll(0)
    second = scripted.submitted[1]
    assert first.attempt != second.attempt
    first.written(first.state_file).write_text("a zombie's")
    stranger = new_attempt(job, 1)
    scripted.script = [Progress(first, 0.9), trained(first), trained(stranger), trained(second), trained(second)]
    assert dispatcher.poll(0) == [Finished(job, trained(job).outcome)]
    assert list(tmp_path.iterdir()) == []
    assert dispatcher.under_way == 0


def test_a_lost_job_is_next_and_given_up_after_some_attempts(scripted, dispatcher, notes):
    scripted.places = 2
    for job in jobs(3):
        dispatcher.add(job)
    dispatcher.poll(0)
    for _ in range(ATTEMPTS - 1):
        scripted.script = [Lost([job for job in scripted.submitted if job.name == "job-0"][-1], "node 3 is gone")]
        dispatcher.poll(0)
        dispatcher.poll(0)
    assert [job.name for job in scripted.submitted] == ["job-0", "job-1", "job-0", "job-0"]
    assert notes == ["trial 0 was lost and is trained again: node 3 is gone"] * 2
    scripted.script = [Lost(scripted.submitted[-1], "node 4 is gone"), trained(scripted.submitted[1])]
    assert [event.job.name for event in dispatcher.poll(0)] == ["job-1"], "what came with the loss is given"
    with pytest.raises(HostError, match="Trial 0 could not be trained: node 4 is gone"):
        dispatcher.poll(0)


def test_other_versions_are_refused_with_both_named(scripted, dispatcher):
    dispatcher.add(jobs(1)[0])
    dispatcher.poll(0)
    scripted.script = [trained(scripted.submitted[0], host="node7", torch="2.6")]
    assert dispatcher.poll(0) == []
    with pytest.raises(UserError, match=r"node7 has edgenext-search 1.0 and torch 2.6, but this host has .*torch 2.5"):
        dispatcher.poll(0)


def test_another_kind_of_device_is_told_once(scripted, notes):
    dispatcher = Dispatcher(scripted, note=notes.append, known=[HERE])
    scripted.places = 3
    for job in jobs(3):
        dispatcher.add(job)
    dispatcher.poll(0)
    scripted.script = [trained(job, device="H100", host="node7") for job in scripted.submitted]
    assert len(dispatcher.poll(0)) == 3
    assert notes == ["Note: node7 trains on H100, others on CPU: scores differ by rounding."]


def test_versions_of_earlier_scores_are_told(scripted, notes):
    Dispatcher(scripted, note=notes.append, known=[HERE, replace(HERE, torch="2.4"), replace(HERE, torch="2.4")])
    assert len(notes) == 1
    assert "earlier scores are of edgenext-search 1.0 and torch 2.4; this host has edgenext-search 1.0" in notes[0]


def test_what_an_earlier_coordinator_began_goes_on_if_it_is_wanted(notes):
    wanted, other, unknown = jobs(3)
    left = [new_attempt(wanted, 1), new_attempt(replace(other, until=1), 1), new_attempt(unknown, 1)]
    scripted = Scripted(places=3, left=left)
    with Dispatcher(scripted, note=notes.append) as dispatcher:
        dispatcher.add(wanted)
        dispatcher.add(other)
        dispatcher.poll(0)
        assert [(job.name, job.until) for job in scripted.submitted] == [("job-1", 2)]
        assert scripted.cancelled == [left[1]], "it was in another rung"
        scripted.script = [trained(left[0])]
        assert dispatcher.poll(0) == [Finished(wanted, trained(wanted).outcome)]
    assert scripted.cancelled == [left[1], scripted.submitted[0], left[2]]


def test_a_cancelled_job_is_trained_no_further(scripted, dispatcher):
    first, second = jobs(2)
    dispatcher.add(first)
    dispatcher.add(second)
    dispatcher.poll(0)
    dispatcher.cancel(second.name)
    dispatcher.cancel(first.name)
    assert (scripted.cancelled, dispatcher.under_way) == (scripted.submitted, 0)
    scripted.script = [trained(scripted.submitted[0])]
    assert dispatcher.poll(0) == []


def test_outcomes_of_a_batch():
    executor = FakeExecutor(lambda job: Trained(score=score_of(job), seconds=1.0))
    assert [job for job, _ in dispatch.outcomes(executor, jobs(4))] == jobs(4)
