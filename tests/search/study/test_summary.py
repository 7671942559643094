import itertools
import json
import statistics
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import ttest_rel
from study_builders import FIRST, FakeExecutor, Lab, a_recipe, a_record, fails_for

from edgenext_search.search.store.records import Finalist
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.study.summary import gain, summarize


def a_finalist(number, *scores):
    trial = a_record(number)
    return Finalist(
        trial=number,
        origin="sampler",
        candidate=trial.candidate,
        cost=trial.cost,
        search_score=0.9,
        scores=scores,
    )


def sides(ours, theirs):
    """Winner and baseline by what they came to in the re-match, by seed."""
    return (
        replace(a_finalist(1, 0.75), rematch=tuple(sorted(ours.items()))),
        replace(a_finalist(0, 0.5), rematch=tuple(sorted(theirs.items()))),
    )


some_scores = st.dictionaries(st.integers(0, 9), st.integers(0, 1000).map(lambda n: n / 1000), max_size=8)


@given(some_scores, some_scores)
def test_the_interval_is_that_of_a_paired_t_test(ours, theirs):
    shared = sorted(ours.keys() & theirs.keys())
    mine, other = [ours[seed] for seed in shared], [theirs[seed] for seed in shared]
    assume(len({round(a - b, 6) for a, b in zip(mine, other, strict=True)}) > 1)
    found = gain(*sides(ours, theirs))
    test = ttest_rel(mine, other)
    interval = test.confidence_interval(0.95)
    assert (found["confidence"], found["n"]) == (0.95, len(shared))
    assert found["mean"] == pytest.approx(statistics.fmean(mine) - statistics.fmean(other))
    assert found["low"] == pytest.approx(interval.low, abs=1e-9)
    assert found["high"] == pytest.approx(interval.high, abs=1e-9)
    assert found["p"] == pytest.approx(test.pvalue, abs=1e-9)


def test_pairs_that_all_differ_equally_say_nothing_of_the_spread():
    """As with scores of few images; what is left of 0.6 - 0.55 and 0.55 - 0.5 beyond rounding is no spread."""
    found = gain(*sides({1: 0.55, 2: 0.6}, {1: 0.5, 2: 0.55}))
    assert found == {"mean": pytest.approx(0.05), "low": None, "high": None, "confidence": 0.95, "p": None, "n": 2}


@pytest.mark.parametrize(
    ("ours", "theirs", "mean", "n"),
    [
        ({}, {}, 0.25, 0),  # of the seeds that chose
        ({1: 0.5}, {2: 0.5}, 0.25, 0),
        ({1: 0.5, 2: 0.5}, {2: 0.375}, 0.125, 1),
    ],
    ids=["no re-match", "no pair", "one pair"],
)
def test_there_is_no_interval_without_two_pairs(ours, theirs, mean, n):
    found = gain(*sides(ours, theirs))
    assert (found["low"], found["high"], found["p"]) == (None, None, None)
    assert (found["mean"], found["n"]) == (mean, n)


def test_the_baseline_does_not_beat_itself():
    winner, _ = sides({1: 0.5, 2: 0.75}, {})
    assert gain(winner, winner) == {"mean": 0, "low": None, "high": None, "confidence": 0.95, "p": None, "n": 0}


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


def test_a_summary_of_a_finished_study(folder):
    lab = Lab(a_recipe())
    lab.run()
    store = lab.store()
    store.set_fact("data", {"name": "built-in", "classes": 16, "train_images": 9, "val_images": 3, "fingerprint": "x"})
    store.set_fact("conditions", {"device": "cpu"})
    store.set_fact("complete", True)
    store.set_fact("seconds", 12.345)
    summary = summarize(folder, lab.recipe, store)
    assert json.loads(json.dumps(summary)) == summary
    assert summary["status"] == "complete"
    assert summary["budget"] == {"params": 60_000}
    assert summary["deployment"] == {"num_classes": 10, "img_size": 64}
    assert summary["trials"] == {"complete": 5, "pruned": 3, "failed": 0, "open": 0}
    assert summary["fidelity"] == {
        "img_size": lab.recipe.proxy.img_size,
        "epochs": 4,
        "rungs": [2, 4],
        "rank_by": "train_loss",
        "train_images": 9,
        "val_images": 3,
    }
    assert "fingerprint" not in summary["data"]
    assert summary["seconds"] == 12.3
    ranked = [finalist.to_dict() for finalist in lab.finalists()]
    assert summary["finalists"] == ranked
    assert summary["winner"] == ranked[0]
    assert [row["trial"] for row in ranked if row["rematch"]] == [ranked[0]["trial"], 0]
    assert summary["objectives"] == ["accuracy"]
    assert summary["front"] == [{**ranked[0], "model_dir": None}]
    assert summary["baseline"]["origin"] == FIRST
    assert summary["baseline"]["trial"] == 0
    rematch = [summary[side]["rematch"] for side in ("winner", "baseline")]
    assert summary["gain"]["mean"] == pytest.approx(rematch[0]["mean"] - rematch[1]["mean"])
    assert (summary["gain"]["n"], rematch[0]["n"]) == (2, 2)
    assert summary["winner"]["score"]["n"] == 2
    assert (summary["run"], summary["report"]) == (str(folder.path), str(folder.report_file))
    assert summary["model_dir"] is None
    (folder.winners / ranked[0]["fingerprint"]).mkdir(parents=True)
    assert summarize(folder, lab.recipe, store)["model_dir"] == str(folder.winners / ranked[0]["fingerprint"])


def test_the_front_of_several_objectives(folder):
    lab = Lab(a_recipe(trials=12, cohort=6, finalists=4, objectives=["accuracy", "madds"]))
    lab.run()
    summary = summarize(folder, lab.recipe, lab.store())
    assert summary["objectives"] == ["accuracy", "madds"]
    front = summary["front"]
    assert [{**row, "model_dir": None} for row in front] == front
    assert {key: value for key, value in front[0].items() if key != "model_dir"} == summary["winner"]
    for before, row in itertools.pairwise(front):
        assert before["score"]["mean"] > row["score"]["mean"]
        assert before["madds"] > row["madds"]
    dominated = [row for row in summary["finalists"] if row["trial"] not in {member["trial"] for member in front}]
    for row in dominated:
        assert any(m["score"]["mean"] >= row["score"]["mean"] and m["madds"] <= row["madds"] for m in front)
    assert len(front) > 1
    (folder.winners / front[1]["fingerprint"]).mkdir(parents=True)
    found = summarize(folder, lab.recipe, lab.store())
    assert [row["model_dir"] for row in found["front"][:2]] == [None, str(folder.winners / front[1]["fingerprint"])]
    assert found["model_dir"] is None


def test_a_summary_before_anything_happened(folder):
    lab = Lab(a_recipe())
    summary = summarize(folder, lab.recipe, lab.store())
    assert summary["status"] == "interrupted"
    assert summary["trials"] == {"complete": 0, "pruned": 0, "failed": 0, "open": 0}
    for key in ("winner", "baseline", "gain", "model_dir"):
        assert summary[key] is None
    assert summary["finalists"] == summary["front"] == []
    json.dumps(summary)


def test_a_summary_in_the_middle_of_a_cohort(folder):
    lab = Lab(a_recipe())
    executor = FakeExecutor()
    lab.run(executor, should_stop=lambda: len(executor.given) >= 8)
    summary = summarize(folder, lab.recipe, lab.store())
    assert summary["trials"]["open"] == 4
    assert summary["winner"]["score"]["n"] == 1


def test_of_a_rematch_that_was_cut_off_the_pairs_count(folder):
    lab = Lab(a_recipe(rematch_seeds=4))
    executor = FakeExecutor()
    whole = FakeExecutor()
    Lab(a_recipe(rematch_seeds=4)).run(whole)
    lab.run(executor, should_stop=lambda: len(executor.given) >= len(whole.given) - 3)
    summary = summarize(folder, lab.recipe, lab.store())
    assert summary["gain"]["n"] == 2  # of five trainings: three of one side, two of the other
    sides = [summary[side]["rematch"] for side in ("winner", "baseline")]
    assert [side["n"] for side in sides] == [2, 2]
    assert summary["gain"]["mean"] == pytest.approx(sides[0]["mean"] - sides[1]["mean"])


def test_without_a_baseline_there_is_no_gain(folder):
    lab = Lab(a_recipe())
    first = Lab(a_recipe(trials=1))
    first.run()
    lab.run(FakeExecutor(fails_for(first.trials()[0].candidate.fingerprint)))
    summary = summarize(folder, lab.recipe, lab.store())
    assert summary["trials"]["failed"] == 1
    assert summary["winner"] is not None
    assert (summary["baseline"], summary["gain"]) == (None, None)
