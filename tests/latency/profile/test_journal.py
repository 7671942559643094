import pytest
from latency_profiles import DEPLOYMENT, INFO, made_profile

from edgenext_search.errors import UserError
from edgenext_search.latency.profile.journal import MOST_TRIES, Header, Journal, PlanKeys

HEADER = Header(
    device=INFO, space={"name": "edgenext"}, deployment=DEPLOYMENT, plan=PlanKeys(networks=2, stages=0, seed=0)
)


@pytest.fixture
def entries():
    return made_profile().measured[:4]


def test_what_was_added_is_read_back(tmp_path, entries):
    path = tmp_path / "x.partial"
    journal = Journal.open(path, HEADER)
    journal.add({0: entries[0], 2: entries[1]}, seconds=1.5, load=0.4)
    journal.add({0: entries[0]}, seconds=2.0, load=None)
    again = Journal.open(path, HEADER)
    assert again.tries == journal.tries
    assert {index: len(tries) for index, tries in again.tries.items()} == {0: 2, 2: 1}
    assert (again.seconds, again.loads) == (3.5, [0.4])


@pytest.mark.parametrize("cut", [1, 5, 100])
def test_a_line_cut_short_is_dropped_and_the_next_begins_a_new_one(tmp_path, entries, cut):
    path = tmp_path / "x.partial"
    journal = Journal.open(path, HEADER)
    journal.add({0: entries[0]}, seconds=1.0, load=None)
    journal.add({1: entries[1]}, seconds=1.0, load=None)
    path.write_text(path.read_text("utf-8")[:-cut], "utf-8")
    again = Journal.open(path, HEADER)
    again.add({2: entries[2]}, seconds=1.0, load=None)
    kept = {0, 1, 2} if cut == 1 else {0, 2}  # of the one, nothing but the end of the line was lost
    assert set(Journal.open(path, HEADER).tries) == kept


@pytest.mark.parametrize("text", ["", "{", "[]\n", '{"device": "board"}\n'])
def test_another_header_is_refused(tmp_path, text):
    path = tmp_path / "x.partial"
    path.write_text(text, "utf-8")
    with pytest.raises(UserError, match="holds measurements of another profile"):
        Journal.open(path, HEADER)
    assert path.read_text("utf-8") == text


def test_the_least_disturbed_counts_and_the_most_disturbed_is_repeated_first(tmp_path, entries):
    def at(entry, speed):
        return entry.model_copy(
            update={"ratio_low": entry.ratio, "ratio_high": entry.ratio, "p50": 1.0, "reference_p50": speed}
        )

    journal = Journal.open(tmp_path / "x.partial", HEADER)
    calm, slow, slower = (at(entries[0], speed) for speed in (1.0, 1.5, 2.0))
    journal.add(dict.fromkeys(range(10), calm), seconds=1.0, load=None)
    journal.add({10: slow, 11: slower}, seconds=1.0, load=None)
    assert journal.disturbed() == [11, 10]
    journal.add({11: calm}, seconds=1.0, load=None)
    assert journal.best()[11].reference_p50 == 1.0
    assert journal.disturbed() == [10]
    for _ in range(MOST_TRIES - 1):
        journal.add({10: slower}, seconds=1.0, load=None)
    assert journal.best()[10].reference_p50 == 1.5
    assert journal.disturbed() == []
