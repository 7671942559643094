"""What the page's script works with."""

import json

from edgenext_search.report.trials.page_data import trials_data
from edgenext_search.report.trials.study import Study
from edgenext_search.report.trials.table import COLUMNS

from ..builders import a_latency, a_summary, a_trial, some_trials

TRIALS = some_trials(20, failed=1)


def test_columns_are_those_of_the_csv_and_json_has_no_nan():
    trials = [*TRIALS, a_trial(20, scores=(0.4, float("nan")))]
    data = trials_data([Study(a_summary(trials), trials)])
    assert list(data["columns"]) == list(COLUMNS)
    assert data["columns"]["score"][-1] is None
    assert data["curves"][-1] == [[2, 0.4], [6, None]]
    json.dumps(data, allow_nan=False)


def test_roles_are_by_row():
    summary = a_summary(TRIALS)
    data = trials_data([Study(summary, TRIALS)])
    assert data["roles"][str(summary.winner.trial)] == "winner"
    assert data["roles"]["0"] in {"baseline", "winner"}


def test_latency_is_a_cost_where_it_was_asked_for():
    assert "latency" not in [cost["key"] for cost in trials_data([Study(a_summary(TRIALS), TRIALS)])["costs"]]
    data = trials_data([Study(*a_latency(TRIALS))])
    assert {"key": "latency", "label": "Latency", "short": "Latency"} in data["costs"]
    assert any("Latency" in front for front in data["fronts"])


def test_several_runs_keep_their_rows():
    runs = [Study(a_summary(TRIALS), TRIALS, "a"), Study(a_summary(TRIALS[:3]), TRIALS[:3], "b")]
    data = trials_data(runs)
    assert data["columns"]["run"] == ["a"] * 20 + ["b"] * 3
    assert data["columns"]["number"][20:] == [0, 1, 2]
    assert data["roles"]["20"] in {"baseline", "winner"}
