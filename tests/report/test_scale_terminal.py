import io

from rich.console import Console

from edgenext_search.report.scale_terminal import print_fit, print_lines, print_rows
from edgenext_search.search.families import Member, fit_families


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
