from __future__ import annotations

import io

import pytest
from rich.console import Console

from edgenext_search.report.audit_terminal import print_audit

from .builders import a_summary, an_audit, some_trials

TRIALS = some_trials(24)


def printed(summary, width=80, encoding="utf-8"):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    print_audit(summary, Console(file=stream, width=width))
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


@pytest.mark.parametrize("rank_by", ["top1", "train_loss"])
@pytest.mark.parametrize("width", [80, 160])
def test_table_words_and_path(width, rank_by):
    summary = a_summary(TRIALS, audit=an_audit(TRIALS, rank_by=rank_by))
    text = printed(summary, width)
    assert all(len(line) <= width for line in text.splitlines() if "report" not in line)
    assert "after 6 epochs" in text.replace("\n", " ")
    assert "a coin has 50 %" in " ".join(text.split())
    assert ("Spearman" in text) == (width == 160)
    assert ("\ntraining loss" in text) == (rank_by == "train_loss")
    assert "Cost" in text.split()
    assert summary["report"] in text


def test_signs_are_spelled_out_where_they_cannot_be_shown():
    assert "Kendall" in printed(a_summary(TRIALS, audit=an_audit(TRIALS)), encoding="ascii")


def test_failures_and_nothing_else():
    audit = an_audit(TRIALS, n=0)
    audit["failed"] = [{"trial": 3, "seed": 5, "fingerprint": "a", "reason": "no [bold]luck"}]
    text = printed(a_summary(TRIALS, audit=audit))
    assert "Trial 3, seed 5 failed: no [bold]luck" in text
    assert "Pairs right" not in text
