import random

import pytest

import edgenext_search as es
from edgenext_search.arch.projection import Projection
from edgenext_search.arch.spaces.space import Space

SPACE = es.load_space()


@pytest.mark.parametrize("budget", ["1.3M", es.Budget.parse("params=1.3M,madds=200M")])
def test_samples_hold_the_budget(budget):
    caps = es.Budget.parse("1.3M") if isinstance(budget, str) else budget
    drawn = [SPACE.sample(budget, seed=seed) for seed in range(5)]
    assert all(0.95 <= caps.usage(es.cost(candidate)) <= 1 for candidate in drawn)
    assert len(set(drawn)) == 5
    assert drawn[3] == SPACE.sample(budget, seed=3)


def test_the_deployment_counts():
    deployment = es.Deployment(num_classes=10, img_size=96)
    candidate = SPACE.sample("params=500k,madds=20M", deployment=deployment)
    assert es.cost(candidate, deployment).madds <= 20_000_000
    assert candidate != SPACE.sample("params=500k,madds=20M")


def test_a_published_shape_is_scaled_as_in_a_run():
    projection = Projection(Space.load("edgenext"), es.Budget.parse("1.3M"), es.Deployment())
    expected = projection.published(projection.nearest_published()[0])
    assert SPACE.scaled("edgenext_xx_small", "1.3M") == expected
    assert SPACE.scaled(es.load_candidate("edgenext_xx_small"), "1.3M") == expected
    assert SPACE.sample("1.3M", seed=4) == projection.candidate(SPACE.draw(random.Random(4)))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: es.load_space("nowhere"), "nowhere"),
        (lambda: SPACE.sample("a lot"), "a lot"),
        (lambda: SPACE.sample("10k"), "cannot be reached"),
        (lambda: SPACE.scaled("edgenext", "1.3M"), "no published variant"),
    ],
)
def test_what_cannot_be_used_is_one_message(call, words):
    with pytest.raises(es.UserError, match=words):
        call()
