import pytest
from study_builders import MANY_DUPLICATES

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.scaling import parse_budgets
from edgenext_search.arch.shape import Shape
from edgenext_search.arch.spaces.space import Space
from edgenext_search.errors import UserError
from edgenext_search.scaling.plan import Plan, entries

SPACE = Space.load("edgenext").to_dict()
PAPER = Space.load("paper").to_dict()
WHERE = Deployment(num_classes=10, img_size=64)


def study(budgets="60k,120k,240k", shapes=6, seeds=2, space=SPACE):
    return Plan(kind="study", budgets=tuple(parse_budgets(budgets)), shapes=shapes, seeds=seeds, spaces=(space,))


def comparison(n=6, budget="100k", spaces=(SPACE, PAPER)):
    return Plan(kind="compare", budgets=(Budget.parse(budget),), shapes=n, seeds=1, spaces=spaces)


def test_shapes_are_the_same_in_all_budgets_and_fill_them():
    plan = study()
    found = entries(plan, WHERE, seed=3)
    assert len(found) == 18
    assert found == entries(plan, WHERE, seed=3) != entries(plan, WHERE, seed=4)
    assert found[0].origin == "edgenext_xx_small"
    for shape in range(6):
        sizes = [entry for entry in found if entry.shape == shape]
        assert [entry.budget for entry in sizes] == [0, 1, 2]
        forms = {
            tuple(getattr(Shape.of(e.candidate), name) for name in ("depths", "kernel_sizes", "sdta_blocks", "heads"))
            for e in sizes
        }
        assert len(forms) == 1
        for entry in sizes:
            assert entry.cost == cost(entry.candidate, WHERE)
            assert 0.9 < plan.budgets[entry.budget].usage(entry.cost) <= 1
    assert len({entry.candidate for entry in found}) == 18


def test_more_shapes_begin_with_the_same_ones():
    few, more = (entries(study(shapes=n), WHERE, seed=0) for n in (5, 8))
    assert more[: len(few)] == few


def test_random_candidates_of_two_spaces():
    found = entries(comparison(), WHERE, seed=0)
    assert len(found) == 12
    for place in range(2):
        of_space = [entry for entry in found if entry.space == place]
        assert len({entry.candidate for entry in of_space}) == 6
        assert [entry.shape for entry in of_space] == [*range(6)]
        assert all(entry.cost.params <= 100_000 for entry in of_space)


def test_a_plan_is_read_back_as_it_was():
    for plan in (study(), comparison()):
        assert Plan.from_dict(plan.to_dict()) == plan


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: study(shapes=3), "--shapes must be >= 4, but got 3"),
        (lambda: study(seeds=0), "--seeds must be >= 1, but got 0"),
        (lambda: study("60k"), "at least 2 --budgets"),
        (lambda: study("latency=5ms;latency=10ms"), "the same on every device, but got latency=5ms.*--profile"),
        (lambda: comparison(n=2), "--n must be >= 4"),
        (lambda: comparison(spaces=(SPACE, SPACE)), "The two spaces are the same, 'edgenext'"),
        (lambda: entries(study("1k,100k"), WHERE, seed=0), "cannot be reached"),
        (lambda: entries(study("60k,120k", space=MANY_DUPLICATES, shapes=40), WHERE, seed=0), "shapes that fit all"),
        (lambda: entries(comparison(40, spaces=(MANY_DUPLICATES, SPACE)), WHERE, seed=0), "--n is 40"),
    ],
)
def test_plans_that_say_nothing_or_cannot_be(make, message):
    with pytest.raises(UserError, match=message):
        make()
