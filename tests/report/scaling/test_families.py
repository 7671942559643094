"""Families and fitted laws in the terminal."""

import io

import pytest
from rich.console import Console

from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.published import published_variant
from edgenext_search.arch.scaling import RULES, parse_budgets, scale_family
from edgenext_search.report.render.terminal import print_document
from edgenext_search.report.scaling.families import family_document, fit_document
from edgenext_search.scaling.families import Member, fit_families
from edgenext_search.scaling.family import family_result


def printed(document, width):
    console = Console(file=io.StringIO(), width=width)
    print_document(document, console)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 140])
def test_a_fit(width):
    sizes = ((1, 70.0), (2, 76.0), (4, 30.0))
    members = [Member(model=f"net-{gmacs}", gmacs=gmacs, top1=top1) for gmacs, top1 in sizes]
    found = fit_families({"odd": members, "alone": members[:1]})
    text = printed(fit_document(found), width)
    for part in ("odd", " !", "marked ! misses", "alone is left out: it has 1 member"):
        assert part in " ".join(text.split())
    assert ("C^-" in text) == ("net-4" in text) == (width == 140)


@pytest.mark.parametrize("width", [80, 140])
def test_a_family_beside_the_published_variants(width):
    candidate = published_variant("edgenext_x_small").candidate
    members = scale_family(candidate, parse_budgets("0.6M,1.3M"), RULES["width"], Deployment())
    text = printed(family_document(family_result(candidate, members, RULES["width"], Deployment())), width)
    assert [line.split()[0] for line in text.splitlines()[2:8]] == ["600k", "1.3M", "XXS", "XS", "S", "B"]
    assert "--out DIR" in text
    assert (members[0].candidate.fingerprint in text) == (width == 140)
    assert max(map(len, text.splitlines())) <= width
