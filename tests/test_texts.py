import shlex
from pathlib import Path

import pytest

from edgenext_search.texts import command_line, counted, nearest


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
