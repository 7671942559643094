import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from study_builders import MANY_DUPLICATES

from edgenext_search.arch.spaces.space import Space
from edgenext_search.search.sampler.acquisition import next_codes
from edgenext_search.search.sampler.features import Features

FEATURES = Features(Space.load("edgenext"))
RNG = np.random.default_rng


def additive(codes):
    """A sum of main effects; shape (len(codes),)."""
    columns = FEATURES.columns(codes)
    return columns @ np.linspace(-1, 1, columns.shape[1])


@settings(max_examples=10)
@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 100))
def test_proposals_are_new_and_different(observed, n, seed):
    codes = FEATURES.random(observed, RNG(seed))
    asked = next_codes(FEATURES, codes, additive(codes), n, RNG(seed))
    assert asked.shape == (n, len(FEATURES.parameters))
    rows = {row.tobytes() for row in asked}
    assert len(rows) == n
    assert not rows & {row.tobytes() for row in codes}


def test_a_space_that_is_used_up():
    features = Features(Space.from_dict(MANY_DUPLICATES))
    codes = features.random(60, RNG(0))
    assert len(np.unique(codes, axis=0)) == 8
    assert next_codes(features, codes, codes.sum(axis=1), 5, RNG(0)).shape == (5, 3)


def test_the_first_proposal_has_the_best_expected_score():
    codes = FEATURES.random(60, RNG(0))
    asked = next_codes(FEATURES, codes, additive(codes), 8, RNG(0))
    values = additive(asked)
    assert values[0] > additive(codes).max()
    assert values[0] > values[1:4].mean()


def test_better_than_random_on_an_additive_landscape():
    """The chosen of 48 noisy evaluations, in five searches of fixed seeds."""
    gains = []
    for seed in range(5):
        rng = RNG(seed)
        drawn = FEATURES.random(48, rng)
        codes = drawn[:8]
        scores = additive(codes) + rng.normal(size=8)
        while len(codes) < 48:
            new = next_codes(FEATURES, codes, scores, 8, rng)
            codes = np.concatenate([codes, new])
            scores = np.concatenate([scores, additive(new) + rng.normal(size=8)])
        gains.append(additive(codes[-8:]).mean() - additive(drawn).max())
    assert min(gains) > 0
