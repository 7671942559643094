import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_builders import a_record

from edgenext_search.search.store.records import Score, StudyFacts


@given(st.lists(st.floats(0, 1), min_size=2, max_size=9))
def test_a_score_is_mean_and_sample_deviation(scores):
    score = Score.of(scores)
    assert score.n == len(scores)
    assert score.mean == pytest.approx(sum(scores) / len(scores))
    spread = sum((value - score.mean) ** 2 for value in scores) / (len(scores) - 1)
    assert score.std == pytest.approx(spread**0.5, abs=1e-9)
    assert score.to_dict() == {"mean": score.mean, "std": score.std, "n": score.n}


def test_one_seed_has_no_deviation():
    assert Score.of([0.5]) == Score(mean=0.5, std=None, n=1)
    with pytest.raises(statistics.StatisticsError):
        Score.of([])


def test_a_trial_is_as_good_as_at_its_last_rung():
    trial = a_record(1, scores=(0.7, 0.4), rungs=(2, 6))
    assert (trial.score, trial.epochs) == (0.4, 6)
    nothing = a_record(1, scores=())
    assert (nothing.score, nothing.epochs) == (None, 0)


def test_the_time_so_far(monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1000.0)
    facts = StudyFacts(began=990.0)
    assert facts.seconds_so_far(5.0, running=True) == 15.0
    assert facts.seconds_so_far(5.0, running=False) == 5.0
    assert StudyFacts(began=2000.0).seconds_so_far(5.0, running=True) == 5.0  # the clock was set back
    assert StudyFacts().seconds_so_far(5.0, running=True) == 5.0
