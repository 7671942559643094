from collections import Counter

import pytest
from strategies import seeded

from edgenext_search.arch.spaces.parameter import Choice, Interval
from edgenext_search.errors import UserError

KERNELS = Choice(name="stage1.kernel_size", values=(3, 5, 7, 9))
DEPTHS = Choice(name="depth", values=((2, 2, 6, 2), (3, 3, 9, 3)))
FLAG = Choice(name="stage2.pos_emb", values=(False, True))
RATIO = Interval(name="stage2.width_ratio", low=1.0, high=3.0)


def test_a_choice_is_drawn_uniformly_from_its_seed():
    rng = seeded(0)
    drawn = [KERNELS.sample(rng) for _ in range(4000)]
    counts = Counter(drawn)
    assert set(counts) == {3, 5, 7, 9}
    assert all(850 < count < 1150 for count in counts.values())  # 1000 each, five standard deviations are 137
    rng = seeded(0)
    assert [KERNELS.sample(rng) for _ in range(4000)] == drawn


def test_an_interval_is_drawn_uniformly_from_its_seed():
    rng = seeded(0)
    drawn = [RATIO.sample(rng) for _ in range(4000)]
    assert 1.0 <= min(drawn) < 1.01
    assert 2.99 < max(drawn) <= 3.0
    assert sum(drawn) / 4000 == pytest.approx(2.0, abs=0.05)
    assert RATIO.sample(seeded(0)) == drawn[0]


@pytest.mark.parametrize(
    ("parameter", "given", "checked"),
    [
        (KERNELS, 5, 5),
        (DEPTHS, [3, 3, 9, 3], (3, 3, 9, 3)),  # as JSON has it
        (DEPTHS, (2, 2, 6, 2), (2, 2, 6, 2)),
        (FLAG, True, True),
        (RATIO, 2, 2.0),
        (RATIO, 1.0, 1.0),
        (RATIO, 3.0, 3.0),
    ],
)
def test_accepts_its_own_values(parameter, given, checked):
    value = parameter.check(given)
    assert value == checked
    assert type(value) is type(checked)


@pytest.mark.parametrize(
    ("parameter", "given", "message"),
    [
        (KERNELS, 4, r"stage1\.kernel_size must be one of \[3, 5, 7, 9\], but got 4"),
        (KERNELS, "5", r"must be one of \[3, 5, 7, 9\], but got '5'"),
        (Choice(name="x", values=(0, 1)), True, r"x must be one of \[0, 1\], but got True"),
        (FLAG, 1, r"must be one of \[False, True\], but got 1"),
        (DEPTHS, [2, 2, 6], r"but got \(2, 2, 6\)"),
        (RATIO, 0.99, r"stage2\.width_ratio must be a number in \[1, 3\], but got 0\.99"),
        (RATIO, 3.01, "but got 3.01"),
        (RATIO, float("nan"), "but got nan"),
        (RATIO, True, "but got True"),
        (RATIO, "2", "but got '2'"),
    ],
)
def test_refuses_other_values(parameter, given, message):
    with pytest.raises(UserError, match=message):
        parameter.check(given)


@pytest.mark.parametrize(
    ("parameter", "wanted", "nearest"),
    [
        (KERNELS, 7, 7),
        (KERNELS, 11, 9),
        (KERNELS, 1, 3),
        (KERNELS, 4, 3),  # the first of equals
        (DEPTHS, (3, 3, 9, 3), (3, 3, 9, 3)),
        (DEPTHS, (3, 3, 8, 3), (3, 3, 9, 3)),
        (DEPTHS, (1, 1, 1, 1), (2, 2, 6, 2)),
        (Choice(name="heads", values=(4, 8)), (4, 8, 8, 8), 8),  # one value for all stages: the closest to most
        (Choice(name="heads", values=(4, 8)), (4, 4, 4, 8), 4),
        (FLAG, True, True),
        (Choice(name="norm_act", values=("bn_hs", "ln_gelu")), "ln_gelu", "ln_gelu"),
        (Choice(name="norm_act", values=("bn_hs", "other")), "ln_gelu", "bn_hs"),
        (RATIO, 1.7, 1.7),
        (RATIO, 0.2, 1.0),
        (RATIO, 7, 3.0),
        (RATIO, (2.0, 1.0, 2.0, 3.0), 2.0),
    ],
)
def test_nearest(parameter, wanted, nearest):
    assert parameter.nearest(wanted) == nearest


@pytest.mark.parametrize(("value", "goal", "step"), [(3, 9, 5), (9, 3, 7), (5, 7, 7), (7, 7, 7)])
def test_one_step_toward(value, goal, step):
    assert KERNELS.toward(value, goal) == step
