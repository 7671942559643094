"""What the figures show, and what they never mix."""

import json
from dataclasses import replace

import pytest

from edgenext_search.report.run.front import history_figure, pareto_figure, pareto_section
from edgenext_search.report.trials.pareto import front_trials
from edgenext_search.report.trials.study import Study

from ..builders import a_finalist, a_summary, a_trial, some_trials, text_of

TRIALS = some_trials(32, failed=2)
SUMMARY = a_summary(TRIALS)
STUDY = Study(SUMMARY, TRIALS)


def a_study(trials, **changes):
    return Study(a_summary(trials, **changes), trials)


@pytest.mark.parametrize("name", ["params", "madds", "acts"])
def test_fidelities_never_share_a_series_or_a_scale(name):
    shown = pareto_figure(STUDY, name).named()
    full, stopped = shown["trained 6 epochs"], shown["stopped at 2 epochs"]
    assert (full.style.filled, stopped.style.filled) == (True, False)
    assert (full.panel, stopped.panel) == (0, 1)
    scores = {trial.score for trial in TRIALS if trial.state == "complete" and trial.origin == "sampler"}
    assert sorted(full.y) == pytest.approx(sorted(100 * score for score in scores))
    assert [TRIALS[row].score * 100 for row in full.rows] == pytest.approx(list(full.y))


def test_each_rung_has_its_own_mark():
    trials = [*TRIALS, replace(a_trial(99, scores=(0.5,)), curve=((2, 0.4), (4, 0.5)))]
    shown = pareto_figure(Study(SUMMARY, trials)).named()
    assert shown["stopped at 2 epochs"].style.shape != shown["stopped at 4 epochs"].style.shape


def test_axes_state_fidelity_and_deployment():
    figure = pareto_figure(STUDY, "params")
    assert figure.y_label == "Top-1 on held-out training images, % (48 px, 6 epochs)"
    assert figure.x_label == "Parameters at 1000 classes, M"
    assert pareto_figure(STUDY, "madds").x_label == "Multiply-adds at 1000 classes, 256 px, M"


def test_front_is_a_step_through_the_undominated():
    line = pareto_figure(STUDY).named()["Pareto front"]
    front = front_trials(TRIALS, "params")
    assert line.style.kind == "step"
    assert list(line.x[:-1]) == [trial.cost.params / 1e6 for trial in front]
    assert line.y[-1] == line.y[-2]


def test_cap_is_drawn_where_the_cost_is_capped():
    def marks(name, budget):
        return list(pareto_figure(a_study(TRIALS, budget=budget), name).marks)

    assert marks("params", {"params": 1_300_000}) == [(1.3, "budget 1.3M")]
    assert marks("madds", {"params": 1_300_000}) == []
    assert marks("madds", {"madds": 260_000_000}) == [(260, "budget 260M")]


def test_latency_is_in_milliseconds():
    trials = [replace(trial, cost=replace(trial.cost, latency=8_500)) for trial in TRIALS]
    figure = pareto_figure(a_study(trials, budget={"latency": 10_000}), "latency")
    assert figure.marks == ((10.0, "budget 10ms"),)
    assert set(figure.named()["trained 6 epochs"].x) == {8.5}


def test_published_shapes_are_labelled_stars():
    trials = [a_trial(0, origin="edgenext_xx_small"), a_trial(1, scores=(0.3,), origin="edgenext_small")]
    shown = pareto_figure(a_study(trials)).named()
    assert shown["published shape, scaled"].style.shape == "star"
    assert list(shown["published shape, scaled"].labels) == ["XXS"]
    stopped = shown["published shape, scaled, stopped early"]
    assert (stopped.style.filled, stopped.panel) == (False, 1)
    assert list(stopped.labels) == ["S"]


def test_winner_is_ringed_at_its_trial():
    ring = pareto_figure(STUDY).named()["winner"]
    winner = next(trial for trial in TRIALS if trial.number == SUMMARY.winner.trial)
    assert list(ring.x) == [winner.cost.params / 1e6]
    assert "winner" not in pareto_figure(a_study(TRIALS, winner=None)).named()


def test_finalists_have_bars_only_with_fresh_seeds():
    bars = pareto_figure(STUDY).named()["finalist, fresh seeds: mean ± std"]
    halves = [high - mean for high, mean in zip(bars.high, bars.y, strict=True)]
    assert halves == pytest.approx([1.2] * len(SUMMARY.finalists))
    trial = TRIALS[0]
    alone = a_finalist(trial, mean=trial.score, std=None, n=1, fresh_seeds=0)
    study = a_study(TRIALS, finalists=[alone], winner=alone, baseline=alone)
    assert not any("finalist" in name for name in pareto_figure(study).named())


def test_history_follows_the_best_of_full_fidelity():
    trials = [
        a_trial(0, scores=(0.4, 0.6)),
        a_trial(1, scores=(0.99,)),
        a_trial(2, scores=(0.4, 0.5)),
        a_trial(3, scores=(0.4, 0.7)),
        replace(a_trial(4), state="failed", curve=(), reason="out of memory"),
    ]
    shown = history_figure(a_study(trials)).named()
    assert list(shown["best so far"].x) == [0, 3, 4]
    assert list(shown["best so far"].y) == pytest.approx([60, 70, 70])
    assert (list(shown["failed"].rows), shown["failed"].panel) == ([4], 1)


def test_history_bands_are_cohorts():
    figure = history_figure(STUDY)
    assert list(figure.bands) == [(-0.5, 7.5, "0"), (7.5, 15.5, "1"), (15.5, 23.5, "2"), (23.5, 31.5, "3")]


@pytest.mark.parametrize(
    "trials",
    [[], some_trials(1), some_trials(4, failed=4), [a_trial(0, scores=(0.5,))]],
    ids=["none", "one", "all failed", "all stopped"],
)
def test_sparse_studies_are_drawn(trials):
    for figure in (pareto_figure(a_study(trials)), history_figure(a_study(trials))):
        json.dumps(figure.to_dict(), allow_nan=False)


def test_failed_and_unscored_trials_are_no_stopped_trials():
    trials = [
        a_trial(0),
        a_trial(1, scores=(0.4, float("nan"))),
        replace(a_trial(2, scores=(0.4,)), state="failed", reason="killed"),
    ]
    for figure in (pareto_figure(a_study(trials)), history_figure(a_study(trials))):
        assert not any("stopped" in name for name in figure.named())


def test_the_objectives_come_first_and_memory_only_where_it_is_asked_for():
    def tabs(**changes):
        return [label for label, _ in pareto_section(a_study(TRIALS, **changes)).blocks[0].panels]

    assert tabs() == ["Parameters and multiply-adds", "Activations"]
    assert tabs(objectives=["accuracy", "acts"])[0] == "Activations and parameters"
    assert tabs(budget={"memory": 2_000_000})[1] == "Activations and peak memory"
    assert pareto_section(a_study([])) is None
    assert "there is no front" in text_of(pareto_section(a_study([a_trial(0, scores=(0.4,))])))
