import io

from rich.console import Console

from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.published import published_variant
from edgenext_search.arch.scaling import RULES, parse_budgets, scale_family
from edgenext_search.models.family import family_facts
from edgenext_search.report.scale_terminal import print_family, print_fit, print_lines, print_rows
from edgenext_search.scaling.families import Member, fit_families


def printed(show, width=140):
    console = Console(file=io.StringIO(), width=width)
    show(console)
    return console.file.getvalue()


def test_a_fit_with_all_columns_and_with_few():
    sizes = ((1, 70.0), (2, 76.0), (4, 30.0))
    members = [Member(model=f"net-{gmacs}", gmacs=gmacs, top1=top1) for gmacs, top1 in sizes]
    found = fit_families({"odd": members, "alone": members[:1]})
    wide = printed(lambda console: print_fit(found, console))
    narrow = printed(lambda console: print_fit(found, console), width=80)
    for text in (wide, narrow):
        assert "odd" in text
        assert " !" in text
        assert "marked ! misses" in " ".join(text.split())
        assert "alone is left out: it has 1 member" in text
    assert "C^-" in wide
    assert "net-4" in wide
    assert "C^-" not in narrow


def test_markup_in_names_is_shown_as_it_is():
    text = printed(lambda console: (print_rows(("a",), [("[red]x",)], console), print_lines(["[b]y"], console)))
    assert "[red]x" in text
    assert "[b]y" in text


def test_a_family_beside_the_published_variants():
    candidate = published_variant("edgenext_x_small").candidate
    members = scale_family(candidate, parse_budgets("0.6M,1.3M"), RULES["width"], Deployment())
    facts = family_facts(candidate, members, RULES["width"], Deployment())
    wide = printed(lambda console: print_family(facts, console))
    narrow = printed(lambda console: print_family(facts, console), width=80)
    for text in (wide, narrow):
        assert [line.split()[0] for line in text.splitlines()[2:8]] == ["600k", "1.3M", "XXS", "XS", "S", "B"]
        assert "--out DIR" in text
    assert members[0].candidate.fingerprint in wide
    assert max(map(len, narrow.splitlines())) <= 80
