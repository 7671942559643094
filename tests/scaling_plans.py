"""Two small plans of scaling studies."""

from edgenext_search.arch.scaling import parse_budgets
from edgenext_search.arch.spaces.space import Space
from edgenext_search.scaling.plan import Plan

SPACE = Space.load("edgenext").to_dict()
STUDY = Plan(kind="study", budgets=tuple(parse_budgets("40k,60k")), shapes=4, seeds=2, spaces=(SPACE,))
COMPARISON = Plan(
    kind="compare",
    budgets=tuple(parse_budgets("60k")),
    shapes=4,
    seeds=1,
    spaces=(SPACE, Space.load("paper").to_dict()),
)
