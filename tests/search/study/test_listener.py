"""What listeners hear, and trainings that report to them."""

import inspect
from importlib.metadata import version
from pathlib import Path

from study_builders import FakeExecutor, a_candidate

from edgenext_search.search.study.listener import Listener, Listeners, run_jobs
from edgenext_search.training.proxy.job import Failed, Place, Trained, TrainJob
from edgenext_search.training.proxy.recipe import TrainRecipe

PLACE = Place(
    host="h", device="d", numerics="fp32", package=version("edgenext-search"), torch=version("torch"), micro_batch=8
)


def hooks():
    return {name: call for name, call in inspect.getmembers(Listener, inspect.isfunction) if not name.startswith("_")}


def test_several_hear_everything_in_order():
    heard = []

    class Ear(Listener):
        def __init__(self, name):
            self.name = name

        def __getattribute__(self, item):
            if item in hooks():
                return lambda *args, **kwargs: heard.append((object.__getattribute__(self, "name"), item, args, kwargs))
            return object.__getattribute__(self, item)

    both = Listeners(Ear("a"), Ear("b"))
    for name, call in hooks().items():
        parameters = list(inspect.signature(call).parameters.values())[1:]
        args = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
        kwargs = {p.name: p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
        heard.clear()
        getattr(both, name)(*args, **kwargs)
        assert heard == [("a", name, tuple(args), kwargs), ("b", name, tuple(args), kwargs)]


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
    list(run(1, lambda _: Trained(score=0.5, seconds=1, place=PLACE), heard))
    assert heard.events[-2] == ("note", "job 0 ran out of memory and continued with micro-batches of 8")


def test_no_jobs_are_no_event():
    heard = Heard()
    assert list(run(0, None, heard)) == []
    assert heard.events == []
