"""The parts of a page."""

from __future__ import annotations

from edgenext_search.report.markup import Markup
from edgenext_search.report.parts import command, figure, tabs
from edgenext_search.report.plot import Plot

from .builders import HOSTILE


def test_a_single_content_needs_no_tabs():
    assert tabs("a", "b", [("one", Markup("<p></p>"))]) == "<p></p>"


def test_the_first_tab_is_open():
    text = tabs("a", "b", [("one", Markup("1")), ("two", Markup("2"))])
    assert text.count('aria-selected="true"') == 1
    assert text.count(" hidden") == 1


def test_names_stay_text():
    plot = Plot(title=HOSTILE, x_label=HOSTILE, y_label=HOSTILE, series=[])
    assert "<img" not in figure("a", plot) + command(HOSTILE)
