import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from edgenext_search.search.ranking.agreement import judge, pairwise_accuracy, seeds_agree

NAN = math.nan


def quickly(scores, references, covariates=None, **others):
    return judge(scores, references, covariates, **{"resamples": 20, **others})


def column(values):
    return [[value] for value in values]


@st.composite
def paired(draw, least=4, most=12, values=9):
    """Two series of small integers, so that ties are common; neither constant."""
    n = draw(st.integers(least, most))
    x, y = (draw(st.lists(st.integers(0, values), min_size=n, max_size=n)) for _ in range(2))
    assume(len(set(x)) > 1 and len(set(y)) > 1)
    return [float(value) for value in x], [float(value) for value in y]


@given(paired())
def test_correlations_are_scipys(series):
    x, y = series
    found = quickly(x, column(y))
    assert found.tau.value == pytest.approx(stats.kendalltau(x, y).statistic)
    assert found.spearman.value == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found.pairwise_accuracy.value == pytest.approx((1 + stats.somersd(y, x).statistic) / 2)
    assert found.n == len(x)


@given(paired(least=8), st.integers(0, 1000))
def test_partial_correlations_are_those_of_least_squares_residuals(series, seed):
    x, y = series
    taken = np.random.default_rng(seed).normal(size=(len(x), 2))
    design = np.column_stack([np.ones(len(x)), taken])

    def residuals(values):
        left = values - design @ np.linalg.lstsq(design, np.array(values), rcond=None)[0]
        return np.round(left, 9)  # equal scores of candidates that are alike are ties

    found = quickly(x, column(y), taken)
    assert found.partial_tau.value == pytest.approx(stats.kendalltau(residuals(x), residuals(y)).statistic)
    assert found.partial_spearman.value == pytest.approx(stats.spearmanr(residuals(x), residuals(y)).statistic)


@given(paired(), st.sampled_from([math.exp, math.atan, lambda v: v**3, lambda v: 5 * v - 7]))
def test_a_monotone_transform_changes_no_rank(series, transform):
    x, y = series
    before, after = quickly(x, column(y)), quickly([transform(value) for value in x], column(y))
    for name in ("tau", "spearman", "pairwise_accuracy"):
        assert getattr(after, name).to_dict() == pytest.approx(getattr(before, name).to_dict())
    assert after.regret == before.regret


@given(paired())
def test_the_other_sign_turns_all_around(series):
    x, y = series
    plus, minus = quickly(x, column(y)), quickly([-value for value in x], column(y))
    assert minus.tau.value == pytest.approx(-plus.tau.value)
    assert minus.spearman.value == pytest.approx(-plus.spearman.value)
    assert minus.pairwise_accuracy.value == pytest.approx(1 - plus.pairwise_accuracy.value)
    assert (minus.tau.low is None) == (plus.tau.high is None)
    if minus.tau.low is not None:
        assert (minus.tau.low, minus.tau.high) == pytest.approx((-plus.tau.high, -plus.tau.low))


@given(paired())
def test_a_series_agrees_with_itself_and_regrets_nothing(series):
    x, _ = series
    found = quickly(x, column(x))
    assert found.tau.value == found.spearman.value == found.pairwise_accuracy.value == pytest.approx(1)
    assert set(found.regret.values()) <= {0.0, None}


@given(paired(least=5), st.randoms(use_true_random=False))
def test_the_order_of_the_candidates_is_nothing(series, rng):
    x, y = series
    order = list(range(len(x)))
    rng.shuffle(order)
    before, after = quickly(x, column(y)), quickly([x[i] for i in order], [[y[i]] for i in order])
    assert after.tau.value == pytest.approx(before.tau.value)
    assert after.regret == pytest.approx(before.regret)


@given(paired())
def test_without_ties_the_share_is_half_of_one_and_tau(series):
    x, y = ([value + 0.01 * index for index, value in enumerate(values)] for values in series)
    found = quickly(x, column(y))
    assert found.pairwise_accuracy.value == pytest.approx((1 + found.tau.value) / 2)


@given(paired(least=5))
def test_what_is_missing_is_left_out(series):
    x, y = series
    found = quickly([*x, NAN, 3.0], [*column(y), [99.0], [NAN]])
    alone = quickly(x, column(y))
    assert (found.n, found.tau, found.spearman) == (alone.n, alone.tau, alone.spearman)


def test_a_series_that_is_constant_ranks_nothing():
    steady, moving = [0.5] * 6, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    for found in (quickly(steady, column(moving)), quickly(moving, column(steady))):
        assert (found.tau, found.spearman, found.pairwise_accuracy, found.noise_ceiling) == (None, None, None, None)
    assert quickly(steady, column(moving)).regret[1] == pytest.approx(0.6 - np.mean(moving))
    assert quickly(moving, column(steady)).regret == {1: 0, 3: 0, 5: 0}


def test_too_few_candidates_rank_nothing():
    assert quickly([1, 2, 3], column([1, 2, 3])).tau is None
    assert seeds_agree([]) is None
    empty = quickly([], [])
    assert (empty.n, empty.tau, empty.noise_ceiling, empty.regret) == (0, None, None, {1: None, 3: None, 5: None})
    assert quickly([NAN] * 5, column(range(5))).n == 0


def test_means_that_differ_by_rounding_tie():
    references = [[0.1, 0.2, 0.3], [0.3, 0.2, 0.1], [0.2, 0.3, 0.1], [0.1, 0.3, 0.2]]
    assert len({sum(row) for row in references}) > 1
    assert quickly([1, 2, 3, 4], references).tau is None


def test_a_score_that_is_size_alone_says_nothing_once_size_is_taken_out():
    size = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    references = column([0.1, 0.3, 0.2, 0.5, 0.4, 0.6, 0.8, 0.7])
    found = quickly([2 * value + 1 for value in size], references, column(size))
    assert found.tau.value > 0.7
    assert (found.partial_tau, found.partial_spearman) == (None, None)
    constant = quickly([1, 3, 2, 4, 5, 6, 8, 7], references, column([3.0] * 8))
    assert constant.partial_tau.value == pytest.approx(constant.tau.value)


def test_the_ceiling_of_two_seeds_is_their_correlation():
    rng = np.random.default_rng(3)
    truth = rng.normal(size=12)
    table = truth[:, None] + 0.3 * rng.normal(size=(12, 2))
    score = truth + 0.6 * rng.normal(size=12)
    ceiling = quickly(score, table).noise_ceiling
    assert ceiling.tau.value == pytest.approx(stats.kendalltau(*table.T).statistic)
    one, other = (stats.kendalltau(score, seed).statistic for seed in table.T)
    assert ceiling.score_tau.value == pytest.approx((one + other) / 2)
    assert ceiling.share_of_noise_ceiling == pytest.approx(ceiling.score_tau.value / ceiling.tau.value)
    assert ceiling.headroom.value == pytest.approx(ceiling.tau.value - ceiling.score_tau.value)
    assert seeds_agree(table).value == pytest.approx(ceiling.pairwise_accuracy.value)


def test_the_target_of_a_seed_is_the_mean_of_the_others():
    table = np.array([[1, 5, 2], [2, 1, 3], [3, 2, 7], [4, 6, 4], [6, 4, 5.5]], float)
    means = [np.delete(table, s, axis=1).mean(axis=1) for s in range(3)]
    ceiling = quickly([1, 2, 3, 4, 5], table).noise_ceiling
    expected = np.mean([stats.kendalltau(table[:, s], means[s]).statistic for s in range(3)])
    assert ceiling.tau.value == pytest.approx(expected)
    pairs = [stats.kendalltau(table[:, a], table[:, b]).statistic for a, b in ((0, 1), (0, 2), (1, 2))]
    assert seeds_agree(table).value == pytest.approx((1 + np.mean(pairs)) / 2)


def test_one_seed_has_no_ceiling_and_a_candidate_without_all_seeds_is_not_in_it():
    table = [[0.1, 0.2], [0.3, 0.1], [0.2, 0.4], [0.5, 0.6], [0.9, NAN]]
    assert quickly(range(5), column(range(5))).noise_ceiling is None
    assert quickly(range(5), table).n == 5
    assert quickly(range(5), table).noise_ceiling == quickly(range(4), table[:4]).noise_ceiling
    assert quickly(range(4), table[1:]).noise_ceiling is None
    assert seeds_agree(table[1:]) is None
    assert seeds_agree(column(range(5))) is None


def test_a_third_seed_of_a_few_takes_no_one_out_of_the_ceiling():
    """4 candidates of 3 seeds, then 16 of 2: the ceiling is that of two seeds and 16."""
    table = np.random.default_rng(5).normal(size=(16, 3))
    score, whole = table.mean(axis=1), table.copy()
    table[4:, 2] = NAN
    ceiling = quickly(score, table).noise_ceiling
    assert (ceiling.n, ceiling.seeds) == (16, 2)
    assert ceiling == quickly(score, table[:, :2]).noise_ceiling
    assert seeds_agree(table, resamples=20) == seeds_agree(table[:, :2], resamples=20)
    assert (quickly(score, whole).noise_ceiling.n, quickly(score, whole).noise_ceiling.seeds) == (16, 3)
    some = quickly(np.where(np.arange(16) < 4, score, NAN), table).noise_ceiling
    assert (some.n, some.seeds) == (4, 3)  # those that have a score have all


def test_where_nothing_varies_there_is_no_interval():
    found = quickly(range(6), [[value, value + 0.5] for value in range(6)])
    for estimate in (
        found.tau,
        found.spearman,
        found.pairwise_accuracy,
        found.noise_ceiling.tau,
        found.noise_ceiling.pairwise_accuracy,
    ):
        assert (estimate.value, estimate.low, estimate.high) == (pytest.approx(1), None, None)
    assert (found.noise_ceiling.headroom.value, found.noise_ceiling.headroom.low) == (pytest.approx(0), None)
    assert quickly([1, 2, 3, 4, 6, 5, 7, 8], column(range(8))).pairwise_accuracy.low is not None


@given(paired(), st.integers(0, 3))
def test_the_share_alone_is_that_of_the_whole_judgement(series, missing):
    x, y = series
    x[:missing] = [NAN] * missing
    assert pairwise_accuracy(x, column(y), resamples=20, seed=3) == quickly(x, column(y), seed=3).pairwise_accuracy


def test_references_that_disagree_have_no_share_of_the_ceiling():
    ceiling = quickly([1, 2, 3, 4], [[1, 4], [2, 3], [3, 2], [4, 1]]).noise_ceiling
    assert ceiling.tau.value == -1
    assert ceiling.share_of_noise_ceiling is None


@pytest.mark.parametrize(
    ("scores", "regret"),
    [
        ([1, 2, 3, 4, 5], {1: 0.4, 3: 0.2, 5: 0.0}),
        ([5, 4, 3, 2, 1], {1: 0.0, 3: 0.0, 5: 0.0}),
        ([0, 0, 0, 1, 1], {1: 0.35, 3: 0.1, 5: 0.0}),  # one half each; then a third each
    ],
)
def test_regret_by_hand(scores, regret):
    references = column([0.9, 0.8, 0.7, 0.6, 0.5])
    assert quickly(scores, references).regret == pytest.approx(regret)


def test_regret_counts_the_best_of_all_even_where_it_was_stopped_early():
    found = quickly([NAN, 1, 2, 3, 4], column([0.9, 0.5, 0.6, 0.7, 0.8]))
    assert found.regret == {1: pytest.approx(0.1), 3: pytest.approx(0.1), 5: None}


def test_intervals_hold_what_they_promise_and_hang_on_the_seed_alone():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(60):
        pair = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=24)
        tau = judge(pair[:, 0], pair[:, 1:], resamples=300).tau
        inside += tau.low <= 2 / math.pi * math.asin(0.6) <= tau.high
    assert inside >= 52  # of 60; Kendall's tau of a normal pair is 2 / pi asin(rho)
    assert judge(pair[:, 0], pair[:, 1:], seed=1) == judge(pair[:, 0], pair[:, 1:], seed=1)
    assert judge(pair[:, 0], pair[:, 1:], seed=1).tau.low != judge(pair[:, 0], pair[:, 1:], seed=2).tau.low


def test_many_candidates_are_judged_in_parts_of_the_resamples(monkeypatch):
    rng = np.random.default_rng(0)
    x, y, taken = rng.normal(size=20), rng.normal(size=(20, 1)), rng.normal(size=(20, 2))
    whole = judge(x, y, taken, resamples=50)
    monkeypatch.setattr("edgenext_search.search.ranking.agreement._CHUNK", 800)
    parts = judge(x, y, taken, resamples=50)
    assert parts.partial_tau.to_dict() == pytest.approx(whole.partial_tau.to_dict())
