import contextlib
import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import candidates

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.published import published_variant, published_variants
from edgenext_search.arch.scaling import RULES, ScalingRule, parse_budgets, scale_family
from edgenext_search.errors import UserError

SIZES = "0.6M,1.3M,2.3M,5.6M,18M"
XS = published_variant("edgenext_x_small").candidate


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize("name", ["edgenext_xx_small", "edgenext_small", "edgenext_x_small_bn_hs"])
@pytest.mark.parametrize("budgets", [SIZES, "madds=100M;madds=0.26G;madds=1.2G", "params=3M,madds=0.4G;acts=4M"])
def test_members_fill_their_budgets(rule, name, budgets):
    candidate, wanted = published_variants()[name].candidate, parse_budgets(budgets)
    members = scale_family(candidate, wanted, rule, Deployment())
    assert [member.budget for member in members] == wanted
    for member in members:
        assert 0.95 <= member.usage <= 1
        assert member.cost == cost(member.candidate, member.deployment)
        assert member.usage == member.budget.usage(member.cost)
        for field in ("kernel_sizes", "sdta_blocks", "sdta_splits", "heads", "norm_act", "expand_ratio"):
            assert getattr(member.candidate, field) == getattr(candidate, field)


@settings(max_examples=40)
@given(candidate=candidates(), params=st.sampled_from(["2M", "7M", "30M"]), rule=st.sampled_from([*RULES.values()]))
def test_any_candidate_has_members_in_the_band_or_a_reason_why_not(candidate, params, rule):
    with contextlib.suppress(UserError):  # some are too deep for any width
        (member,) = scale_family(candidate, [Budget.parse(params)], rule, Deployment(num_classes=10))
        assert 0.95 <= member.usage <= 1


def test_the_width_rule_changes_nothing_but_widths():
    for member in scale_family(XS, parse_budgets(SIZES), RULES["width"], Deployment(img_size=224)):
        assert member.candidate.depths == XS.depths
        assert member.deployment.img_size == 224


def test_at_its_own_size_a_candidate_is_its_own_member():
    budget = Budget(params=cost(XS, Deployment()).params)
    for rule in RULES.values():
        (member,) = scale_family(XS, [budget], rule, Deployment())
        assert member.growth == pytest.approx(1.0, abs=0.15)
        assert (member.candidate.depths, member.deployment.img_size) == (XS.depths, 256)
        assert all(abs(mine - its) <= 8 for mine, its in zip(member.candidate.widths, XS.widths, strict=True))


def test_dimensions_grow_by_their_exponents():
    rule = ScalingRule(name="even", depth=1, width=1, size=1)
    (member,) = scale_family(XS, [Budget.parse("madds=8G")], rule, Deployment())
    growth = 8e9 / cost(XS, Deployment()).madds
    assert member.growth == pytest.approx(growth, rel=0.15)
    assert sum(member.candidate.depths) / sum(XS.depths) == pytest.approx(growth ** (1 / 3), rel=0.1)
    assert sum(member.candidate.widths) / sum(XS.widths) == pytest.approx(growth ** (1 / 6), rel=0.1)
    assert member.deployment.img_size / 256 == pytest.approx(growth ** (1 / 6), rel=0.1)


def test_exponents_of_the_papers():
    compound = RULES["compound"]  # alpha 1.2, beta 1.1, gamma 1.15, for alpha * beta^2 * gamma^2 = 1.92
    growth = 1.2 * 1.1**2 * 1.15**2
    assert growth**compound.depth == pytest.approx(1.2)
    assert growth ** (compound.width / 2) == pytest.approx(1.1)
    assert growth ** (compound.size / 2) == pytest.approx(1.15)
    assert RULES["w-dominant"].width == pytest.approx(0.8)
    assert ScalingRule.parse("1:8:1").depth == pytest.approx(0.1)
    assert str(ScalingRule.parse("1:8:1")) == "custom (d:w:r 0.10:0.80:0.10)"


def test_members_are_ordered_like_their_budgets():
    members = scale_family(XS, parse_budgets(SIZES), RULES["w-dominant"], Deployment())
    for smaller, larger in itertools.pairwise(members):
        assert smaller.growth < larger.growth
        assert smaller.cost.madds < larger.cost.madds
        assert all(a <= b for a, b in zip(smaller.candidate.depths, larger.candidate.depths, strict=True))


@pytest.mark.parametrize("text", ["1:2", "a:b:c", "1:2:3:4", "0:0:0", "-1:1:1", "nan:1:1", ""])
def test_wrong_exponents(text):
    with pytest.raises(UserError, match="exponents"):
        ScalingRule.parse(text)


def test_budgets_as_people_type_them():
    assert parse_budgets("0.6M, 1.3M") == [Budget(params=600_000), Budget(params=1_300_000)]
    assert parse_budgets("params=1M,madds=1G; madds=2G")[1] == Budget(madds=2_000_000_000)
    with pytest.raises(UserError, match="once"):
        parse_budgets("1.3M,1300k")
    with pytest.raises(UserError, match="1\\.3X"):
        parse_budgets("1M,1.3X")


def test_budgets_out_of_reach():
    with pytest.raises(UserError, match=r"smallest member has params=[\d,]+"):
        scale_family(XS, parse_budgets("10k"), RULES["width"], Deployment())
    with pytest.raises(UserError, match="w-dominant"):
        scale_family(XS, parse_budgets("600k"), ScalingRule.parse("1:0:0"), Deployment())
    bn = published_variant("edgenext_xx_small_bn_hs").candidate
    with pytest.raises(UserError, match="never filled"):
        scale_family(bn, parse_budgets("1.4M"), ScalingRule.parse("0:0:1"), Deployment())
    assert math.isfinite(scale_family(bn, parse_budgets("memory=4MB"), RULES["width"], Deployment())[0].usage)
