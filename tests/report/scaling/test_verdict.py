"""What a scaling study says."""

import pytest

from edgenext_search.report.scaling.verdict import (
    RankAgreement,
    Spaces,
    ranks_verdict,
    scaling_sentences,
    spaces_verdict,
)
from edgenext_search.scaling.records import RankPair

from .builders import a_comparison, a_study


@pytest.fixture(scope="module")
def study():
    return a_study()


def a_pair(tau):
    return RankPair.model_validate({"sizes": (0, 1), "n": 8, "tau": tau, "spearman": None})


def tau(low):
    return {"value": 0.8, "low": low, "high": 0.9}


@pytest.mark.parametrize(
    ("n", "taus", "verdict"),
    [
        (5, [tau(0.6)], RankAgreement.TOO_FEW),
        (8, [tau(0.6), tau(0.1)], RankAgreement.ALIKE),
        (8, [tau(0.6), tau(-0.1)], RankAgreement.NOT_ESTABLISHED),
        (8, [tau(0.6), tau(None)], RankAgreement.NOT_ESTABLISHED),
        (8, [tau(0.6), None], RankAgreement.NOT_ESTABLISHED),
        (8, [{"value": 1.0}], RankAgreement.ALIKE),
    ],
)
def test_ranks(n, taus, verdict):
    assert ranks_verdict(n, [a_pair(tau) for tau in taus]) is verdict


def test_a_study_answers_with_the_next_size(study):
    answer, sizes, ranks = scaling_sentences(study)
    assert answer.startswith("The next size, ")
    assert "At 40k, 60k and 120k the median error is 28.0, 23.0 and 17.9 %." in sizes
    assert "the order of 5 shapes says too little" in ranks


def test_what_is_open_and_what_failed_is_counted():
    empty = a_study("40k,60k", range(10), open=20)
    assert scaling_sentences(empty)[0] == "No shape has been trained at every size yet."
    assert "20 trainings are still to do." in scaling_sentences(empty)
    failed = {"space": "a", "shape": 1, "budget": {"params": 1}, "seed": 2, "reason": "why"}
    assert scaling_sentences(a_comparison(failed=[failed]))[-1].startswith("1 training failed")


def test_spaces():
    found = a_comparison()
    assert spaces_verdict(found.comparison) is Spaces.NOT_ESTABLISHED
    better = found.comparison.model_copy(update={"better": "paper"})
    assert spaces_verdict(better) is Spaces.BETTER
    assert scaling_sentences(found.model_copy(update={"comparison": better}))[0] == "paper is the better space here."
    few = a_comparison(range(0, 10, 2))
    assert spaces_verdict(few.comparison) is Spaces.TOO_FEW
    assert "edgenext has 0 scored candidates and paper 5" in scaling_sentences(few)[0]
