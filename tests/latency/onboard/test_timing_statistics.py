import math
import statistics

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeded

from edgenext_search.latency.onboard.timing_statistics import (
    FEWEST_PAIRS,
    cut,
    median_interval,
    quantile,
    summarise,
    t975,
)

times = st.floats(1.0, 1e6)
blocks = st.lists(st.lists(times, min_size=1, max_size=5), min_size=1, max_size=30)


@given(st.lists(times, min_size=1), st.floats(0, 1))
def test_a_quantile_lies_between_the_ends(values, share):
    ordered = sorted(values)
    assert ordered[0] <= quantile(ordered, share) <= ordered[-1]


@given(blocks, st.integers(1, 20))
def test_cutting_keeps_all_in_order(runs, count):
    flat = [time for block in runs for time in block]
    parts = cut(runs, count)
    assert [time for part in parts for time in part] == flat
    assert len(parts) == min(count, len(flat))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(blocks)
def test_the_interval_has_the_median_inside_and_runs_as_ends(runs):
    flat = [time for block in runs for time in block]
    centre, low, high = median_interval(runs)
    assert low <= centre <= high
    assert low in flat
    assert high in flat


@given(blocks, st.floats(0.01, 100))
def test_the_interval_scales_with_the_unit(runs, unit):
    scaled = median_interval([[time * unit for time in block] for block in runs])
    assert scaled == pytest.approx([value * unit for value in median_interval(runs)], rel=1e-9)


@pytest.mark.parametrize("freedom", [3, 5, 7, 10, 30, 1000])
def test_students_t(freedom):
    assert t975(freedom) == pytest.approx(scipy.stats.t.ppf(0.975, freedom), rel=1e-2)


def series(rng, count, size, memory):
    """Blocks of log-normal times around 1 whose level remembers that of the block before."""
    level, made = rng.gauss(0, 1), []
    for _ in range(count):
        level = memory * level + math.sqrt(1 - memory**2) * rng.gauss(0, 1)
        made.append([math.exp(0.05 * level + 0.03 * rng.gauss(0, 1)) for _ in range(size)])
    return made


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.8])
def test_the_interval_has_the_true_median_as_often_as_it_says(memory):
    rng = seeded(1)
    covered = ignorant = 0
    for _ in range(200):
        runs = series(rng, 100, 4, memory)
        _, low, high = median_interval(runs)
        covered += low <= 1 <= high
        ordered = sorted(time for block in runs for time in block)
        ignorant += ordered[180] <= 1 <= ordered[219]  # binomial ranks of 400 independent runs
    assert covered >= 180  # 0.90 of 200; 0.95 in the limit
    assert ignorant < covered - 15  # runs within a block are alike: an interval that takes them as independent is wrong


def test_independent_runs_are_not_punished():
    rng = seeded(2)
    widths = []
    for _ in range(50):
        runs = [[math.exp(0.05 * rng.gauss(0, 1)) for _ in range(4)] for _ in range(100)]
        _, low, high = median_interval(runs)
        widths.append(high - low)
    ideal = 2 * 1.96 * 0.05 * math.sqrt(math.pi / 2 / 400)  # of a normal sample's median
    assert statistics.fmean(widths) < 1.3 * ideal


def test_a_change_in_the_middle_leaves_all_open():
    assert median_interval([[1.0] * 4] * 20 + [[2.0] * 4] * 20)[1:] == (1.0, 2.0)


def test_all_equal():
    assert median_interval([[3.0] * 5] * 10) == (3.0, 3.0, 3.0)


def test_a_summary():
    made = summarise([[10.0, 12.0, 11.0]] * 8, [[5.0, 5.5, 6.0]] * 8)
    assert made["p50"] == 11.0
    assert made["min"] == 10.0
    assert made["p90"] == 12.0
    assert made["n"] == 24
    assert made["drift"] == 0
    assert made["ratio"] == made["ratio_low"] == made["ratio_high"] == 2.0
    assert made["reference_p50"] == 5.5


def test_drift_is_the_references_and_cancels_in_the_ratio():
    slow = [1.0] * 10 + [1.1] * 10 + [1.2] * 10
    made = summarise([[20 * factor] * 3 for factor in slow], [[10 * factor] * 3 for factor in slow])
    assert made["drift"] == pytest.approx(0.2)
    assert made["ratio_low"] == pytest.approx(2.0)
    assert made["ratio_high"] == pytest.approx(2.0)


def test_few_turns_have_no_interval_of_the_ratio():
    for count in (1, FEWEST_PAIRS - 1, FEWEST_PAIRS):
        made = summarise([[10.0]] * count, [[5.0]] * count)
        assert made["ratio"] == 2.0
        assert (made["ratio_low"] is None) == (count < FEWEST_PAIRS)


def test_without_a_reference():
    made = summarise([[10.0]], [])
    assert made["ratio"] is made["ratio_low"] is made["reference_p50"] is None
