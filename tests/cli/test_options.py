import sys

import pytest

from edgenext_search.cli.options import print_loading, print_text, say

WORDS = "Stopped. What was finished is kept: `edgenext-search resume runs/a-run-with-a-name` goes on from where it was."


def test_paragraphs_break_between_words_at_the_terminals_width(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    print_text(WORDS, first="  note  ", indent=8)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2
    assert max(map(len, lines)) <= 50
    assert lines[0].startswith("  note  Stopped")
    assert " ".join(line.strip() for line in lines) == f"note  {WORDS}"


def test_a_message_is_one_line_in_a_pipe_and_a_paragraph_in_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    say(WORDS)
    assert capsys.readouterr().err == f"{WORDS}\n"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    say(WORDS)
    lines = capsys.readouterr().err.splitlines()
    assert max(map(len, lines)) <= 50
    assert " ".join(lines) == WORDS


def test_narrow_terminals_still_get_words(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "5")
    print_text("one two three four five")
    assert capsys.readouterr().out == "one two three four five\n"


@pytest.mark.parametrize(("norm_act", "first"), [("ln_gelu", []), ("bn_hs", ["  import edgenext_search.models.bn_hs"])])
def test_a_batch_norm_network_is_imported_before_it_is_loaded(norm_act, first, capsys):
    print_loading("out/model", norm_act)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [*first, '  timm.create_model("local-dir:out/model", pretrained=True)']
