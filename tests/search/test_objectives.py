import math

import pytest
from study_builders import a_candidate

from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.errors import UserError
from edgenext_search.search.objectives import OBJECTIVES, check_objectives, check_tradeoff, costs_in, losses_of


def test_their_order_is_fixed():
    assert check_objectives(OBJECTIVES[::-1]) == list(OBJECTIVES)
    assert check_objectives(["madds", "accuracy"]) == ["accuracy", "madds"]
    assert check_objectives(["accuracy"]) == ["accuracy"]


@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        (
            ["accuracy", "speed"],
            "objectives are accuracy, params, madds, acts, memory, footprint, latency, but got 'speed'",
        ),
        (["accuracy", 3], "but got 3"),
        (["params", "madds"], "accuracy must be among the objectives, but got params, madds"),
        ([], "but got none"),
        (["accuracy", "accuracy"], "once, but got 'accuracy' twice in accuracy, accuracy"),
    ],
)
def test_what_are_no_objectives(objectives, message):
    with pytest.raises(ValueError, match=message):
        check_objectives(objectives)


@pytest.mark.parametrize(
    ("objectives", "caps", "fine"),
    [
        (["accuracy"], {"params": 1}, True),
        (["accuracy", "madds"], {"params": 1}, True),
        (["accuracy", "params"], {"params": 1}, False),
        (["accuracy", "params", "madds"], {"params": 1}, False),
        (["accuracy", "params"], {"params": 1, "madds": 1}, True),
        (["accuracy", "footprint"], {"memory": 1}, True),
        (["accuracy", "memory"], {"memory": 1}, False),
    ],
)
def test_the_only_capped_cost_is_nothing_to_trade(objectives, caps, fine):
    if fine:
        check_tradeoff(objectives, caps)
        return
    with pytest.raises(UserError, match=f"{next(iter(caps))} cannot be an objective .* Take another cost .* or cap"):
        check_tradeoff(objectives, caps)


def test_costs_and_losses():
    counted = cost(a_candidate(0), Deployment())
    assert costs_in(counted, ["accuracy"]) == ()
    assert costs_in(counted, ["accuracy", "acts", "footprint"]) == (counted.acts, counted.footprint)
    assert losses_of(0.75, (100, math.e)) == (-0.75, pytest.approx(math.log(100)), 1.0)
    assert losses_of(0.75, ()) == (-0.75,)
