"""The report of several runs as a document."""

import pytest

from edgenext_search.report.comparison.document import comparison_document, comparison_sentences
from edgenext_search.report.comparison.results import compare_runs
from edgenext_search.report.render.html import write_page
from edgenext_search.report.render.markdown import markdown
from edgenext_search.report.trials.page_data import trials_data
from edgenext_search.search.comparability import Difference

from ..builders import HOSTILE
from .test_results import DIFFERENCE, a_run


def document_of(runs, differences=()):
    return comparison_document(runs, compare_runs(runs, differences))


def test_the_winners_stand_in_the_order_of_their_ranks():
    runs = [a_run("one"), a_run("two", seed=1)]
    document = document_of(runs)
    table = document.brief[0]
    assert [row.cells[0].text for row in table.rows] == ["1", "2"]
    first, second = (each.cells[1].text for each in table.rows)
    assert document.answer.startswith(f"{first} has the highest score")
    assert f"its lead over {second} is not established" in document.answer
    assert "same images" in document.sections[1].blocks[0].text


def test_differences_forbid_ranks():
    document = document_of([a_run("one"), a_run("two", seed=1)], [DIFFERENCE])
    assert "cannot be ranked" in document.answer
    text = markdown(document)
    assert "| data: images | a | b |" in text
    assert not [line for line in text.splitlines() if line.startswith("| 1 |")]


def test_what_qualifies_the_answer_is_said():
    runs = [a_run("one"), a_run("two", seed=1, budget={"params": 2_300_000}, status="interrupted")]
    said = comparison_sentences(compare_runs(runs, []))
    assert any("different budgets" in text for text in said)
    assert "Not complete yet: two." in said
    assert "no winner yet" in markdown(document_of([a_run("one"), a_run("none", count=0)]))


def test_figures_lay_the_runs_over_each_other_with_rows_of_the_joined_table():
    runs = [a_run("one", count=10), a_run("two", seed=1)]
    figures = document_of(runs).figures()
    assert set(figures) == {"fig-params", "fig-madds", "fig-best-images", "fig-edf"}
    shown = figures["fig-params"].named()
    assert max(shown["one"].rows) < 10 <= min(shown["two"].rows)
    for row, score in zip(shown["two"].rows, shown["two"].y, strict=True):
        assert 100 * runs[1].trials[row - 10].score == pytest.approx(score)
    assert shown["one"].style.color != shown["two"].style.color


def test_names_are_escaped(tmp_path):
    runs = [a_run(HOSTILE, count=10), a_run("two", seed=1)]
    document = document_of(runs, [Difference(topic="data", key="images", values=(HOSTILE, {"a": 1}))])
    write_page(document, tmp_path / "index.html", trials=trials_data(runs))
    text = (tmp_path / "index.html").read_text()
    assert "<img" not in text
    assert "All 30 trials" in text
