"""Models timed in turns. Python 3.8 and its standard library alone.

The model and the reference run in turns, in short blocks, and take turns in being the first, so that whatever slows
the machine for a while slows both. The first runs of a block are not counted: they find the other's data in the caches.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from edgenext_search.latency.onboard.timing_statistics import median_interval, pair_ratios

BLOCK_SECONDS = 0.02  # of runs that count, in one block; short, so that drift within it is small
MOST_RUNS_A_BLOCK = 100
FEWEST_BLOCKS = 20  # before precision may end a measurement: half a second or more
CHECK_GROWTH = 1.2  # precision is judged when there are so many times more blocks: few looks, little optional stopping


def time_in_turns(
    run: Callable[[], object],
    run_reference: Callable[[], object] | None,
    settings: dict[str, Any],
    *,
    clock: Callable[[], float] = time.perf_counter,
    alive: Callable[[], None] = lambda: None,
) -> tuple[list[list[float]], list[list[float]]]:
    """Run a model and a reference in turns until the median, or the ratio, is known well enough or the time is up.

    Args:
        run: Runs the model once.
        run_reference: Runs the reference once.
        settings: See the module's docstring; ``precise`` says whose interval is to be narrow, ``median`` or ``ratio``.
        clock: Seconds.
        alive: Called after each turn.

    Returns:
        Microseconds of the model's runs in blocks, and of the reference's.
    """
    begin = clock()
    runs = [run] if run_reference is None else [run, run_reference]
    counts = [_warm_up(one, settings["warmup_seconds"], clock) for one in runs]
    taken: list[list[list[float]]] = [[] for _ in runs]
    next_check = FEWEST_BLOCKS
    while True:
        turn = len(taken[0])
        order = range(len(runs)) if turn % 2 == 0 else range(len(runs) - 1, -1, -1)
        for index in order:
            taken[index].append(_block(runs[index], counts[index], clock))
        alive()
        enough = turn + 1 >= next_check and (turn + 1) * counts[0] >= settings["min_runs"]
        if enough:
            next_check = math.ceil(next_check * CHECK_GROWTH)
        if (enough and _precise(taken, settings)) or clock() - begin >= settings["seconds"]:
            return taken[0], taken[1] if len(runs) > 1 else []


def _warm_up(run: Callable[[], object], seconds: float, clock: Callable[[], float]) -> int:
    """Run for a while, twice at least; returns how many runs make a block."""
    begin = last = clock()
    shortest = math.inf
    repetitions = 0
    while repetitions < 2 or last - begin < seconds:
        run()
        now = clock()
        shortest, last, repetitions = min(shortest, now - last), now, repetitions + 1
    return max(1, min(MOST_RUNS_A_BLOCK, round(BLOCK_SECONDS / max(shortest, 1e-9))))


def _block(run: Callable[[], object], count: int, clock: Callable[[], float]) -> list[float]:
    for _ in range(1 + count // 10):
        run()
    times = [0.0] * count
    for index in range(count):
        start = clock()
        run()
        times[index] = (clock() - start) * 1e6
    return times


def _precise(taken: Sequence[list[list[float]]], settings: dict[str, Any]) -> bool:
    of_ratio = settings["precise"] == "ratio" and len(taken) > 1
    blocks = pair_ratios(taken[0], taken[1]) if of_ratio else taken[0]
    centre, low, high = median_interval(blocks)
    return bool((high - low) / 2 <= settings["precision"] * centre)
