"""Several runs are ranked where that is allowed."""

import json

import pytest

from edgenext_search.report.comparison.results import Outcome, best_runs, compare_runs, outcome
from edgenext_search.report.trials.study import Study
from edgenext_search.search.comparability import Difference

from ..builders import a_finalist, a_summary, some_trials

DIFFERENCE = Difference(topic="data", key="images", values=("a", "b"))


def a_run(name="one", *, count=20, seed=0, **changes):
    trials = some_trials(count, seed=seed)
    return Study(a_summary(trials, **changes), trials, name)


def lucky():
    run = a_run("lucky", seed=1)
    winner = a_finalist(run.trials[0], mean=0.99, n=1, fresh_seeds=0)
    return Study(run.summary.model_copy(update={"winner": winner}), run.trials, "lucky")


def far_ahead(*, std=0.012, n=3):
    run = a_run("far", seed=1)
    winner = a_finalist(run.trials[0], mean=0.99, std=std, n=n)
    return Study(run.summary.model_copy(update={"winner": winner}), run.trials, "far")


@pytest.mark.parametrize(
    ("runs", "differences", "found", "best"),
    [
        ([a_run("one"), a_run("two", seed=1)], [], Outcome.AHEAD, 1),
        ([a_run("one"), far_ahead()], [], Outcome.BEST, 1),
        ([a_run("one"), far_ahead(std=None, n=1)], [], Outcome.AHEAD, 1),  # a single seed establishes nothing
        ([a_run("one"), a_run("two")], [], Outcome.LEVEL, 2),
        ([a_run("one"), a_run("empty", count=0)], [], Outcome.ONLY_WINNER, 1),
        ([a_run("one"), lucky()], [], Outcome.ONLY_WINNER, 1),  # a score of the search is not ranked
        ([a_run("empty", count=0)] * 2, [], Outcome.NO_WINNER, 0),
        ([a_run("one"), a_run("two", seed=1)], [DIFFERENCE], Outcome.NOT_COMPARABLE, 0),
    ],
)
def test_truth_table(runs, differences, found, best):
    result = compare_runs(runs, differences)
    assert outcome(result) is found
    assert len(best_runs(result)) == best
    assert result.comparable == (not differences)
    json.dumps(result.to_dict())


def test_the_best_comes_first():
    runs = [a_run(str(seed), seed=seed) for seed in range(3)]
    by_score = sorted(runs, key=lambda run: -run.summary.winner.score.mean)
    assert compare_runs(runs, []).ranking == tuple(run.name for run in by_score)
