"""docs/json.md says what the result types say."""

import importlib
import json
import re
from enum import Enum
from typing import Annotated, Literal

import json_docs
import pytest
from click.testing import CliRunner
from json_docs import PAGE, STUDIES, TABLE, refreshed

from edgenext_search.cli import main
from edgenext_search.report.trials.table import COLUMNS
from edgenext_search.results import Result


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Part(Result):
    """A part of the whole."""

    n: int
    """How many."""


class Whole(Result):
    """An example."""

    name: str | None
    """What it is called | or not;
    in two lines of ``code``."""
    parts: tuple[Part, ...]
    """Its parts."""
    by_name: dict[str, Part]
    """The same by name."""
    colour: Colour
    """Its colour."""
    kind: Annotated[Literal["a", "b"], "ignored"] = "a"
    """Its kind."""


TABLES = """<!-- fields of test_json_docs:Whole -->
| key | type | meaning |
|---|---|---|
| `name` | text or null | What it is called \\| or not; in two lines of `code`. |
| `parts` | list of Part | Its parts. |
| `by_name` | object of Part | The same by name. |
| `colour` | `red` or `blue` | Its colour. |
| `kind` | `a` or `b` | Its kind. |

**Part**: A part of the whole.

| key | type | meaning |
|---|---|---|
| `n` | integer | How many. |
<!-- end -->"""


def test_tables_are_written_from_types(monkeypatch):
    monkeypatch.setattr(json_docs.importlib, "import_module", lambda _: importlib.sys.modules[__name__])
    page = "Before.\n<!-- fields of test_json_docs:Whole -->\nold\n<!-- end -->\nAfter.\n"
    assert refreshed(page) == f"Before.\n{TABLES}\nAfter.\n"


def test_a_type_without_words_is_refused():
    with pytest.raises(TypeError, match="no words for"):
        json_docs._named(print, [])


@pytest.mark.parametrize("path", [PAGE, STUDIES], ids=lambda path: path.name)
def test_the_page_is_up_to_date(path):
    """Where this fails, `python tests/json_docs.py` writes the tables anew."""
    page = path.read_text("utf-8")
    assert page == refreshed(page)


def test_every_field_in_the_page_is_described():
    for match in TABLE.finditer(PAGE.read_text("utf-8")):
        for row in match[0].splitlines():
            if row.startswith("| `"):
                assert not row.endswith("|  |"), row


def documented(section):
    """The keys in the hand-written table of a section."""
    text = PAGE.read_text("utf-8").partition(f"## {section}\n")[2].partition("\n## ")[0]
    heads = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| `")]
    return [key for head in heads for key in re.findall(r"`(\w+)`", head)]


def test_the_columns_of_trials_are_those_of_the_file():
    assert sorted(documented("`report/trials.csv`")) == sorted(COLUMNS)


def test_the_keys_of_a_space_are_those_printed():
    printed = json.loads(CliRunner().invoke(main, ["space", "show", "--json"]).stdout)
    assert documented("`space show`") == list(printed)
