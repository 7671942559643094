from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_builders import a_candidate, a_record

from edgenext_search.search.recipe import SearchKeys
from edgenext_search.search.store.records import Expected
from edgenext_search.search.study.finalists import (
    choose_finalists,
    choosing_seeds,
    fresh_seeds,
    front_of,
    rank_finalists,
    rematch_pairs,
    rematch_seeds,
)


def complete(number, score, **changes):
    return a_record(number, scores=(0.1, score), **changes)


TRIALS = [
    complete(0, 0.50),  # the baseline
    complete(1, 0.70),
    complete(2, 0.60),
    complete(3, 0.80),
    complete(4, 0.70),
    a_record(5, scores=(0.99,)),  # stopped
    a_record(6, scores=(0.1, 0.99), state="failed", reason="x"),
    complete(7, 0.80, duplicate_of=3),
    a_record(8, scores=(0.1, 0.95), state="open"),
]


@pytest.mark.parametrize(
    ("n", "chosen"),
    [(1, [3, 0]), (2, [3, 1, 0]), (3, [3, 1, 4, 0]), (5, [3, 1, 4, 2, 0]), (9, [3, 1, 4, 2, 0])],
)
def test_the_best_complete_trials_and_the_baseline(n, chosen):
    assert [trial.number for trial in choose_finalists(TRIALS, n)] == chosen


def test_what_all_trials_lead_to_expect_decides_and_the_luckiest_score_does_not():
    expected = {0: Expected(mean=0.5, std=0.01), 2: Expected(mean=0.75, std=0.01), 4: Expected(mean=0.75, std=0.2)}
    expected |= {1: Expected(mean=0.6, std=0.01), 3: Expected(mean=0.55, std=0.01), 5: Expected(mean=0.9, std=0.01)}
    assert TRIALS[2].cost.madds < TRIALS[4].cost.madds
    assert [trial.number for trial in choose_finalists(TRIALS, 3, expected)] == [2, 4, 1, 0]
    (finalist,) = rank_finalists([TRIALS[2]], {}, expected, seeds=[1])
    assert (finalist.search_score, finalist.expected) == (0.6, expected[2])


def test_a_baseline_that_failed_is_no_finalist():
    failed = a_record(0, scores=(), state="failed", reason="x")
    assert [trial.number for trial in choose_finalists([failed, *TRIALS[1:]], 2)] == [3, 1]
    assert choose_finalists([failed], 3) == []


def test_fresh_scores_decide_and_the_searchs_do_not():
    chosen = choose_finalists(TRIALS, 2)
    rescores = {
        (chosen[0].candidate.fingerprint, 1): 0.4,
        (chosen[0].candidate.fingerprint, 2): 0.5,
        (chosen[1].candidate.fingerprint, 1): 0.6,
        (chosen[1].candidate.fingerprint, 2): "killed",
        (chosen[2].candidate.fingerprint, 1): 0.55,
        ("a stranger", 1): 0.99,
    }
    ranked = rank_finalists(chosen, rescores, seeds=[1, 2])
    assert [finalist.trial for finalist in ranked] == [1, 0, 3]
    assert (ranked[2].score.mean, ranked[2].score.n) == (pytest.approx(0.45), 2)
    assert ranked[2].score.std == pytest.approx(0.0707107)
    assert (ranked[0].score.n, ranked[0].score.std, ranked[0].search_score) == (1, None, 0.7)
    assert [finalist.fresh_seeds for finalist in ranked] == [1, 1, 2]
    (young, *_) = rank_finalists(chosen, {}, seeds=[1, 2])
    assert (young.score.n, young.fresh_seeds) == (1, 0)


def test_the_rematch_chooses_nothing():
    chosen = choose_finalists(TRIALS, 2)
    results = [[(1, 0.6), (7, 0.1), (8, 0.2)], [(1, 0.5), (7, 0.9), (8, "killed")], [(1, 0.4)]]
    rescores = {
        (trial.candidate.fingerprint, seed): score
        for trial, found in zip(chosen, results, strict=True)
        for seed, score in found
    }
    ranked = rank_finalists(chosen, rescores, seeds=[1])
    assert [finalist.score.mean for finalist in ranked] == [0.6, 0.5, 0.4]
    assert rematch_pairs(ranked, rescores, seeds=[1]) == []  # the baseline has no such score
    rescores |= {(chosen[2].candidate.fingerprint, seed): score for seed, score in ((8, 0.3), (7, 0.4), (9, 0.5))}
    assert rematch_pairs(ranked, rescores, seeds=[1]) == [(0.1, 0.4), (0.2, 0.3)]
    assert rematch_pairs(ranked[2:], rescores, seeds=[1]) == []  # the baseline has won


def test_the_seeds_of_the_rematch_come_after_those_that_choose():
    search = SearchKeys(seed=3, rescore_seeds=2, rematch_seeds=4)
    assert [*choosing_seeds(search), *rematch_seeds(search)] == fresh_seeds(3, 6)
    assert rematch_seeds(SearchKeys(rematch_seeds=0)) == []


def test_without_fresh_scores_the_searchs_stand():
    ranked = rank_finalists(choose_finalists(TRIALS, 2), {}, seeds=[1])
    assert [(finalist.trial, finalist.score.mean) for finalist in ranked] == [(3, 0.8), (1, 0.7), (0, 0.5)]
    assert {finalist.score.n for finalist in ranked} == {1}


def test_of_equal_means_the_cheaper_wins_then_the_earlier():
    equal = [complete(number, 0.5, candidate=a_candidate(11 - number)) for number in (2, 10, 5)]
    ranked = rank_finalists(equal, {}, seeds=[1])
    madds = [finalist.cost.madds for finalist in ranked]
    assert madds == sorted(madds)
    assert len(set(madds)) == 3
    twins = [complete(number, 0.5, candidate=equal[0].candidate) for number in (4, 3)]
    assert [finalist.trial for finalist in rank_finalists(twins, {}, seeds=[1])] == [3, 4]


# Several objectives: the higher the number of a candidate's first width, the more it costs.


def sized(number, score, size, **changes):
    return complete(number, score, candidate=a_candidate(size), **changes)


FRONT = [
    sized(0, 0.50, 5),  # the baseline
    sized(1, 0.40, 0),  # cheapest
    sized(2, 0.60, 4),
    sized(3, 0.80, 9),  # best
    sized(4, 0.79, 8),
    sized(5, 0.60, 6),  # 2 is as good for less
]
BOTH = ("accuracy", "params")


@pytest.mark.parametrize(
    ("n", "chosen"),
    [(1, [3, 0]), (2, [3, 1, 0]), (3, [3, 2, 1, 0]), (4, [3, 4, 2, 1, 0]), (6, [3, 4, 2, 5, 0, 1])],
)
def test_finalists_of_several_objectives_are_spread_over_the_front(n, chosen):
    assert [trial.number for trial in choose_finalists(FRONT, n, None, BOTH)] == chosen


def test_what_is_expected_decides_the_front_too():
    expected = {trial.number: Expected(mean=trial.score, std=0.01) for trial in FRONT}
    expected[4] = Expected(mean=0.9, std=0.01)
    assert [trial.number for trial in choose_finalists(FRONT, 2, expected, BOTH)] == [4, 1, 0]


def test_the_front_is_what_no_finalist_dominates_by_fresh_scores():
    fresh = {0: 0.55, 1: 0.45, 2: 0.44, 3: 0.80, 4: 0.82}
    rescores = {(FRONT[number].candidate.fingerprint, 1): score for number, score in fresh.items()}
    ranked = rank_finalists(FRONT[:5], rescores, None, BOTH, seeds=[1])
    assert [finalist.trial for finalist in ranked] == [4, 3, 0, 1, 2]
    assert [finalist.trial for finalist in front_of(ranked, BOTH)] == [4, 0, 1]
    assert front_of(ranked, ("accuracy",)) == ranked[:1]
    assert front_of([], BOTH) == front_of([], ("accuracy",)) == []


def test_a_finalist_without_fresh_scores_is_on_no_front_but_where_none_has_any():
    some = rank_finalists(FRONT[:4], {(FRONT[0].candidate.fingerprint, 1): 0.5}, None, BOTH, seeds=[1])
    assert [finalist.trial for finalist in front_of(some, BOTH)] == [0]
    none = rank_finalists(FRONT[:4], {}, None, BOTH, seeds=[1])
    assert [finalist.trial for finalist in front_of(none, BOTH)] == [3, 2, 1]


def test_of_equal_means_the_winner_is_the_one_on_the_front():
    cheap, wide = sized(1, 0.5, 3), sized(2, 0.5, 4)
    wide = replace(wide, cost=replace(wide.cost, madds=1))
    ranked = rank_finalists([wide, cheap], {}, None, BOTH, seeds=[1])
    assert [finalist.trial for finalist in ranked] == [1, 2]
    assert front_of(ranked, BOTH) == ranked[:1]
    assert [finalist.trial for finalist in rank_finalists([wide, cheap], {}, seeds=[1])] == [2, 1]


@given(st.integers(0, 2**31), st.integers(1, 50))
def test_fresh_seeds_are_fresh(seed, n):
    seeds = fresh_seeds(seed, n)
    assert len(set(seeds)) == n
    assert seed not in seeds
    assert fresh_seeds(seed, n + 1)[:n] == seeds
