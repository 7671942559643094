import itertools
import json
import math
import statistics

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import t
from study_builders import FIRST, FakeExecutor, Lab, a_recipe, a_record, fails_for

from edgenext_search.execution.conditions import RunConditions
from edgenext_search.search.results import Fidelity, Gain, RunSummary, TrialCounts
from edgenext_search.search.store.records import DataFacts, StudyFacts
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.study.finalists import as_finalist
from edgenext_search.search.study.summary import gain, summarize

WINNER, BASELINE = as_finalist(a_record(1), [0.75]), as_finalist(a_record(0), [0.5])

some_pairs = st.lists(st.tuples(*[st.integers(0, 1000).map(lambda n: n / 1000)] * 2), min_size=2, max_size=8)


@given(some_pairs)
def test_the_interval_is_that_of_a_paired_t_test(pairs):
    """Student 1908, by the quantiles of the distribution."""
    differences = [ours - theirs for ours, theirs in pairs]
    assume(len({round(difference, 6) for difference in differences}) > 1)
    found = gain(WINNER, BASELINE, pairs)
    mean, error = statistics.fmean(differences), statistics.stdev(differences) / math.sqrt(len(pairs))
    half = t.ppf(0.975, len(pairs) - 1) * error
    assert (found.confidence, found.n) == (0.95, len(pairs))
    assert found.mean == mean
    assert found.low == pytest.approx(mean - half, abs=1e-9)
    assert found.high == pytest.approx(mean + half, abs=1e-9)
    assert found.p == pytest.approx(2 * t.sf(abs(mean) / error, len(pairs) - 1), abs=1e-9)


@pytest.mark.parametrize(
    ("pairs", "mean"),
    [
        ([], 0.25),  # of the seeds that chose
        ([(0.5, 0.375)], 0.125),
        ([(0.55, 0.5), (0.6, 0.55)], statistics.fmean([0.55 - 0.5, 0.6 - 0.55])),  # rounding is no spread
    ],
    ids=["no pair", "one pair", "all differ equally"],
)
def test_there_is_no_interval_without_two_pairs_that_differ(pairs, mean):
    assert gain(WINNER, BASELINE, pairs) == Gain(mean=mean, confidence=0.95, n=len(pairs))


def test_the_baseline_does_not_beat_itself():
    assert gain(WINNER, WINNER, []) == Gain(mean=0, confidence=0.95, n=0)


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


def summary_of(lab, folder):
    return summarize(folder, lab.recipe, lab.store())


def test_a_summary_of_a_finished_study(folder):
    lab = Lab(a_recipe())
    lab.run()
    store = lab.store()
    data = DataFacts(name="built-in", classes=16, train_images=9, val_images=3, fingerprint="x")
    conditions = RunConditions(device="cpu", parallel=1, threads=1, host_cores=2)
    store.record_facts(StudyFacts(data=data, conditions=conditions, complete=True, seconds=12.345))
    summary = summary_of(lab, folder)
    assert RunSummary.read(json.loads(json.dumps(summary.to_dict())), where="x") == summary
    assert summary.status == "complete"
    assert summary.budget == {"params": 60_000}
    assert summary.deployment.to_dict() == {"num_classes": 10, "img_size": 64}
    assert summary.trials == TrialCounts(complete=5, pruned=3)
    assert summary.fidelity == Fidelity(
        img_size=lab.recipe.proxy.img_size,
        epochs=4,
        rungs=(2, 4),
        rank_by="train_loss",
        train_images=9,
        val_images=3,
    )
    assert "fingerprint" not in summary.to_dict()["data"]
    assert summary.seconds == 12.3
    assert list(summary.finalists) == lab.finalists()
    winner, baseline = summary.winner, summary.baseline
    assert winner == summary.finalists[0]
    assert [f.trial for f in summary.finalists if f.rematch] == [winner.trial, 0]
    assert summary.objectives == ("accuracy",)
    assert summary.front == (winner,)
    assert (baseline.origin, baseline.trial) == (FIRST, 0)
    assert summary.gain.mean == pytest.approx(winner.rematch.mean - baseline.rematch.mean)
    assert (summary.gain.n, winner.rematch.n, winner.score.n) == (2, 2, 2)
    assert (summary.run, summary.report) == (str(folder.path), str(folder.report_file))


def test_model_folders_are_named_where_they_are(folder):
    lab = Lab(a_recipe(trials=12, cohort=6, finalists=4, objectives=["accuracy", "madds"]))
    lab.run()
    other = summary_of(lab, folder).front[1]
    (folder.winners / other.fingerprint).mkdir(parents=True)
    summary = summary_of(lab, folder)
    assert summary.model_dir is None
    assert [f.model_dir for f in summary.front[:2]] == [None, str(folder.winners / other.fingerprint)]
    (folder.winners / summary.winner.fingerprint).mkdir()
    assert summary_of(lab, folder).model_dir == str(folder.winners / summary.winner.fingerprint)


def test_the_front_of_several_objectives(folder):
    lab = Lab(a_recipe(trials=12, cohort=6, finalists=4, objectives=["accuracy", "madds"]))
    lab.run()
    summary = summary_of(lab, folder)
    front = summary.front
    assert len(front) > 1
    assert front[0] == summary.winner
    for before, after in itertools.pairwise(front):
        assert before.score.mean > after.score.mean
        assert before.madds > after.madds
    for dominated in set(summary.finalists) - set(front):
        assert any(f.score.mean >= dominated.score.mean and f.madds <= dominated.madds for f in front)


def test_a_summary_before_anything_happened(folder):
    summary = summary_of(Lab(a_recipe()), folder)
    assert summary.status == "interrupted"
    assert summary.trials == TrialCounts()
    assert (summary.winner, summary.baseline, summary.gain, summary.model_dir) == (None,) * 4
    assert (summary.data, summary.conditions) == (None, None)
    assert summary.finalists == summary.front == ()


def test_a_summary_in_the_middle_of_a_cohort(folder):
    lab = Lab(a_recipe())
    executor = FakeExecutor()
    lab.run(executor, should_stop=lambda: len(executor.given) >= 8)
    summary = summary_of(lab, folder)
    assert summary.trials.open == 4
    assert summary.winner.score.n == 1


def test_of_a_rematch_that_was_cut_off_the_pairs_count(folder):
    lab = Lab(a_recipe(rematch_seeds=4))
    executor = FakeExecutor()
    whole = FakeExecutor()
    Lab(a_recipe(rematch_seeds=4)).run(whole)
    lab.run(executor, should_stop=lambda: len(executor.given) >= len(whole.given) - 3)
    summary = summary_of(lab, folder)
    ours, theirs = summary.winner.rematch, summary.baseline.rematch
    assert summary.gain.n == ours.n == theirs.n == 2  # of five trainings: three of one side, two of the other
    assert summary.gain.mean == pytest.approx(ours.mean - theirs.mean)


def test_without_a_baseline_there_is_no_gain(folder):
    lab = Lab(a_recipe())
    first = Lab(a_recipe(trials=1))
    first.run()
    lab.run(FakeExecutor(fails_for(first.trials()[0].candidate.fingerprint)))
    summary = summary_of(lab, folder)
    assert summary.trials.failed == 1
    assert summary.winner is not None
    assert (summary.baseline, summary.gain) == (None, None)
