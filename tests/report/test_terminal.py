"""The summary in terminals of all kinds."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from edgenext_search.report.terminal import print_summary
from edgenext_search.report.verdict import verdict

from .builders import a_summary, some_trials

TRIALS = some_trials(24)
SUMMARY = a_summary(TRIALS)


def printed(summary, *, width=80, encoding="utf-8", **console):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    print_summary(summary, Console(file=stream, width=width, **console))
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


@pytest.mark.parametrize("width", [80, 100, 110, 120, 130, 140, 200])
def test_nothing_is_cut_or_too_wide(width):
    text = printed(SUMMARY, width=width)
    paths = (SUMMARY["report"], SUMMARY["model_dir"], SUMMARY["run"])
    assert all(len(line) <= width for line in text.splitlines() if not line.endswith(paths))
    assert "…" not in text
    for row in SUMMARY["finalists"]:
        assert row["fingerprint"] in text
        assert "-".join(map(str, row["candidate"]["widths"])) in text
    assert all(path in text for path in paths)


def test_one_line_a_candidate_where_there_is_room():
    lines = printed(SUMMARY, width=140).splitlines()
    best = SUMMARY["winner"]
    line = next(line for line in lines if best["fingerprint"] in line)
    assert "± 1.2 (3)" in line
    assert line.rstrip().endswith("+4.8") or line.rstrip()[-4:].strip("+−.0123456789") == ""  # noqa: RUF001


def test_verdict_and_conditions_follow():
    text = " ".join(printed(SUMMARY).split())
    assert verdict(SUMMARY) in text
    assert "819 held-out training images of built-in (16 classes), 48 px, 6 epochs, 3 fresh seeds each." in text
    assert "Costs at 1000 classes, 256x256 px." in text
    assert "--data FOLDER" in text


def test_a_front_is_named_with_its_folders():
    front = [{**row, "model_dir": f"runs/x/winners/{row['fingerprint']}"} for row in SUMMARY["finalists"][:2]]
    text = printed({**SUMMARY, "objectives": ["accuracy", "madds"], "front": front}, width=140)
    assert "are on the front of top-1 and MAdds" in " ".join(text.split())
    assert front[1]["model_dir"] in text
    assert "front" not in printed(SUMMARY, width=140)


def test_long_paths_stay_whole():
    run = "/".join(["a" * 40] * 4)
    assert f"{run}/report" in printed({**SUMMARY, "report": f"{run}/report"})


def test_pipes_get_no_colour():
    assert "\x1b" not in printed(SUMMARY)
    assert "\x1b[" in printed(SUMMARY, force_terminal=True, color_system="standard")


def test_ascii_consoles():
    text = printed(SUMMARY, encoding="ascii")
    assert "+- 1.2 (3)" in text
    assert "?" not in text


def test_no_winner_and_how_to_go_on():
    text = printed(a_summary(status="interrupted", run="runs/x", report=None))
    assert "No winner yet" in text
    assert "edgenext-search resume runs/x\n" in text
    assert "edgenext-search resume 'my runs/x'\n" in printed(a_summary(status="interrupted", run="my runs/x"))
    assert "Candidate" not in text


def test_markup_in_names_is_text():
    summary = a_summary(TRIALS)
    summary["data"]["name"] = "[red]birds[/nonsense]"
    assert "[red]birds[/nonsense]" in printed(summary, width=140)
