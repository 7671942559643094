import multiprocessing
import os
import signal
import threading
import time

import pytest

from edgenext_search.data import worker_pool
from edgenext_search.data.worker_pool import WorkerPool
from edgenext_search.errors import HostError, UserError


class TwoArgumentsError(Exception):
    def __init__(self, first, second):
        super().__init__(f"{first} {second}")


class Named:
    name = "folder x"

    def image_name(self, index):
        return f"red/{index}.jpg"


def work(task):
    """Do what the task says."""
    if callable(task):
        return task()
    if isinstance(task, Exception):
        raise task
    return task * 2


def refuse():
    raise TwoArgumentsError("no", "way")


def die():
    os._exit(3)


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def stop():
    os.kill(os.getpid(), signal.SIGSTOP)


def hang():
    time.sleep(1000)


def hang_at_an_image():
    worker_pool.reading(7)
    time.sleep(1000)


@pytest.fixture
def pool():
    """A pool of two processes, none of which is left."""
    before = set(multiprocessing.active_children())
    pools = []

    def build(ahead=4):
        pools.append(WorkerPool(work, workers=2, ahead=ahead, source=Named(), remedy="give fewer"))
        return pools[-1]

    yield build
    for one in pools:
        one.close()
    assert set(multiprocessing.active_children()) <= before


def test_results_come_in_order_and_processes_stay(pool):
    pool = pool()
    first = set(multiprocessing.active_children())
    for count in (0, 1, 3, 50):
        assert list(pool.map(range(count))) == [2 * number for number in range(count)]
    assert set(multiprocessing.active_children()) == first


def test_processes_may_be_spawned(monkeypatch):
    monkeypatch.setattr(worker_pool, "START_METHOD", "spawn")
    pool = WorkerPool(abs, workers=1, ahead=2, source=Named(), remedy="", begin=os.getpid)
    assert list(pool.map([-1, 2, -3])) == [1, 2, 3]
    pool.close()


@pytest.mark.parametrize("ahead", [1, 2, 7])
def test_no_more_tasks_are_given_out_than_agreed(pool, ahead):
    given = []
    results = pool(ahead).map(given.append(number) or number for number in range(20))
    for taken in range(20):
        next(results)
        assert len(given) == min(20, taken + ahead)


def test_a_pool_that_is_given_up_with_tasks_under_way_is_closed(pool):
    pool = pool()
    results = pool.map([1, hang, hang])
    assert next(results) == 2
    assert not pool.ready
    results.close()
    assert not pool.ready
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    ("task", "kind", "said"),
    [
        (UserError("no such image"), UserError, "^no such image$"),
        (refuse, RuntimeError, "TwoArgumentsError: no way"),
        (die, HostError, r"A process that reads images of folder x ended with exit code 3\. .* else give fewer"),
        (
            kill,
            HostError,
            "was killed by SIGKILL, as the system does where memory runs short: free some, or give fewer",
        ),
    ],
)
def test_what_ends_a_process_is_said_once(pool, capfd, task, kind, said):
    pool = pool()
    with pytest.raises(kind, match=said):
        list(pool.map([1, 2, 3, task, *range(10)]))
    assert not pool.ready
    assert capfd.readouterr() == ("", "")


def test_a_process_that_dies_is_noticed_while_another_is_waited_for(pool):
    with pytest.raises(HostError, match="was killed by SIGKILL"):
        list(pool().map([hang, kill]))


@pytest.mark.parametrize(
    ("task", "said"),
    [(hang, "nothing came"), (stop, "nothing came"), (hang_at_an_image, "image red/7.jpg has not come")],
)
def test_stuck_processes_are_ended_and_named(pool, monkeypatch, task, said):
    monkeypatch.setattr(worker_pool, "PATIENCE", 0.3)
    with pytest.raises(HostError, match=rf"Reading images of folder x is stuck: {said} in 0\.005 minutes"):
        list(pool().map([1, 2, task, task]))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_wait(pool, number):
    def handle(*_):
        raise KeyboardInterrupt

    pool = pool()
    before = signal.signal(number, handle)
    try:
        threading.Timer(0.3, os.kill, (os.getpid(), number)).start()
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            list(pool.map([hang, hang]))
        assert time.monotonic() - start < 60
    finally:
        signal.signal(number, before)


def test_processes_leave_signals_to_their_parent(pool):
    pool = pool()
    for process in multiprocessing.active_children():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
            os.kill(process.pid, number)
    assert list(pool.map(range(4))) == [0, 2, 4, 6]


def test_a_host_that_starts_no_more_processes_is_named(pool, monkeypatch):
    start, started = worker_pool._start, []

    def failing(*given):
        if started:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        started.append(start(*given))
        return started[-1]

    monkeypatch.setattr(worker_pool, "_start", failing)
    with pytest.raises(HostError, match=r"Only 1 of 2 processes .* \(Resource temporarily unavailable\): give fewer"):
        pool()
