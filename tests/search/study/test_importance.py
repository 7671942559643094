"""Importances of the space's parameters."""

from types import SimpleNamespace

import pytest

from edgenext_search.arch.spaces.parameter import Choice
from edgenext_search.search.store.records import TrialRecord
from edgenext_search.search.study.importance import importance

SPACE = SimpleNamespace(
    parameters=[Choice(name="matters", values=(1, 2, 3, 4)), Choice(name="idle", values=(1, 2, 3, 4))]
)


def a_store(scores):
    """A record of trials whose parameter ``matters`` runs fast and ``idle`` slowly; scores by their place."""
    values = [{"matters": index % 4 + 1, "idle": index // 4 % 4 + 1} for index in range(len(scores))]
    trials = [
        TrialRecord(
            number=number, state="complete", cohort=0, origin="sampler", candidate=None, cost=None,
            curve=((3, score),), seconds=1.0, seed=0,
        )
        for number, score in enumerate(scores)
    ]  # fmt: skip
    return SimpleNamespace(records=lambda: trials, values=lambda: values)


RECIPE = SimpleNamespace(
    proxy=SimpleNamespace(rung_epochs=(3,)), search=SimpleNamespace(rank_by="top1", stopped="regression"), space=SPACE
)


@pytest.mark.parametrize("sign", [1, -1])
def test_what_decides_the_score_comes_first(sign):
    found = importance(a_store([0.5 + sign * 0.1 * (index % 4) + 0.0001 * (index % 7) for index in range(64)]), RECIPE)
    assert list(found.values) == ["matters", "idle"]
    assert found.values["matters"] > 0.9
    assert sum(found.values.values()) == pytest.approx(1)
    assert (found.method, found.n) == ("PED-ANOVA", 64)


def test_it_is_of_the_best_not_of_the_worst():
    """All of the best quarter share a value of ``matters``; the worst three quarters are noise in it."""
    scores = [0.9 if index % 4 == 0 else 0.1 + 0.01 * (index // 4 % 4) for index in range(64)]
    assert next(iter(importance(a_store(scores), RECIPE).values)) == "matters"


def test_few_trials_or_equal_scores_say_nothing():
    assert importance(a_store([0.1 * index for index in range(8)]), RECIPE) is None
    assert importance(a_store([0.5] * 64), RECIPE) is None
