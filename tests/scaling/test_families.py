import json
from pathlib import Path

import pytest

from edgenext_search.errors import UserError
from edgenext_search.scaling.families import Member, fit_families, left_out, read_families

FACTS = Path(__file__).resolve().parents[2] / "benchmarks"


def family(*sizes):
    return [Member(model=f"m{gmacs}", gmacs=gmacs, top1=top1) for gmacs, top1 in sizes]


def written(tmp_path, values):
    path = tmp_path / "families.json"
    path.write_text(values if isinstance(values, str) else json.dumps(values), encoding="utf-8")
    return path


def test_published_families_are_predicted():
    """The 11 families had no part in the prior that is used: see benchmarks/scaling_law.py."""
    found = fit_families(read_families(FACTS / "imagenet_families.json"))
    assert found.n == 11
    assert found.median_abs_error <= 0.30
    assert 0.85 <= found.coverage_90 <= 0.95
    assert found.left_out == 39
    row = found.families["convnext_fb"]
    assert row.model == "convnext_large.fb_in1k"
    assert (row.known, row.members, len(row.left_out)) == (3, 4, 2)
    assert row.error == pytest.approx(row.predicted - row.top1, abs=2e-3)
    assert row.low < row.predicted < row.high
    assert row.covered == (row.low <= row.top1 <= row.high)
    assert row.next.cost == 2 * row.cost
    assert row.next.predicted > row.top1 - 0.3


def test_the_largest_member_is_that_by_cost_and_says_nothing_of_itself():
    members = family((4, 80.0), (1, 70.0), (2, 76.0))
    *_, largest = left_out(members)
    other = [*members[1:], Member(model="m4", gmacs=4, top1=12.0)]
    *_, again = left_out(other)
    assert (largest.model, largest.known) == ("m4", 2)
    assert (largest.predicted, largest.low, largest.high, largest.law) == (
        again.predicted,
        again.low,
        again.high,
        again.law,
    )
    assert largest.covered
    assert not again.covered


def test_members_with_two_smaller_ones_are_left_out_and_the_largest_of_two():
    assert [out.model for out in left_out(family((1, 70.0), (2, 76.0), (4, 80.0), (8, 82.0)))] == ["m4", "m8"]
    assert [out.model for out in left_out(family((1, 70.0), (2, 76.0)))] == ["m2"]
    assert left_out(family((1, 70.0))) == []
    assert left_out([]) == []


def test_families_without_a_pair_are_named():
    found = fit_families({"alone": family((1, 70.0)), "none": [], "pair": family((1, 70.0), (2, 76.0))})
    assert [row.family for row in found.skipped] == ["alone", "none"]
    assert list(found.families) == ["pair"]
    with pytest.raises(UserError, match="at least 2 members"):
        fit_families({"alone": family((1, 70.0))})


def test_other_costs(tmp_path):
    members = [{"model": str(n), "params_m": n, "top1": 70 + n} for n in (1, 2, 4)]
    families = read_families(written(tmp_path, {"families": {"f": {"members": members}}, "source": "me"}))
    assert fit_families(families, by="params_m").families["f"].cost == 4
    with pytest.raises(UserError, match=r"families\.f\.members\.1 has no gmacs"):
        fit_families(families)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("{", "is not JSON"),
        ([], "families.json"),
        ({}, "families: the key is missing"),
        ({"families": {}}, "families"),
        ({"families": {"f": {"members": [{"gmacs": 1, "top1": 101}]}}}, "families.f.members.1.top1"),
        ({"families": {"f": {"members": [{"gmacs": 0, "top1": 71}]}}}, "families.f.members.1.gmacs"),
        ({"families": {"f": {"members": [{"gmacs": 1}]}}}, "families.f.members.1.top1: the key is missing"),
        ('{"families": {"f": {"members": [{"gmacs": NaN, "top1": 70}]}}}', "gmacs"),
    ],
)
def test_wrong_files(tmp_path, values, message):
    with pytest.raises(UserError, match=message):
        read_families(written(tmp_path, values))
    with pytest.raises(UserError, match="cannot be read"):
        read_families(tmp_path / "none.json")
