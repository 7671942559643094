from __future__ import annotations

import pytest

from edgenext_search.report.audit_figure import audit_figure

from .builders import a_summary, an_audit, some_trials

TRIALS = some_trials(24)


def test_one_mark_a_candidate_and_rung_with_bars_over_seeds():
    audit = an_audit(TRIALS)
    figure = audit_figure(a_summary(TRIALS, audit=audit))
    traces = figure.named()
    assert set(traces) - {"winner"} == {"after 2 epochs", "after 6 epochs"}
    first = traces["after 2 epochs"]
    assert list(first.x) == [100 * row["curve"][0]["score"] for row in audit["candidates"]]
    assert list(first.y) == [100 * row["reference"]["mean"] for row in audit["candidates"]]
    halves = [high - mean for high, mean in zip(first.high, first.y, strict=True)]
    assert halves == pytest.approx([100 * row["reference"]["std"] for row in audit["candidates"]])
    assert len(traces["after 6 epochs"].x) == sum(len(row["curve"]) == 2 for row in audit["candidates"])
    assert "24 epochs" in figure.y_label


def test_marks_stand_at_what_ranks_and_the_axis_names_it():
    audit = an_audit(TRIALS, rank_by="train_loss")
    for row in audit["candidates"]:
        for point in row["curve"]:
            point["merit"] = point["score"] / 2
    figure = audit_figure(a_summary(TRIALS, audit=audit))
    first = figure.series[0]
    assert list(first.x) == [50 * row["curve"][0]["score"] for row in audit["candidates"]]
    assert figure.x_label == "Mean training loss in the search, on the scale of top-1, %"
    score = audit["candidates"][0]["curve"][0]["score"]
    assert f"{100 * score:.1f}% after 2 epochs, ranked by the mean training loss as {50 * score:.1f}%" in first.notes[0]
    plain = audit_figure(a_summary(TRIALS, audit=an_audit(TRIALS)))
    assert plain.x_label == "Top-1 in the search, %"
    assert "ranked by" not in plain.series[0].notes[0]


def test_the_winner_is_ringed_where_it_was_sampled():
    audit = an_audit(TRIALS)
    chosen = next(row for row in audit["candidates"] if len(row["curve"]) == 2)
    summary = a_summary(TRIALS, audit=audit)
    summary["winner"] = {**summary["winner"], "fingerprint": chosen["fingerprint"]}
    ring = audit_figure(summary).named()["winner"]
    assert list(ring.x) == [100 * chosen["curve"][1]["score"]]


def test_one_seed_has_no_bars():
    figure = audit_figure(a_summary(TRIALS, audit=an_audit(TRIALS, seeds=1)))
    assert figure.series[0].low == figure.series[0].high
    assert "of 1 fresh seed" in figure.y_label


def test_nothing_to_draw():
    assert audit_figure(a_summary(TRIALS)) is None
    assert audit_figure(a_summary(TRIALS, audit=an_audit(TRIALS, n=0))) is None
