import random
import statistics
import warnings
from collections import Counter

import optuna
import pytest
from hypothesis import given
from strategies import assignments
from study_builders import MANY_DUPLICATES

from edgenext_search.arch.spaces.space import Space
from edgenext_search.search.sampler.propose import Observation, decode, distributions, encode, propose

EDGENEXT, PAPER = Space.load("edgenext"), Space.load("paper")
SAMPLERS = ("bayes", "gp", "tpe", "nsga2", "random")


def with_ratio(domain):
    """The small space with another domain of the second stage's width ratio."""
    stages = [dict(stage) for stage in MANY_DUPLICATES["stages"]]
    stages[1]["width_ratio"] = domain
    return Space.from_dict({**MANY_DUPLICATES, "stages": stages})


LINE = with_ratio({"min": 1.0, "max": 3.0})
KINDS = Space.from_dict(
    {
        **MANY_DUPLICATES,
        "expand_ratio": [4, 2, 3],
        "stages": [
            {"depth": 1, "kernel_size": [3, 5, 9], "sdta_blocks": 0},
            {
                "width_ratio": {"min": 1, "max": 3},
                "depth": 1,
                "kernel_size": 3,
                "sdta_blocks": 1,
                "pos_emb": [True, False],
            },
            {"width_ratio": [1, 1.5, 2], "depth": {"min": 1, "max": 7, "step": 3}, "kernel_size": 3, "sdta_blocks": 0},
            {"width_ratio": [1, 1.1, 3], "depth": 1, "kernel_size": 3, "sdta_blocks": 0},
        ],
    }
)


def some(space, count, *, score=lambda values: 0.5, seed=0, cost_fn=lambda values: ()):
    rng = random.Random(seed)
    drawn = [space.draw(rng) for _ in range(count)]
    return [Observation(values=values, score=score(values), costs=cost_fn(values)) for values in drawn]


def ask(space, observed=(), n=4, *, sampler="gp", startup=4, seed=0, cost_fn=None):
    return propose(space, observed, n, sampler=sampler, startup=startup, seed=seed, cost_fn=cost_fn)


def deep(values):
    """A score that grows with the depth of stage 3, up to 1."""
    return values["stage3.depth"] / 12


def cost_fn(values):
    """Two costs: one that grows with the depth that pays, one that has nothing to do with it."""
    return 10 * values["stage3.depth"] ** 2, 100 + sum(values["stage4.kernel_size"] for _ in range(3))


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("observed", [0, 1, 5])
def test_every_sampler_proposes_legal_assignments(sampler, observed):
    for space in (EDGENEXT, PAPER):
        seen = some(space, observed, score=lambda values: random.Random(str(values)).random())
        proposals = ask(space, seen, 1, sampler=sampler)
        assert len(proposals) == 1
        for values in proposals:
            assert values.keys() == {parameter.name for parameter in space.parameters}
            assert {p.name: p.check(values[p.name]) for p in space.parameters} == values
            space.shape(values)


def test_none_asked_none_given():
    assert ask(EDGENEXT, n=0) == []


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_scores_that_say_nothing(sampler):
    """Equal scores, points that repeat, and a space that is used up."""
    same = some(LINE, 1)[0]
    assert len(ask(LINE, [same] * 9, sampler=sampler)) == 4
    space = Space.from_dict(MANY_DUPLICATES)
    assert len(ask(space, some(space, 30), 10, sampler=sampler)) == 10


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_space_without_anything_to_vary(sampler):
    fixed = Space.from_dict(
        {**MANY_DUPLICATES, "stages": [{**stage, "kernel_size": 3, "depth": 1} for stage in MANY_DUPLICATES["stages"]]}
    )
    assert fixed.parameters == ()
    assert ask(fixed, some(fixed, 6), 2, sampler=sampler) == [{}, {}]


@pytest.mark.parametrize("sampler", ["bayes", "gp", "tpe"])
@pytest.mark.parametrize("top", [1.2, 2.6])
def test_a_model_learns_where_the_hill_is(sampler, top):
    observed = some(LINE, 24, score=lambda values: 1 - (values["stage2.width_ratio"] - top) ** 2)
    ratios = [values["stage2.width_ratio"] for values in ask(LINE, observed, 6, sampler=sampler)]
    assert statistics.fmean(abs(ratio - top) for ratio in ratios) < 0.4


@pytest.mark.parametrize("sampler", ["bayes", "gp"])
def test_proposals_of_one_cohort_spread_out(sampler):
    """Each proposal stays pending while the next is made."""
    proposals = ask(LINE, some(LINE, 5, score=deep), 3, sampler=sampler)
    assert len({str(values) for values in proposals}) == 3


def test_bayes_does_not_care_in_which_order_it_observed():
    observed = some(EDGENEXT, 12, score=deep)
    assert ask(EDGENEXT, observed[::-1], sampler="bayes") == ask(EDGENEXT, observed, sampler="bayes")


def test_nsga2_breeds():
    """It finds its generations: its children inherit what all good parents share."""
    observed = some(EDGENEXT, 40, score=deep)
    depths = [values["stage3.depth"] for values in ask(EDGENEXT, observed, 24, sampler="nsga2", startup=20)]
    drawn = [values["stage3.depth"] for values in ask(EDGENEXT, observed, 24, sampler="random", startup=20)]
    assert statistics.fmean(depths) > statistics.fmean(drawn) + 1


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize(("observed", "objectives"), [(5, 1), (0, 3), (3, 3), (5, 3)])
def test_the_arguments_alone_decide(sampler, observed, objectives):
    """Optuna's Gaussian process is slow, so that it gets a small space, in which two seeds may end in one corner."""
    space, priced = LINE if sampler == "gp" else EDGENEXT, cost_fn if objectives == 3 else None
    seen = some(space, observed, score=deep, cost_fn=priced or (lambda _: ()))
    first = ask(space, seen, 2, sampler=sampler, cost_fn=priced)
    assert [len(space.shape(values).depths) for values in first] == [4, 4]
    random.seed(99)
    assert ask(space, seen, 2, sampler=sampler, cost_fn=priced) == first
    assert sampler == "gp" or ask(space, seen, 2, sampler=sampler, cost_fn=priced, seed=1) != first


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_equal_costs_and_scores_that_say_nothing(sampler):
    seen = some(LINE, 1, cost_fn=lambda _: (7,)) * 9
    assert len(ask(LINE, seen, 2, sampler=sampler, cost_fn=lambda _: (7,))) == 2
    space = Space.from_dict(MANY_DUPLICATES)
    assert len(ask(space, some(space, 30, cost_fn=lambda _: (7,)), 2, sampler=sampler, cost_fn=lambda _: (7,))) == 2


def test_a_front_is_looked_for_all_along_it():
    """Where depth alone pays and alone costs, every depth is on the front: none is looked for more than others."""
    seen = some(EDGENEXT, 40, score=deep, cost_fn=cost_fn)
    depths = [values["stage3.depth"] for values in ask(EDGENEXT, seen, 24, sampler="bayes", cost_fn=cost_fn)]
    assert max(depths) - min(depths) >= 6
    kernels = [values["stage4.kernel_size"] for values in ask(EDGENEXT, seen, 24, sampler="bayes", cost_fn=cost_fn)]
    drawn = [observation.values["stage4.kernel_size"] for observation in seen]
    assert statistics.fmean(kernels) < statistics.fmean(drawn) - 1  # it costs, and pays nothing
    alone = ask(EDGENEXT, some(EDGENEXT, 40, score=deep), 24, sampler="bayes")
    assert statistics.fmean(values["stage3.depth"] for values in alone) > statistics.fmean(depths) + 1


@given(assignments(EDGENEXT))
def test_encoding_goes_back_and_forth(values):
    assert decode(EDGENEXT, encode(EDGENEXT, values)) == values


@given(assignments(PAPER))
def test_encoding_of_choices_for_all_stages_goes_back_and_forth(values):
    encoded = encode(PAPER, values)
    assert all(isinstance(value, (bool, int, float, str)) for value in encoded.values())
    assert decode(PAPER, encoded) == values


@given(assignments(KINDS))
def test_encoding_of_choices_of_every_kind_goes_back_and_forth(values):
    back = decode(KINDS, encode(KINDS, values))
    assert back == values
    assert {name: type(value) for name, value in back.items()} == {name: type(value) for name, value in values.items()}


@given(assignments(KINDS))
def test_what_is_encoded_is_in_the_distribution(values):
    encoded = encode(KINDS, values)
    for name, distribution in distributions(KINDS).items():
        assert distribution._contains(distribution.to_internal_repr(encoded[name]))


def test_numbers_in_even_steps_are_ordered_and_others_are_categories():
    kinds = {name: type(distribution).__name__ for name, distribution in distributions(KINDS).items()}
    assert kinds == {
        "expand_ratio": "CategoricalDistribution",  # 4, 2, 3
        "stage1.kernel_size": "CategoricalDistribution",  # 3, 5, 9
        "stage2.width_ratio": "FloatDistribution",
        "stage2.pos_emb": "CategoricalDistribution",
        "stage3.width_ratio": "FloatDistribution",
        "stage3.depth": "IntDistribution",
        "stage4.width_ratio": "CategoricalDistribution",
    }
    heads = distributions(EDGENEXT)["stage2.heads"]
    assert heads == optuna.distributions.IntDistribution(4, 8, step=4)


@pytest.mark.parametrize("step", [0.05, 0.1, 0.3, 0.25, 1 / 3, 0.7])
@pytest.mark.parametrize("high", [1.7, 2.9, 3.0])
def test_steps_that_are_no_binary_fractions(step, high):
    """1 + 7 * 0.1 is 1.7000000000000002: neither Optuna nor the space may stumble over it."""
    space = with_ratio({"min": 1.0, "max": high, "step": step})
    (parameter,) = [p for p in space.parameters if p.name == "stage2.width_ratio"]
    every = [{**some(space, 1)[0].values, parameter.name: value} for value in parameter.values]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        domains = distributions(space)
        assert [decode(space, encode(space, values)) for values in every] == every
        for values in every:
            optuna.trial.create_trial(params=encode(space, values), distributions=domains, value=0.0)
    drawn = ask(space, [Observation(values=values, score=0.1) for values in every], 40, sampler="random")
    counts = Counter(values[parameter.name] for values in drawn)
    assert set(counts) <= set(parameter.values)
    assert len(counts) > 1
