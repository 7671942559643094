import os
import signal
import threading
import time

import pytest

from edgenext_search.errors import HostError
from edgenext_search.signals import stop_requests
from edgenext_search.training.engine.together import BatchesTogether, LoadingEndedError
from edgenext_search.training.errors import PeerFailedError


class Batches:
    """A loader of five batches, of which one is an exception or a function."""

    def __init__(self, third=2):
        self.third = third

    def batches(self, epoch):
        return 5

    def epoch(self, epoch, start=0):
        for number in range(start, 5):
            if number == 2 and isinstance(self.third, Exception):
                raise self.third
            yield self.third() if number == 2 and callable(self.third) else number


class TwoRanks:
    """This rank beside one that sets some flags before a step."""

    def __init__(self, others=None):
        self.others, self.asked = others or {}, 0

    def any_rank(self, *flags):
        self.asked += 1
        return [mine or other for mine, other in zip(flags, self.others.get(self.asked, (False,) * 3), strict=True)]


@pytest.fixture
def stopping():
    with stop_requests((signal.SIGTERM, signal.SIGHUP), announce=lambda _: None, interrupting=()) as requests:
        yield requests


def taken(stopping, loader=None, ranks=None, *, saving=lambda: False):
    """The batches until the end, why it came, and whether a checkpoint is wanted."""
    batches, found = BatchesTogether(loader or Batches(), ranks or TwoRanks(), stopping=stopping, saving=saving), []
    try:
        found.extend(batches.epoch(0))
    except LoadingEndedError as ended:
        return found, ended.reason, batches.save
    return found, "all", batches.save


def test_batches_pass(stopping):
    assert taken(stopping) == ([0, 1, 2, 3, 4], "all", False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_wait_for_a_batch(stopping, number):
    def wait():
        threading.Timer(0.2, os.kill, (os.getpid(), number)).start()
        time.sleep(100)

    start = time.monotonic()
    assert taken(stopping, Batches(wait)) == ([0, 1], None, False)
    assert time.monotonic() - start < 60


def test_a_failure_is_told_to_the_other_ranks_first(stopping):
    error, ranks = HostError("no drive"), TwoRanks()
    assert taken(stopping, Batches(error), ranks) == ([0, 1], error, False)
    assert ranks.asked == 3


@pytest.mark.parametrize(
    ("flags", "kind"), [((True, False, False), type(None)), ((False, True, False), PeerFailedError)]
)
def test_what_ends_another_rank_ends_this_one_at_the_same_step(stopping, flags, kind):
    found, reason, _ = taken(stopping, ranks=TwoRanks({4: flags}))
    assert (found, type(reason)) == ([0, 1, 2], kind)


def test_a_checkpoint_that_any_rank_wants_is_wanted_until_it_is_written(stopping):
    assert taken(stopping, ranks=TwoRanks({2: (False, False, True)})) == ([0, 1, 2, 3, 4], "all", True)
    assert taken(stopping, saving=lambda: True)[2]
