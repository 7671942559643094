"""A page stands alone, says all that its document says, and runs nothing that we did not write."""

import json

import pytest

from edgenext_search.report.render.html import render, write_page
from edgenext_search.report.trials.page_data import trials_data

from ..builders import HOSTILE, Parsed, a_document


@pytest.fixture
def page(tmp_path):
    def write(document):
        write_page(document, tmp_path / "deep" / "index.html", trials=trials_data())
        assert [entry.name for entry in (tmp_path / "deep").iterdir()] == ["index.html"]
        return Parsed((tmp_path / "deep" / "index.html").read_text(encoding="utf-8"))

    return write


def test_every_block_is_there(page):
    found = page(a_document())
    assert found.headings == ["It is better.", "Everything"]
    for text in (
        "By far.",
        "The images are generated. --data FOLDER",
        "abcwinner71.0 ± 1.2",
        "3 → 4",
        "Run this now.",
        "Trial 1: failed",
        "98.0 % of it",
        "Budget1.3M",
        "Winner search",
        "k: kernel size",
    ):
        assert text in found.text
    figures = json.loads(found.scripts["data-figures"])
    assert set(figures) == {"fig-a", "fig-b"} == {a["id"] for tag, a in found.tags if tag == "figure" and "id" in a}
    assert [attrs["href"] for tag, attrs in found.tags if tag == "a" and "class" not in attrs] == ["#all"]
    assert sum(attrs.get("role") == "tab" for _, attrs in found.tags) == 2
    assert any(attrs.get("id") == "trials-table" for _, attrs in found.tags)


def test_a_page_needs_no_network(page):
    found = page(a_document())
    assert not any(attrs.get("src") for _, attrs in found.tags)
    targets = {attrs.get("id") for _, attrs in found.tags}
    assert all(attrs["href"][1:] in targets for _, attrs in found.tags if attrs.get("href"))
    assert any("default-src 'none'" in (attrs.get("content") or "") for _, attrs in found.tags)


def test_ids_are_unique(page):
    ids = [attrs["id"] for _, attrs in page(a_document()).tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_hostile_text_stays_text(page):
    found = page(a_document(HOSTILE))
    assert "img" not in {tag for tag, _ in found.tags}
    assert not any(name.startswith("on") for _, attrs in found.tags for name in attrs)
    assert found.text.count(HOSTILE) >= 12


def test_only_blocks_are_rendered():
    with pytest.raises(TypeError, match="str is no block"):
        render("text")
