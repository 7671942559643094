from types import SimpleNamespace

import numpy as np
import pytest

from edgenext_search.arch.spaces.parameter import Choice, Interval
from edgenext_search.search.sampler.features import Features
from edgenext_search.search.sampler.front import non_dominated_ranks
from edgenext_search.search.sampler.scalarisation import next_codes

SQUARE = Features(
    SimpleNamespace(
        parameters=(
            Interval(name="pays", low=0.0, high=1.0),
            Interval(name="wastes", low=0.0, high=1.0),
            Choice(name="idle", values=(1, 2, 3)),
        )
    )
)


def cost_fn(codes):
    """What pays costs, and what wastes costs as much."""
    return codes[:, :1] + codes[:, 1:2]


def ask(n=8, *, seed=0, observed=30, order=1, cost_fn=cost_fn):
    codes = SQUARE.random(observed, np.random.default_rng(7))[::order]
    return next_codes(
        SQUARE, codes, codes[:, 0].copy(), cost_fn(codes), n=n, rng=np.random.default_rng(seed), cost_fn=cost_fn
    )


@pytest.mark.parametrize("n", [1, 8, 40])
def test_as_many_as_asked_all_new_and_different(n):
    codes = ask(n)
    assert codes.shape == (n, 3)
    seen = SQUARE.random(30, np.random.default_rng(7))
    assert len(np.unique(np.concatenate([codes, seen]), axis=0)) == n + 30


def test_the_arguments_decide_and_the_order_of_what_was_observed_does_not():
    assert (ask() == ask()).all()
    assert (ask(order=-1) == ask()).all()
    assert (ask(seed=1) != ask()).any()


def test_proposals_lie_along_the_front_and_waste_nothing():
    codes = ask(24)
    assert codes[:, 1].mean() < 0.1
    assert np.ptp(codes[:, 0]) > 0.6
    points = np.column_stack([-codes[:, 0], cost_fn(codes)[:, 0]])
    assert np.mean([rank == 0 for rank in non_dominated_ranks(points)]) > 0.3


def test_an_assignment_is_priced_once():
    asked = []

    def counted(codes):
        asked.extend(row.tobytes() for row in codes)
        return cost_fn(codes)

    ask(cost_fn=counted)
    given = [row.tobytes() for row in SQUARE.random(30, np.random.default_rng(7))]
    assert asked[:30] == given  # by this test itself
    assert len(set(asked[30:])) == len(asked[30:])


def test_a_cost_that_is_always_the_same_decides_nothing():
    codes = ask(24, cost_fn=lambda codes: np.zeros((len(codes), 1)))
    assert codes[:, 0].mean() > 0.8
