import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_builders import MANY_DUPLICATES, Lab, a_recipe

from edgenext_search.arch.spaces.space import Space
from edgenext_search.search.sampler.propose import Observation
from edgenext_search.search.study.expectation import expectations, expected_scores

EDGENEXT = Space.load("edgenext")


def truth(values):
    return 0.5 + 0.002 * (values["stage3.depth"] + values["expand_ratio"] + values["stage2.width_ratio"])


def some(n, *, noise, seed=0):
    rng = random.Random(seed)
    drawn = [EDGENEXT.draw(rng) for _ in range(n)]
    return [Observation(values=values, score=truth(values) + rng.gauss(0, noise)) for values in drawn]


def test_nothing_observed_nothing_expected():
    assert expected_scores(EDGENEXT, []) == []


def test_one_score_is_what_is_expected():
    (expected,) = expected_scores(EDGENEXT, some(1, noise=0))
    assert expected.mean == pytest.approx(truth(some(1, noise=0)[0].values))
    assert expected.std > 0


def test_the_luckiest_is_not_the_best():
    """With noise of twice the spread, what is expected is nearer to the truth than the scores are."""
    observed = some(96, noise=0.015)
    true = np.array([truth(o.values) for o in observed])
    expected = np.array([e.mean for e in expected_scores(EDGENEXT, observed)])
    scores = np.array([o.score for o in observed])
    assert np.corrcoef(expected, true)[0, 1] > np.corrcoef(scores, true)[0, 1] + 0.1
    assert ((expected - true) ** 2).mean() < ((scores - true) ** 2).mean() / 2


@given(st.randoms(use_true_random=False))
def test_each_gets_its_own_whatever_the_order(rng):
    observed = some(12, noise=0.005)
    order = list(range(12))
    rng.shuffle(order)
    straight = expected_scores(EDGENEXT, observed)
    mixed = expected_scores(EDGENEXT, [observed[i] for i in order])
    for index, expected in zip(order, mixed, strict=True):
        assert expected.mean == pytest.approx(straight[index].mean, abs=1e-12)


def test_of_a_study():
    lab = Lab(a_recipe(space=MANY_DUPLICATES, trials=9, cohort=5))
    lab.run()
    expected = expectations(lab.store(), lab.recipe)
    first = [trial.number for trial in lab.trials() if trial.duplicate_of is None and trial.score is not None]
    assert list(expected) == first
    assert len(first) < 9
    finalists = lab.finalists()
    assert {f.trial: f.expected for f in finalists} == {f.trial: expected[f.trial] for f in finalists}
    assert finalists[0].to_dict()["expected"] == expected[finalists[0].trial].to_dict()
