"""A small document in terminals of all kinds."""

import io

import pytest
from rich.console import Console

from edgenext_search.report.document import Cell, Column, Table, columns, row
from edgenext_search.report.render.terminal import print_document, print_table

from ..builders import a_document

TABLE = Table(
    label="",
    columns=(
        Column(label="Name"),
        Column(label="Origin", narrow="below"),
        Column(label="Score", right=True),
        Column(label="Page", page_only=True),
        Column(label="Depths", narrow="own"),
        Column(label="Kernels", narrow="beside"),
        Column(label="Rest", narrow="drop"),
    ),
    rows=(row("name", "origin", Cell(text="71.0", note="± 1.2"), "page", "2-2-6-2", "3-5-7-9", "rest"),),
)


def printed(show, *, width=80, encoding="utf-8", **console):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    show(Console(file=stream, width=width, **console))
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


@pytest.mark.parametrize(
    ("width", "there", "gone"),
    [
        (80, ["name  origin  71.0 ± 1.2  2-2-6-2  3-5-7-9  rest"], ["page"]),
        (44, ["name  origin   71.0  2-2-6-2  3-5-7-9  rest", "± 1.2"], ["page"]),
        (40, ["name  origin   71.0  2-2-6-2  3-5-7-9"], ["rest"]),
        (35, ["name     71.0  2-2-6-2  3-5-7-9", "origin  ± 1.2"], ["rest"]),
    ],
)
def test_a_table_gives_way_to_the_width(width, there, gone):
    text = printed(lambda console: print_table(TABLE, console), width=width)
    assert all(part in text for part in there)
    assert not any(part in text for part in gone)
    assert max(map(len, text.splitlines())) <= width


NARROW = Table(
    label="narrow",
    columns=columns("Name", "Shapes", "Top-1", "Spread", "Next", left=("Name",), main=("Top-1",)),
    rows=(row("name", "12", Cell(text="71.0"), "4.5678", "72.345"),),
)


@pytest.mark.parametrize(
    ("width", "there", "missed"),
    [
        (40, ["Name  Shapes  Top-1  Spread    Next"], ""),
        (32, ["Name  Shapes  Top-1  Spread"], "Too narrow for Next."),
        (24, ["Name  Shapes  Top-1"], "Too narrow for Spread,"),
        (14, ["Name  Top-1", "name   71.0"], "Too narrow for"),
    ],
)
def test_the_column_that_matters_stays(width, there, missed):
    text = printed(lambda console: print_table(NARROW, console), width=width)
    assert all(part in text for part in there)
    assert missed in text
    assert ("Too narrow" in text) == bool(missed)


def test_the_answer_stands_beneath_the_tables_and_above_the_paths():
    lines = printed(lambda console: print_document(a_document(), console)).splitlines()
    places = [lines.index(line) for line in ("It is better.", "By far.", "  --data FOLDER", "report   runs/x")]
    assert places == sorted(places)
    assert lines.index("Run this now.") < places[0]


def test_long_paths_stay_whole():
    path = "/".join(["a" * 40] * 4)
    assert f"report   {path}\n" in printed(lambda console: print_document(a_document(path=path), console))


def test_pipes_get_no_colour():
    assert "\x1b" not in printed(lambda console: print_document(a_document(), console))
    colored = printed(
        lambda console: print_document(a_document(), console), force_terminal=True, color_system="standard"
    )
    assert "\x1b[" in colored


def test_ascii_consoles():
    text = printed(lambda console: print_document(a_document(), console), encoding="ascii")
    assert "71.0 +- 1.2" in text
    assert "3 -> 4" in text
    assert "?" not in text


def test_markup_in_names_is_text():
    assert "[red]birds[/nonsense]" in printed(
        lambda console: print_document(a_document("[red]birds[/nonsense]"), console)
    )
