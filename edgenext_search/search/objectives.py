"""What a study looks for: accuracy, alone or against costs that are to be small."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from edgenext_search.arch.cost import Cost
from edgenext_search.arch.metrics import COST_NAMES
from edgenext_search.errors import UserError

ACCURACY = "accuracy"
OBJECTIVES = (ACCURACY, *COST_NAMES)


def check_objectives(objectives: Sequence[str]) -> list[str]:
    """The same objectives, accuracy first and costs in the order of :data:`OBJECTIVES`: theirs decides nothing.

    Raises:
        ValueError: One is unknown or repeated, or accuracy is missing.
    """
    for name in objectives:
        if name not in OBJECTIVES:
            raise ValueError(f"objectives are {', '.join(OBJECTIVES)}, but got {name!r}")
        if list(objectives).count(name) > 1:
            raise ValueError(f"each objective must be given once, but got {name!r} twice in {', '.join(objectives)}")
    if ACCURACY not in objectives:
        raise ValueError(f"accuracy must be among the objectives, but got {', '.join(objectives) or 'none'}")
    return sorted(objectives, key=OBJECTIVES.index)


def check_tradeoff(objectives: Sequence[str], caps: Mapping[str, int]) -> None:
    """Refuse to trade accuracy for a cost that is the same for all candidates but for 5 %.

    Raises:
        UserError: The only capped cost is an objective; the message says which others there are.
    """
    if len(caps) == 1 and (name := next(iter(caps))) in objectives:
        others = ", ".join(cost for cost in COST_NAMES if cost != name)
        raise UserError(
            f"search.objectives: {name} cannot be an objective while the budget caps nothing else: every candidate is "
            f"scaled to 95 to 100 % of that cap, so there is nothing to trade. Take another cost ({others}), or cap "
            "another one."
        )


def costs_in(cost: Cost, objectives: Sequence[str]) -> tuple[int, ...]:
    """The costs among the objectives, in their order."""
    counts = cost.to_dict()
    return tuple(counts[name] for name in objectives if name != ACCURACY)


def losses_of(score: float, costs: Sequence[float]) -> tuple[float, ...]:
    """The objectives of a candidate as losses: the ranking score with its sign turned, costs by their logarithm.

    A cost counts in proportion: 10 % saved are as much for a small network as for a large one.
    """
    return -score, *(math.log(cost) for cost in costs)
