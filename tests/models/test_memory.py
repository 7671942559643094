import pytest
from strategies import random_candidate, seeded

from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.published import published_variants
from edgenext_search.models.memory import measure_memory


def _same(n, seed):
    rng = seeded(seed)
    for _ in range(n):
        candidate = random_candidate(rng, max_depth=2)
        deployment = Deployment(num_classes=rng.randint(1, 1000), img_size=rng.randint(32, 128))
        assert cost(candidate, deployment).memory == measure_memory(candidate, deployment), (candidate, deployment)


def test_closed_form_equals_the_live_tensors_of_five_networks():
    _same(5, seed=0)


@pytest.mark.slow
def test_closed_form_equals_the_live_tensors_of_twenty_networks():
    _same(20, seed=1)


@pytest.mark.parametrize("name", ["edgenext_xx_small", "edgenext_xx_small_bn_hs"])
def test_closed_form_equals_the_live_tensors_of_a_published_network(name):
    deployment = Deployment(img_size=160)
    candidate = published_variants()[name].candidate
    assert cost(candidate, deployment).memory == measure_memory(candidate, deployment)
