"""What the figures show, and what they never mix."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgenext_search.report.figures import history_figure, pareto_figure
from edgenext_search.report.pareto import front_trials

from .builders import HOSTILE, a_finalist, a_summary, a_trial, some_trials

TRIALS = some_trials(32, failed=2)
SUMMARY = a_summary(TRIALS)


def traces(figure):
    return {trace.name: trace for trace in figure.data}


@pytest.mark.parametrize("name", ["params", "madds", "acts"])
def test_fidelities_never_share_a_trace_or_a_scale(name):
    shown = traces(pareto_figure(TRIALS, SUMMARY, name))
    full, stopped = shown["trained 6 epochs"], shown["stopped at 2 epochs"]
    assert full.marker.symbol == "circle"
    assert stopped.marker.symbol.endswith("-open")
    assert (full.yaxis, stopped.yaxis) == (None, "y2")
    scores = {trial.score for trial in TRIALS if trial.state == "complete" and trial.origin == "sampler"}
    assert sorted(full.y) == pytest.approx(sorted(100 * score for score in scores))


def test_each_rung_has_its_own_mark():
    trials = [*TRIALS, replace(a_trial(99, scores=(0.5,)), curve=((2, 0.4), (4, 0.5)))]
    shown = traces(pareto_figure(trials, SUMMARY))
    assert shown["stopped at 2 epochs"].marker.symbol != shown["stopped at 4 epochs"].marker.symbol


def test_titles_state_fidelity_and_deployment():
    figure = pareto_figure(TRIALS, SUMMARY, "params")
    assert "Top-1 on held-out training images, % (48 px, 6 epochs)" in figure.layout.title.text
    assert figure.layout.xaxis.title.text == "Parameters at 1000 classes, M"
    assert pareto_figure(TRIALS, SUMMARY, "madds").layout.xaxis.title.text == (
        "Multiply-adds at 1000 classes, 256 px, M"
    )


def test_front_is_a_step_through_the_undominated():
    line = traces(pareto_figure(TRIALS, SUMMARY))["Pareto front"]
    front = front_trials(TRIALS, "params")
    assert line.line.shape == "hv"
    assert list(line.x[:-1]) == [trial.cost.params / 1e6 for trial in front]
    assert line.y[-1] == line.y[-2]


def test_cap_is_drawn_where_the_cost_is_capped():
    def dashes(name, budget):
        figure = pareto_figure(TRIALS, {**SUMMARY, "budget": budget}, name)
        return [shape.x0 for shape in figure.layout.shapes if shape.line.dash == "dash"]

    assert dashes("params", {"params": 1_300_000}) == [1.3]
    assert dashes("madds", {"params": 1_300_000}) == []
    assert dashes("madds", {"madds": 260_000_000}) == [260]


def test_published_shapes_are_labelled_stars():
    trials = [a_trial(0, origin="edgenext_xx_small"), a_trial(1, scores=(0.3,), origin="edgenext_small")]
    shown = traces(pareto_figure(trials, a_summary(trials)))
    assert shown["published shape, scaled"].marker.symbol == "star"
    assert list(shown["published shape, scaled"].text) == ["XXS"]
    stopped = shown["published shape, scaled, stopped early"]
    assert (stopped.marker.symbol, stopped.yaxis) == ("star-open", "y2")
    assert list(stopped.text) == ["S"]


def test_winner_is_ringed_at_its_trial():
    ring = traces(pareto_figure(TRIALS, SUMMARY))["winner"]
    winner = next(trial for trial in TRIALS if trial.number == SUMMARY["winner"]["trial"])
    assert list(ring.x) == [winner.cost.params / 1e6]
    assert "winner" not in traces(pareto_figure(TRIALS, {**SUMMARY, "winner": None}))


def test_finalists_have_bars_only_with_fresh_seeds():
    bars = traces(pareto_figure(TRIALS, SUMMARY))["finalist, fresh seeds: mean ± std"]
    assert list(bars.error_y.array) == pytest.approx([1.2] * len(SUMMARY["finalists"]))
    trial = TRIALS[0]
    alone = a_finalist(trial, mean=trial.score, std=None, n=1)
    summary = a_summary(TRIALS, finalists=[alone], winner=alone, baseline=alone)
    assert not any("finalist" in name for name in traces(pareto_figure(TRIALS, summary)))


def test_hover_shows_the_whole_candidate():
    trial = a_trial(5, reason=None)
    text = traces(pareto_figure([trial], a_summary([trial])))["trained 6 epochs"].hovertext[0]
    for part in (trial.candidate.fingerprint, "widths", "depths", "kernels", "splits", "heads", "expand ratio"):
        assert part in text


def test_history_follows_the_best_of_full_fidelity():
    trials = [
        a_trial(0, scores=(0.4, 0.6)),
        a_trial(1, scores=(0.99,)),
        a_trial(2, scores=(0.4, 0.5)),
        a_trial(3, scores=(0.4, 0.7)),
        replace(a_trial(4), state="failed", curve=(), reason="out of memory"),
    ]
    figure = history_figure(trials, a_summary(trials))
    best = traces(figure)["best so far"]
    assert list(best.x) == [0, 3, 4]
    assert list(best.y) == pytest.approx([60, 70, 70])
    assert "out of memory" in traces(figure)["failed"].hovertext[0]


def test_history_bands_are_cohorts():
    figure = history_figure(TRIALS, SUMMARY)
    assert [(shape.x0, shape.x1) for shape in figure.layout.shapes] == [(7.5, 15.5), (23.5, 31.5)]
    labels = [note.text for note in figure.layout.annotations]
    assert [label for label in labels if "own" not in label] == ["cohort 0", "1", "2", "3"]


@pytest.mark.parametrize(
    "trials",
    [[], some_trials(1), some_trials(4, failed=4), [a_trial(0, scores=(0.5,))]],
    ids=["none", "one", "all failed", "all stopped"],
)
def test_sparse_studies_are_drawn(trials):
    for figure in (pareto_figure(trials, a_summary(trials)), history_figure(trials, a_summary(trials))):
        json.loads(figure.to_json())


def test_plotly_reads_no_markup_from_names():
    trial = replace(a_trial(0), origin=f"edgenext_{HOSTILE}", reason=HOSTILE)
    for figure in (pareto_figure([trial], a_summary([trial])), history_figure([trial], a_summary([trial]))):
        assert "<img" not in json.dumps(json.loads(figure.to_json()))


def test_failed_and_unscored_trials_are_no_stopped_trials():
    trials = [
        a_trial(0),
        a_trial(1, scores=(0.4, float("nan"))),
        replace(a_trial(2, scores=(0.4,)), state="failed", reason="killed"),
    ]
    for figure in (pareto_figure(trials, a_summary(trials)), history_figure(trials, a_summary(trials))):
        assert not any("stopped" in name for name in traces(figure))
