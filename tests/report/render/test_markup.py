"""Plain text cannot become markup."""

import json

import pytest

from edgenext_search.report.render.markup import Markup, element, join, json_script

from ..builders import HOSTILE


def test_text_is_escaped_once():
    inner = element("b", "a < b")
    assert element("p", inner, " & ", None) == "<p><b>a &lt; b</b> &amp; </p>"


def test_attributes():
    text = element("td", "1", class_="n", data_v=HOSTILE, hidden=True, title=None, inert=False)
    assert text.startswith('<td class="n" data-v="&lt;/script&gt;')
    assert text.endswith(" hidden>1</td>")
    assert "title" not in text
    assert "inert" not in text


def test_join_keeps_markup():
    assert join(Markup("<i></i>"), "<", "") == "<i></i>&lt;"


def test_json_cannot_close_its_script():
    text = json_script("data", {"name": HOSTILE})
    assert text.count("</script>") == 1
    body = text.removeprefix('<script type="application/json" id="data">').removesuffix("</script>")
    assert json.loads(body) == {"name": HOSTILE}


def test_json_has_no_nan():
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_script("data", [float("nan")])
