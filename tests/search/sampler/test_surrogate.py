import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgenext_search.arch.spaces.parameter import Choice
from edgenext_search.arch.spaces.space import Space
from edgenext_search.search.sampler import surrogate as module
from edgenext_search.search.sampler.features import Features
from edgenext_search.search.sampler.surrogate import Surrogate

FEATURES = Features(Space.load("edgenext"))
RNG = np.random.default_rng


def observations(n, *, noise=0.1, seed=0):
    """Codes, and scores of two main effects and an interaction."""
    codes = FEATURES.random(n, RNG(seed))
    columns = FEATURES.columns(codes)
    truth = columns[:, 0] - columns[:, 4] + 0.5 * columns[:, 0] * columns[:, 8]
    return codes, 0.5 + 0.01 * (truth + noise * RNG(seed + 1).normal(size=n)), 0.5 + 0.01 * truth


def test_it_learns():
    codes, scores, _ = observations(120)
    unseen, _, truth = observations(100, seed=7)
    mean, std = Surrogate(FEATURES, codes, scores).mean_and_std(unseen)
    assert np.corrcoef(mean, truth)[0, 1] > 0.95
    assert (np.abs(mean - truth) < 3 * std).mean() > 0.9


def test_it_tells_noise_from_signal():
    silent, noisy = (Surrogate(FEATURES, *observations(120, noise=noise)[:2]).noise for noise in (0.02, 1.5))
    assert silent < 0.003
    assert noisy == pytest.approx(0.015, rel=0.4)


def test_a_field_that_acts_alike_in_all_stages_is_learned_from_fewer_scores():
    alone = Features(Space.load("edgenext"))
    alone.alike = np.eye(len(alone.owner))
    depths = [p.name.endswith("depth") for p in FEATURES.parameters]
    unseen = FEATURES.random(200, RNG(7))

    def truth(codes):
        return codes[:, depths].sum(axis=1)

    gains = []
    for seed in range(5):
        codes = FEATURES.random(40, RNG(seed))
        scores = truth(codes) + truth(unseen).std() * RNG(seed + 50).normal(size=40)
        together, apart = (Surrogate(f, codes, scores).mean(unseen) for f in (FEATURES, alone))
        gains.append(np.corrcoef(together, truth(unseen))[0, 1] - np.corrcoef(apart, truth(unseen))[0, 1])
    assert min(gains) > 0


def test_what_is_known_is_less_uncertain():
    codes, scores, _ = observations(60)
    surrogate = Surrogate(FEATURES, codes, scores)
    assert surrogate.mean_and_std(codes)[1].mean() < surrogate.mean_and_std(FEATURES.random(60, RNG(9)))[1].mean()


def test_covariance_and_deviation_agree():
    codes, scores, _ = observations(40)
    surrogate, points = Surrogate(FEATURES, codes, scores), FEATURES.random(30, RNG(3))
    mean, std = surrogate.mean_and_std(points)
    covariance = surrogate.covariance(points)
    assert np.allclose(np.sqrt(covariance.diagonal()), std, rtol=1e-4)
    assert np.linalg.eigvalsh(covariance).min() > -1e-9
    assert np.allclose(surrogate.mean(points), mean)


def test_the_order_of_observations_does_not_matter():
    codes, scores, _ = observations(50)
    shuffled = RNG(5).permutation(50)
    points = FEATURES.random(20, RNG(3))
    ours, others = (Surrogate(FEATURES, codes[o], scores[o]).mean(points) for o in (slice(None), shuffled))
    assert (ours == others).all()


@settings(max_examples=25)
@given(st.integers(1, 12), st.sampled_from([0.0, 1e-12, 1e-3, 1e6]), st.booleans(), st.integers(0, 1000))
def test_it_is_finite_whatever_the_scores(n, scale, repeat, seed):
    rng = RNG(seed)
    codes = FEATURES.random(n, rng)
    if repeat:
        codes[:] = codes[0]
    scores = 0.5 + scale * rng.normal(size=n)
    surrogate = Surrogate(FEATURES, codes, scores)
    mean, std = surrogate.mean_and_std(np.concatenate([codes, FEATURES.random(5, rng)]))
    assert np.isfinite(mean).all()
    assert np.isfinite(std).all()
    assert (std > 0).all()
    assert np.isfinite(surrogate.covariance(codes)).all()


def test_equal_scores_are_expected_everywhere():
    codes = FEATURES.random(20, RNG(0))
    assert np.allclose(Surrogate(FEATURES, codes, np.full(20, 0.7)).mean(FEATURES.random(9, RNG(1))), 0.7)


def test_the_gradient_is_that_of_the_loss():
    """Central differences of the marginal likelihood, in each hyperparameter."""
    codes, scores, _ = observations(30)
    columns, target = FEATURES.columns(codes), (scores - scores.mean()) / scores.std()
    parameters = len(FEATURES.parameters)
    x = RNG(0).normal(size=parameters + 6) * 0.3 - np.r_[np.full(parameters, 3.0), 1, 2, 0, 1, 0, 0]

    def loss(x):
        relevance = np.exp(x[:parameters] + x[-1])
        kernel = module._Kernel(relevance[FEATURES.owner], FEATURES.linear, FEATURES.alike, *np.exp(x[parameters:-1]))
        return module._loss(FEATURES, kernel, columns, target)

    steps = 1e-5 * np.eye(len(x))
    numeric = [(loss(x + step)[0] - loss(x - step)[0]) / 2e-5 for step in steps]
    assert loss(x)[1] == pytest.approx(numeric, abs=1e-5)


def test_the_projected_process_is_close_to_the_whole_one(monkeypatch):
    codes, scores, _ = observations(200)
    points = FEATURES.random(50, RNG(3))
    whole = Surrogate(FEATURES, codes, scores)
    monkeypatch.setattr(module, "SUPPORT", 100)
    part = Surrogate(FEATURES, codes, scores)
    assert np.corrcoef(whole.mean(points), part.mean(points))[0, 1] > 0.97


def test_many_observations_and_parameters():
    class Wide:
        parameters = tuple(Choice(name=f"stage{i}.x", values=tuple(range(1, 5))) for i in range(60))

    features = Features(Wide())
    codes = features.random(5000, RNG(0))
    scores = features.columns(codes)[:, 0] + RNG(1).normal(size=5000)
    points = features.random(300, RNG(2))
    mean = Surrogate(features, codes, scores).mean(points)
    assert np.corrcoef(mean, features.columns(points)[:, 0])[0, 1] > 0.9
