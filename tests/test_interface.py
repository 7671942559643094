"""The names of the Python interface, and what importing them costs."""

import json
import subprocess
import sys

import pytest

import edgenext_search as es


def test_the_names_are_imported_when_they_are_used():
    code = (
        "import sys, json; before = set(sys.modules); import edgenext_search as es\n"
        "own = sorted(m for m in set(sys.modules) - before if m.startswith('edgenext_search'))\n"
        "es.load_space('edgenext').sample(es.Budget.parse('1.3M'))\n"
        "print(json.dumps([own, 'torch' in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [["edgenext_search", "edgenext_search.version"], False]


@pytest.mark.parametrize("name", es.__all__)
def test_each_name_is_documented(name):
    assert getattr(es, name).__doc__
    assert name in dir(es)


def test_the_search_and_the_package_of_its_name_are_one():
    import edgenext_search.search.recipe

    assert edgenext_search.search.recipe.StudyRecipe
    with pytest.raises(es.UserError, match="A study needs a budget"):
        es.search()


def test_there_is_no_other_name():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = es.nothing
