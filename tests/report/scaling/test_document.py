"""The report of a scaling study as a document."""

from edgenext_search.report.render.html import write_page
from edgenext_search.report.scaling.document import scaling_document
from edgenext_search.report.trials.page_data import trials_data

from ..builders import HELD_OUT, HOSTILE, Parsed
from .builders import a_comparison, a_study


def titles(result):
    return [section.title for section in scaling_document(result).sections]


def test_a_study():
    document = scaling_document(a_study())
    assert [section.title for section in document.sections] == [
        "The same shapes at each size",
        "What the next size gives",
        "Do shapes rank alike?",
        "All candidates",
        "Conditions",
    ]
    assert list(document.figures()) == ["fig-params", "fig-madds", "fig-acts"]
    assert [table.label for table in document.brief[:2]] == ["Sizes", "Laws"]
    assert "2,000 held-out training images of fashion, 32 px, 4 epochs on 4,000 images, 2 seeds" in (
        document.brief[-1].text
    )


def test_a_comparison_of_spaces():
    document = scaling_document(a_comparison())
    assert document.sections[0].title == "Two spaces in one budget"
    assert list(document.figures()) == ["fig-edf"]


def test_a_study_with_nothing_to_say():
    document = scaling_document(a_study("40k,60k", range(10), open=20, status="interrupted"))
    assert document.notices[0].command == "edgenext-search scale resume runs/x"
    assert document.figures() == {}
    assert scaling_document(a_comparison(range(0, 10, 2))).figures() == {}


def test_latencies_are_called_predicted():
    latency = {"device": "board", "interpolated": 2, "conditions": {}, "held_out": HELD_OUT}
    text = scaling_document(a_study(latency=latency)).brief[-1].text
    assert "latencies as predicted for board, 2 of them for networks outside" in text


def test_names_are_escaped(tmp_path):
    failed = {"space": HOSTILE, "shape": 1, "budget": {"params": 1}, "seed": 2, "reason": HOSTILE}
    document = scaling_document(a_comparison(study=HOSTILE, failed=[failed]))
    write_page(document, tmp_path / "index.html", trials=trials_data())
    page = Parsed((tmp_path / "index.html").read_text())
    assert "img" not in {tag for tag, _ in page.tags}
    assert page.text.count(HOSTILE) >= 3
    assert "What failed" in page.headings
