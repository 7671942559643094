"""The finalists, best first."""

from edgenext_search.report.run.finalists import finalists_section, finalists_table

from ..builders import a_latency, a_summary, some_trials, text_of, unscored

TRIALS = some_trials(24)
SUMMARY = a_summary(TRIALS)


def test_a_row_for_each_finalist_with_its_role():
    table = finalists_table(SUMMARY)
    assert [row.cells[1].text for row in table.rows] == [row.fingerprint for row in SUMMARY.finalists]
    assert table.rows[0].strong
    assert table.rows[0].cells[1].badges == ("winner",)
    assert ("baseline",) in [row.cells[1].badges for row in table.rows]
    assert (table.rows[0].cells[3].note, table.rows[0].cells[4].text[0]) == ("± 1.2 (n = 3)", "+")


def test_members_of_a_front_have_a_badge():
    summary = a_summary(TRIALS, objectives=["accuracy", "madds"], front=SUMMARY.finalists[:2])
    badges = [row.cells[1].badges for row in finalists_table(summary).rows]
    assert badges[0] == ("winner", "front")
    assert "front" in badges[1]
    assert "front" not in badges[-1]


def test_a_baseline_that_is_no_finalist_comes_last_without_a_rank():
    others = [row for row in SUMMARY.finalists if row.trial]
    last = finalists_table(a_summary(TRIALS, finalists=others)).rows[-1]
    assert (last.cells[0].text, last.cells[1].text) == ("–", SUMMARY.baseline.fingerprint)


def test_latency_has_a_column_where_it_was_asked_for():
    labels = [column.label for column in finalists_table(a_latency(TRIALS)[0]).columns]
    assert "Latency" in labels
    assert "Latency" not in [column.label for column in finalists_table(SUMMARY).columns]


def test_what_scored_and_chose_them_is_said():
    text = text_of(finalists_section(SUMMARY))
    assert "819 held-out training images of built-in (16 classes), 48 px, 6 epochs, 3 fresh seeds each." in text
    assert "Costs at 1000 classes, 256x256 px." in text
    assert "Finalists are chosen by the top-1 that all trials lead to expect." in text
    assert finalists_section(SUMMARY).title == "Finalists, scored again"
    assert finalists_section(unscored(SUMMARY)).title == "Finalists so far"
    assert "not scored again with fresh seeds" in text_of(finalists_section(unscored(SUMMARY)))
    assert finalists_section(a_summary()) is None
