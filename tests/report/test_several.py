"""Several runs beside each other."""

from __future__ import annotations

import json

import pytest

from edgenext_search.report.several import RunReport, comparison, comparison_sentences, several_figures
from edgenext_search.report.several_page import comparison_markdown, write_comparison

from .builders import HOSTILE, a_summary, some_trials

CONDITIONS = {"data": {"images": "a"}, "fidelity": {"epochs": 6}, "seeds": {"finalists": [1, 2]}, "deployment": {}}


def a_run(name="one", *, count=20, seed=0, conditions=CONDITIONS, **changes):
    trials = some_trials(count, seed=seed)
    return RunReport(name=name, summary=a_summary(trials, **changes), trials=trials, conditions=conditions)


def mean(run):
    return run.summary["winner"]["score"]["mean"]


def test_winners_are_ranked_where_the_conditions_are_alike():
    runs = [a_run("one"), a_run("two", seed=1), a_run("three", seed=2)]
    found = comparison(runs)
    assert found["comparable"]
    assert found["ranking"] == [run.name for run in sorted(runs, key=mean, reverse=True)]
    assert f"{found['ranking'][0]} has the best winner" in comparison_sentences(runs, found)[0]
    json.dumps(found)


@pytest.mark.parametrize("topic", ["data", "fidelity", "seeds"])
def test_a_ranking_is_refused_where_they_are_not(topic):
    other = {**CONDITIONS, topic: {"other": 1}}
    runs = [a_run("one"), a_run("two", seed=1, conditions=other)]
    found = comparison(runs)
    assert found["ranking"] is None
    assert {one["topic"] for one in found["differences"]} == {topic}
    assert "cannot be ranked" in comparison_sentences(runs, found)[0]
    text = comparison_markdown(runs, found)
    assert [line for line in text.splitlines() if line.startswith(("| 1 |", "| 2 |"))] == []
    assert f"| {topic}: other |" in text


def test_equal_winners_are_level_and_runs_without_one_come_last():
    empty = a_run("empty", count=0, winner=None, finalists=[], baseline=None, status="interrupted")
    runs = [a_run("one"), empty, a_run("two")]
    found = comparison(runs)
    assert found["ranking"] == ["one", "two"]
    said = comparison_sentences(runs, found)
    assert said[0].startswith("one and two come out level")
    assert "Not complete yet: empty." in said
    assert "no winner yet" in comparison_markdown(runs, found).splitlines()[-3]
    nothing = [empty, empty]
    assert comparison_sentences(nothing, comparison(nothing)) == (
        "None of these runs has a winner yet that fresh seeds have scored.",
    )


def test_a_score_of_the_search_is_not_ranked_with_those_of_fresh_seeds():
    lucky = a_run("lucky", seed=1, status="interrupted")
    lucky.summary["winner"] |= {"fresh_seeds": 0, "score": {"mean": 0.99, "std": None, "n": 1}}
    runs = [a_run("one"), lucky]
    found = comparison(runs)
    assert found["ranking"] == ["one"]
    assert comparison_sentences(runs, found)[0].startswith("one alone has a winner that fresh seeds have scored: ")


def test_other_budgets_are_said():
    runs = [a_run("one"), a_run("two", budget={"params": 2_300_000})]
    assert any("different budgets" in text for text in comparison_sentences(runs, comparison(runs)))


def test_figures_lay_the_runs_over_each_other_with_rows_of_the_joined_table():
    runs = [a_run("one", count=10), a_run("two", seed=1)]
    figures = several_figures(runs)
    assert set(figures) == {"fig-params", "fig-madds", "fig-best-images", "fig-edf"}
    shown = figures["fig-params"].named()
    assert max(shown["one"].rows) < 10 <= min(shown["two"].rows)
    for row, score in zip(shown["two"].rows, shown["two"].y, strict=True):
        assert 100 * runs[1].trials[row - 10].score == pytest.approx(score)
    assert shown["one"].style.color != shown["two"].style.color


def test_the_page_joins_the_tables_and_escapes_names(tmp_path):
    runs = [a_run(HOSTILE, count=10), a_run("two", seed=1, conditions={**CONDITIONS, "data": {"images": HOSTILE}})]
    path = tmp_path / "deep" / "index.html"
    write_comparison(runs, comparison(runs), path)
    text = path.read_text()
    assert "<img" not in text
    assert "All 30 trials" in text
