"""Documents hold what was put into them, and refuse tables that cannot be."""

import pytest

from edgenext_search.report.document import Code, Column, Document, Figure, Group, Table, Tabs, plain, row, section
from edgenext_search.report.plot import Plot

PLOT = Plot(title="", x_label="", y_label="", series=[])


def test_a_row_has_a_cell_for_each_column():
    with pytest.raises(ValueError, match="must have 1 cells, but got 2"):
        Table(label="", columns=(Column(label="a"),), rows=(row("1", "2"),))


def test_figures_are_found_wherever_they_are():
    figures = [Figure(identifier=f"fig-{name}", plot=PLOT) for name in "abc"]
    group, tabs = Group(blocks=(figures[0],), layout="pair"), Tabs(identifier="t", label="", panels=(("", figures[1]),))
    document = Document(topic=(), answer="", sections=(section("s", "", "", group, None, tabs, figures[2]),))
    assert list(document.figures()) == ["fig-a", "fig-b", "fig-c"]


def test_plain_text_has_no_emphasis():
    assert plain(("run ", Code("this"))) == "run this"
