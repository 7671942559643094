"""The tables of scaling studies."""

from edgenext_search.report.scaling.tables import (
    candidates_table,
    laws_table,
    ranks_table,
    sizes_table,
    spaces_table,
)

from .builders import a_comparison, a_study

STUDY = a_study()


def texts(table, place):
    return [row.cells[place].text for row in table.rows]


def test_sizes():
    table = sizes_table(STUDY)
    assert texts(table, 0) == ["40k", "60k", "120k"]
    assert texts(table, 2) == ["28.0", "23.0", "17.9"]
    assert texts(table, 4) == ["4"] * 3


def test_laws():
    table = laws_table(STUDY)
    assert texts(table, 0) == ["Params", "MAdds", "Acts"]
    missed = STUDY.laws[0].model_copy(update={"largest": STUDY.laws[0].largest.model_copy(update={"covered": False})})
    assert laws_table(STUDY.model_copy(update={"laws": (missed,)})).rows[0].cells[3].note.endswith(" !")


def test_ranks_and_candidates():
    assert texts(ranks_table(STUDY), 0) == ["40k and 60k", "40k and 120k", "60k and 120k"]
    table = candidates_table(STUDY)
    assert len(table.rows) == 15
    assert [column.label for column in table.columns][4:7] == ["Params", "MAdds", "Acts"]


def test_spaces():
    assert texts(spaces_table(a_comparison().comparison), 0) == ["edgenext", "paper"]
    assert texts(spaces_table(a_comparison(range(0, 10, 2)).comparison), 2)[0] == "–"
