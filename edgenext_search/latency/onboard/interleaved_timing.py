"""Timing of a model and a reference in turns. Python 3.8, standard library only.

Model and reference run alternately in short blocks, and the order within a turn alternates too, so that whatever slows
the machine for a while slows both. The first runs of a block are not counted: they find the other's data in the caches.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from edgenext_search.latency.onboard.timing_statistics import median_interval, pair_ratios

BLOCK_SECONDS = 0.02  # of counted runs in one block; short, so that there is little drift within it
MOST_RUNS_A_BLOCK = 100
FEWEST_BLOCKS = 20  # before a measurement ends on precision: half a second or more
CHECK_GROWTH = 1.2  # precision is checked each time the blocks have grown by this factor: few looks at the data


def time_in_turns(
    run: Callable[[], object],
    run_reference: Callable[[], object] | None,
    *,
    precision: float,
    seconds: float,
    warmup_seconds: float,
    min_runs: int,
    precise: str,
    clock: Callable[[], float] = time.perf_counter,
    alive: Callable[[], None] = lambda: None,
) -> tuple[list[list[float]], list[list[float]]]:
    """Time a model and a reference in turns until the median or the ratio is precise, or the time is up.

    Args:
        run: Runs the model once.
        run_reference: Runs the reference once; None to time the model alone.
        precision: Half width of the 95 % interval at which to end, relative to the value.
        seconds: Upper limit of the time.
        warmup_seconds: Time of uncounted runs at the beginning, for model and reference each.
        min_runs: Number of runs of the model before which it does not end on precision.
        precise: The value whose interval is checked, ``median`` or ``ratio``.
        clock: The time in seconds.
        alive: Called after each turn.

    Returns:
        Times of the model's runs in microseconds, in blocks, and those of the reference.
    """
    begin = clock()
    runs = [run] if run_reference is None else [run, run_reference]
    counts = [_warm_up(one, warmup_seconds, clock) for one in runs]
    taken: list[list[list[float]]] = [[] for _ in runs]
    of_ratio = precise == "ratio" and len(runs) > 1
    next_check = FEWEST_BLOCKS
    while True:
        turn = len(taken[0])
        order = range(len(runs)) if turn % 2 == 0 else range(len(runs) - 1, -1, -1)
        for index in order:
            taken[index].append(_block(runs[index], counts[index], clock))
        alive()
        enough = turn + 1 >= next_check and (turn + 1) * counts[0] >= min_runs
        if enough:
            next_check = math.ceil(next_check * CHECK_GROWTH)
            enough = _is_precise(pair_ratios(taken[0], taken[1]) if of_ratio else taken[0], precision)
        if enough or clock() - begin >= seconds:
            return taken[0], taken[1] if len(runs) > 1 else []


def _warm_up(run: Callable[[], object], seconds: float, clock: Callable[[], float]) -> int:
    """Run for a while, at least twice, and return the number of runs that make a block."""
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


def _is_precise(blocks: Sequence[Sequence[float]], precision: float) -> bool:
    centre, low, high = median_interval(blocks)
    return (high - low) / 2 <= precision * centre
