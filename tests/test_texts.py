import shlex
from pathlib import Path

import pytest

from edgenext_search.texts import command_line, counted, hide_password, nearest, printable


def test_one_and_many():
    assert counted(1, "epoch") == "1 epoch"
    assert counted(0, "epoch") == "0 epochs"
    assert counted(1280, "class", "classes") == "1,280 classes"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("xx_small", " Did you mean edgenext_xx_small?"),  # edgenext_x_small looks more like it
        ("edgenext_smal", " Did you mean edgenext_small?"),
        ("edgnext_x_small", " Did you mean edgenext_x_small?"),
        ("resnet50", ""),
        ("", ""),
    ],
)
def test_the_name_that_was_meant(typed, meant):
    assert nearest(typed, ["edgenext_x_small", "edgenext_xx_small", "edgenext_small_bn_hs", "edgenext_small"]) == meant


def test_a_command_can_be_typed_as_it_stands():
    assert command_line("resume", Path("runs/demo")) == "edgenext-search resume runs/demo"
    hostile = "a run; rm -rf '$HOME'"
    assert shlex.split(command_line("resume", hostile, "--train-top", 2)) == [
        "edgenext-search", "resume", hostile, "--train-top", "2",
    ]  # fmt: skip


def test_paths_are_neither_options_nor_home_folders():
    assert command_line("resume", Path("-x"), Path("~x"), "-y") == "edgenext-search resume ./-x './~x' -y"


def test_what_cannot_be_shown_is_escaped():
    assert printable("a b\u00a0é木") == "a b\u00a0é木"
    assert printable("a\nb\x1b[31m\udce9\u202e") == r"a\nb\x1b[31m\xe9\u202e"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("postgresql://anna:s3cret@host/db", "postgresql://anna:***@host/db"),
        ("postgresql://:s3cret@host/db", "postgresql://:***@host/db"),
        ("postgresql://anna:p%40ss:w/ord@host:5432/db", "postgresql://anna:***@host:5432/db"),
        ("postgresql://anna:p@ss@host/db", "postgresql://anna:***@host/db"),
        ("cannot reach x://a:b@c or y://d:e@f", "cannot reach x://a:***@c or y://d:***@f"),
        ("postgresql://anna@host:5432/db", "postgresql://anna@host:5432/db"),
        ("postgresql://host:5432/db", "postgresql://host:5432/db"),
        ("sqlite:///runs/a/study.db", "sqlite:///runs/a/study.db"),
        ("mysql://u:p@h/db?contact=x@y", "mysql://u:***@h/db?contact=x@y"),
    ],
)
def test_passwords_are_hidden_and_nothing_else(text, hidden):
    assert hide_password(text) == hidden
    assert hide_password(hidden) == hidden
