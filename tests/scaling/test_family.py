"""Families of sizes beside the published variants."""

from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.published import published_variant
from edgenext_search.arch.scaling import RULES, parse_budgets, scale_family
from edgenext_search.scaling.family import family_result
from edgenext_search.scaling.records import FamilyResult


def test_a_family_beside_the_published_variants_of_the_same_kind(tmp_path):
    candidate, rule = published_variant("edgenext_x_small").candidate, RULES["w-dominant"]
    members = scale_family(candidate, parse_budgets("0.6M,1.3M"), rule, Deployment())
    result = family_result(candidate, members, rule, Deployment())
    assert [(row.name, row.params) for row in result.published][:2] == [
        ("edgenext_xx_small", 1_327_216),
        ("edgenext_x_small", 2_336_804),
    ]
    assert len(result.published) == 4
    assert [member.cost for member in result.members] == [member.cost for member in members]
    assert (result.members[0].path, result.latency) == (None, None)
    assert FamilyResult.read(result.to_dict(), where="x") == result
    saved = family_result(candidate, members, rule, Deployment(), [tmp_path / "a", tmp_path / "b"])
    assert saved.members[1].path == str(tmp_path / "b")
