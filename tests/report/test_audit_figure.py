from __future__ import annotations

from edgenext_search.report.audit_figure import audit_figure

from .builders import a_summary, an_audit, some_trials

TRIALS = some_trials(24)


def test_one_mark_a_candidate_and_rung_with_bars_over_seeds():
    audit = an_audit(TRIALS)
    figure = audit_figure(a_summary(TRIALS, audit=audit))
    traces = {trace.name: trace for trace in figure.data}
    assert set(traces) - {"winner"} == {"after 2 epochs", "after 6 epochs"}
    first = traces["after 2 epochs"]
    assert list(first.x) == [100 * row["curve"][0]["score"] for row in audit["candidates"]]
    assert list(first.y) == [100 * row["reference"]["mean"] for row in audit["candidates"]]
    assert list(first.error_y.array) == [100 * row["reference"]["std"] for row in audit["candidates"]]
    assert len(traces["after 6 epochs"].x) == sum(len(row["curve"]) == 2 for row in audit["candidates"])
    assert "24 epochs" in figure.layout.title.text


def test_the_winner_is_ringed_where_it_was_sampled():
    audit = an_audit(TRIALS)
    chosen = next(row for row in audit["candidates"] if len(row["curve"]) == 2)
    summary = a_summary(TRIALS, audit=audit)
    summary["winner"] = {**summary["winner"], "fingerprint": chosen["fingerprint"]}
    (ring,) = [trace for trace in audit_figure(summary).data if trace.name == "winner"]
    assert list(ring.x) == [100 * chosen["curve"][1]["score"]]


def test_one_seed_has_no_bars():
    figure = audit_figure(a_summary(TRIALS, audit=an_audit(TRIALS, seeds=1)))
    assert set(figure.data[0].error_y.array) == {0.0}


def test_nothing_to_draw():
    assert audit_figure(a_summary(TRIALS)) is None
    assert audit_figure(a_summary(TRIALS, audit=an_audit(TRIALS, n=0))) is None
