import math

import pytest

from edgenext_search.latency.onboard.interleaved_timing import BLOCK_SECONDS, MOST_RUNS_A_BLOCK, time_in_turns

SETTINGS = {"precision": 0.01, "seconds": 5.0, "warmup_seconds": 0.1, "min_runs": 20, "precise": "median"}


class World:
    """A clock, and models that take their time on it and leave a trace."""

    def __init__(self, slowdown=lambda _now: 1.0):
        self.now = 0.0
        self.trace = []
        self.slowdown = slowdown

    def clock(self):
        return self.now

    def model(self, name, seconds):
        def run():
            self.trace.append(name)
            self.now += seconds * self.slowdown(self.now)

        return run


def timed(world, seconds, reference=None, **settings):
    other = None if reference is None else world.model("r", reference)
    return time_in_turns(world.model("m", seconds), other, clock=world.clock, **{**SETTINGS, **settings})


def test_times_are_microseconds():
    blocks, none = timed(World(), 0.004)
    assert none == []
    assert all(time == pytest.approx(4000) for block in blocks for time in block)
    assert {len(block) for block in blocks} == {round(BLOCK_SECONDS / 0.004)}


def test_it_ends_when_the_median_is_known():
    world = World()
    blocks, _ = timed(world, 0.004)
    assert sum(map(len, blocks)) >= 20
    assert world.now < 1


def test_it_ends_when_the_time_is_up():
    world = World(lambda now: 1 + now % 0.37)  # never precise
    blocks, reference = timed(world, 0.004, 0.002, precision=1e-9)
    assert 5.0 <= world.now < 5.2
    assert len(blocks) == len(reference)


def test_a_model_slower_than_the_time_is_run_all_the_same():
    blocks, reference = timed(World(), 20.0, 1.0)
    assert [len(block) for block in blocks] == [1]
    assert len(reference) == 1


def test_a_fast_model_has_short_blocks():
    blocks, _ = timed(World(), 1e-6)
    assert {len(block) for block in blocks} == {MOST_RUNS_A_BLOCK}


def test_they_take_turns_and_change_places():
    world = World()
    timed(world, 0.01, 0.02, warmup_seconds=0.0)
    trace = "".join(world.trace)
    assert trace.startswith("mm" + "rr" + "mmm" + "rr" + "rr" + "mmm" + "mmm" + "rr")  # warm-up, turn, turn back, ...


def test_the_first_run_of_a_block_does_not_count():
    world = World()
    costs = iter(range(1, 10_000))
    blocks, _ = time_in_turns(
        lambda: setattr(world, "now", world.now + next(costs)),
        None,
        clock=world.clock,
        **{**SETTINGS, "warmup_seconds": 0, "seconds": 10},
    )
    assert blocks == [[4e6]]  # 1 and 2 warmed up, 3 was the block's first


def test_both_are_slowed_alike():
    world = World(lambda now: 2.0 if now > 0.3 else 1.0)
    blocks, reference = timed(world, 0.004, 0.002, precision=1e-9)
    first, last = blocks[0][0] / reference[0][0], blocks[-1][-1] / reference[-1][-1]
    assert first == pytest.approx(2)
    assert last == pytest.approx(2)
    assert blocks[-1][-1] == pytest.approx(2 * blocks[0][0])


def test_the_ratio_may_be_what_has_to_be_precise():
    ended = {}
    for precise in ("ratio", "median"):
        world = World(lambda now: 1 + 0.5 * math.sin(0.7 * now) ** 2)  # what both share
        timed(world, 0.004, 0.002, precise=precise, precision=0.02)
        ended[precise] = world.now
    assert ended["ratio"] < 2.5
    assert ended["median"] >= 5


def test_it_says_that_it_is_alive():
    calls = []
    world = World()
    blocks, _ = time_in_turns(
        world.model("m", 0.01), None, **SETTINGS, clock=world.clock, alive=lambda: calls.append(world.now)
    )
    assert len(calls) == len(blocks)
