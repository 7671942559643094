import numpy as np
import pytest

from edgenext_search.scaling.statistics import compare, laws, rank_agreement

SIZES = [0.3e6, 0.6e6, 1.2e6, 2.4e6]


def table(shapes=8, seeds=2, sizes=SIZES, spread=0.01, noise=0.004, seed=0):
    """Scores of shapes whose errors follow a law, each with a quality of its own."""
    rng = np.random.default_rng(seed)
    qualities = rng.normal(0, spread, shapes)
    errors = np.array([0.10 + 0.12 * (size / 1e6) ** -0.5 for size in sizes])
    luck = rng.normal(0, noise, (shapes, len(sizes), seeds))
    return (1 - errors[None, :, None] + qualities[:, None, None] + luck).tolist(), [sizes] * shapes


def test_the_largest_and_the_next_size_are_predicted():
    scores, costs = table()
    (found,) = laws({"params": costs}, scores, seed=0, resamples=40)
    assert [point.cost for point in found.points] == pytest.approx(SIZES)
    assert found.largest.covered
    assert found.largest.low < found.largest.predicted < found.largest.high
    assert found.largest.error == pytest.approx(found.largest.predicted - found.largest.actual)
    assert found.next.cost == pytest.approx(4.8e6)
    assert found.next.low < 10 + 12 * 4.8**-0.5 < found.next.high
    band = found.band
    assert (band[0].cost, band[-1].cost) == (pytest.approx(SIZES[0]), found.next.cost)
    assert (band[-1].low, band[-1].high) == (found.next.low, found.next.high)
    assert all(end.low < 10 + 12 * (end.cost / 1e6) ** -0.5 < end.high for end in band)
    for key in "abc":
        assert getattr(found.law, key).low <= getattr(found.law, key).high


def test_the_same_scores_give_the_same_intervals_and_missing_seeds_none_too_few():
    scores, costs = table(shapes=5)
    scores[1][2][1] = float("nan")
    first, again = (laws({"params": costs, "acts": costs}, scores, seed=1, resamples=5) for _ in range(2))
    assert first == again
    assert first[0].law == first[1].law
    assert [law.cost for law in first] == ["params", "acts"]


def test_two_sizes_and_perfect_scores_do():
    scores, costs = table(sizes=SIZES[:2])
    (found,) = laws({"params": costs}, scores, seed=0, resamples=5)
    assert np.isfinite(found.next.predicted)
    (perfect,) = laws({"params": costs}, np.ones_like(scores).tolist(), seed=0, resamples=5)
    assert perfect.next.predicted < 0.1


def test_ranks_that_hold_across_sizes_and_ranks_that_do_not():
    steady = rank_agreement(table(spread=0.05, noise=0.0001)[0], seed=0)
    assert [pair.sizes for pair in steady.pairs] == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert all(pair.tau.value == 1 for pair in steady.pairs)
    loose = rank_agreement(table(spread=0.0, noise=0.05)[0], seed=0)
    assert any(pair.tau.value < 0.5 for pair in loose.pairs)
    assert len(steady.seeds) == 4
    assert rank_agreement(table(seeds=1)[0], seed=0).seeds == (None,) * 4


def test_the_better_of_two_spaces():
    rng = np.random.default_rng(0)
    good, bad = rng.normal(20, 1, 20), rng.normal(22, 1, 20)
    found = compare(["good", "bad"], [good, bad], seed=0)
    assert found.better == "good"
    assert compare(["bad", "good"], [bad, good], seed=0).better == "good"
    wins = found.superiority
    assert 0.5 < wins.low < wins.value < wins.high <= 1
    assert wins.p < 0.01
    assert found.difference.low < -2 < found.difference.high < 0
    edf = found.spaces[0].edf
    assert [point.share for point in edf] == pytest.approx(np.arange(1, 21) / 20)
    assert all(point.low <= point.share <= point.high for point in edf)
    assert found == compare(["good", "bad"], [good, bad], seed=0)


def test_spaces_that_do_not_differ_are_rarely_told_apart():
    told = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        told += compare(["a", "b"], [rng.normal(20, 1, 12), rng.normal(20, 1, 12)], seed=0).better is not None
    assert told <= 8  # one in twenty is expected


def test_an_interval_has_a_width_where_all_pairs_agree():
    wins = compare(["a", "b"], [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]], seed=0).superiority
    assert wins.value == wins.high == 1
    assert 0.5 < wins.low < 0.8


def test_ties_and_small_samples():
    same = compare(["a", "b"], [[5.0] * 6, [5.0] * 6], seed=0)
    assert same.superiority.value == 0.5
    assert same.better is None
    few = compare(["a", "b"], [[5.0], []], seed=0)
    assert few.superiority is few.better is few.spaces[1].mean is None
    assert few.spaces[1].edf == ()
