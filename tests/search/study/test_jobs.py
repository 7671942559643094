from pathlib import Path

from study_builders import FakeExecutor, a_candidate

from edgenext_search.search.study.jobs import run_jobs
from edgenext_search.search.study.listener import Listener
from edgenext_search.training.proxy.job import Failed, Trained, TrainJob
from edgenext_search.training.proxy.recipe import TrainRecipe


class Heard(Listener):
    def __init__(self):
        self.events = []

    def jobs_started(self, what, jobs, *, since, until):
        self.events.append(("started", what, tuple(jobs), since, until))

    def job_progress(self, job, share):
        self.events.append(("progress", job, share))

    def job_finished(self, job, score, reason):
        self.events.append(("finished", job, score, reason))

    def note(self, text):
        self.events.append(("note", text))


def jobs(count):
    return [
        TrainJob(
            name=str(number),
            label=f"job {number}",
            candidate=a_candidate(number),
            recipe=TrainRecipe(),
            data=Path("data"),
            seed=0,
            until=10,
            folder=Path("nowhere"),
        )
        for number in range(count)
    ]


def run(count, outcome, heard):
    given = run_jobs(
        "Some",
        jobs(count),
        since=3,
        executor=FakeExecutor(outcome),
        listener=heard,
        should_stop=lambda: False,
    )
    for job, result in given:
        heard.events.append(("recorded", job.label))
        yield result


def test_a_listener_hears_of_an_outcome_after_it_is_recorded():
    heard = Heard()
    assert len(list(run(1, lambda _: Trained(score=0.5, seconds=1), heard))) == 1
    assert heard.events == [
        ("started", "Some", ("job 0",), 3, 10),
        ("progress", "job 0", 0.5),
        ("recorded", "job 0"),
        ("finished", "job 0", 0.5, None),
    ]


def test_failures_and_small_memories_are_told():
    heard = Heard()
    list(run(1, lambda _: Failed(reason="no luck"), heard))
    assert heard.events[-1] == ("finished", "job 0", None, "no luck")
    list(run(1, lambda _: Trained(score=0.5, seconds=1, micro_batch=8), heard))
    assert heard.events[-2] == ("note", "job 0 ran out of memory, and went on with micro-batches of 8")


def test_no_jobs_are_no_event():
    heard = Heard()
    assert list(run(0, None, heard)) == []
    assert heard.events == []
