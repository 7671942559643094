"""Numbers and networks in words."""

from __future__ import annotations

import math

import pytest

from edgenext_search.arch.candidate import Candidate
from edgenext_search.report import wording
from edgenext_search.report.wording import ranked

from .builders import a_finalist, a_summary, a_trial, some_trials, unscored


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.000k"),
        (1_287_344, "1.287M"),
        (12_345_678, "12.35M"),
        (260_576_008, "260.6M"),
        (2_400_000_000, "2.400G"),
    ],
)
def test_counts(count, text):
    assert wording.count_text(count) == text


@pytest.mark.parametrize(
    ("cap", "text"),
    [
        (1_300_000, "1.3M"),
        (1_327_216, "1,327,216"),
        (260e6, "260M"),
        (1e9, "1G"),
        (5000, "5k"),
        (10, "10"),
        (2.5, "2.5"),
    ],
)
def test_caps_are_exact(cap, text):
    assert wording.cap_text(cap) == text


def test_budget():
    text = wording.budget_text({"params": 1_300_000, "madds": 260_000_000, "latency": 10_000})
    assert text == "≤ 1.3M parameters, ≤ 260M MAdds, ≤ 10 ms latency"


def test_lists_and_costs():
    assert [wording.listed(["a", "b", "c"][:n]) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]
    assert wording.cost_text("madds", 260_576_008) == "260.6M MAdds"
    assert wording.cost_text("memory", 2_097_152) == "2.097MB peak activation memory"
    assert wording.costs_of_front({"objectives": ["accuracy", "acts"]}) == ["acts"]
    assert wording.costs_of_front({}) == []


@pytest.mark.parametrize(
    ("difference", "text"),
    [(0.05, "+5.0"), (-0.012, "−1.2"), (0.0, "0.0"), (0.0003, "+0.03"), (1e-9, "0.00"), (None, "–"), (math.nan, "–")],  # noqa: RUF001
)
def test_points(difference, text):
    assert wording.points(difference) == text


def test_scores():
    assert wording.score_text({"mean": 0.71, "std": 0.012, "n": 2}) == "71.0 ± 1.2 (n = 2)"
    assert wording.score_text({"mean": 0.71, "std": None, "n": 1}) == "71.0 (n = 1)"
    assert wording.percent(math.nan) == "–"  # noqa: RUF001


@pytest.mark.parametrize(
    ("origin", "text"),
    [
        ("sampler", "search"),
        ("edgenext_xx_small", "EdgeNeXt-XXS, scaled"),
        ("edgenext_huge", "edgenext_huge, scaled"),
        ("by hand", "by hand"),
    ],
)
def test_origins(origin, text):
    assert wording.origin_text(origin) == text


def test_unused_fields_are_marked():
    candidate = Candidate(
        widths=(24, 48, 88, 168),
        depths=(2, 2, 6, 2),
        kernel_sizes=(3, 5, 7, 9),
        sdta_splits=(2, 2, 3, 4),
        sdta_blocks=(0, 1, 1, 2),
        heads=(4, 4, 4, 4),
    )
    assert wording.stages_text(candidate, "widths") == "24-48-88-168"
    assert wording.stages_text(candidate, "kernel_sizes") == "3-5-7-x"
    assert wording.stages_text(candidate, "sdta_splits") == "x-2-3-4"
    assert wording.stage_values(candidate, "pos_emb", "") == ["", "yes", "no", "no"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.25, "3.2 s"), (59.99, "1 min 0 s"), (172.4, "2 min 52 s"), (7384, "2 h 3 min"), (90000, "1 d 1 h")],
)
def test_durations(seconds, text):
    assert wording.duration_text(seconds) == text


def test_seeds():
    trials = some_trials(8)
    assert wording.seeds_text(a_summary(trials)) == "3 fresh seeds each"
    assert wording.seeds_text(a_summary()) == "not scored again with fresh seeds"
    mixed = [a_finalist(a_trial(number), mean=0.5, n=number) for number in (2, 4)]
    assert wording.seeds_text(a_summary(finalists=mixed)) == "2 to 4 fresh seeds each"
    one = a_summary(finalists=[a_finalist(a_trial(), mean=0.5, std=None, n=1)])
    assert wording.seeds_text(one) == "one fresh seed each"


def test_the_searchs_score_is_no_fresh_seed():
    summary = a_summary(some_trials(8))
    assert wording.is_rescored(summary)
    young = unscored(summary)
    assert wording.seeds_text(young) == "not scored again with fresh seeds"
    assert not wording.is_rescored(young)
    under_way = {**young, "finalists": [*young["finalists"][:-1], summary["finalists"][-1]]}
    assert wording.seeds_text(under_way) == "0 to 3 fresh seeds each"
    assert not wording.is_rescored(under_way)
    assert wording.is_rescored({**under_way, "status": "complete"})
    assert not wording.is_rescored(a_summary())


@pytest.mark.parametrize(
    ("rank_by", "objectives", "says"),
    [
        ("train_loss", ["accuracy"], "by the mean training loss that all trials together lead to expect"),
        ("top1", ["accuracy", "madds"], "by the top-1 that all trials together lead to expect and by costs"),
        (None, ["accuracy"], "by the score that all trials together lead to expect"),
    ],
)
def test_what_chooses_the_finalists_is_said(rank_by, objectives, says):
    summary = a_summary(objectives=objectives)
    summary["fidelity"] = {**summary["fidelity"], "rank_by": rank_by}
    assert wording.chosen_text(summary) == f"Finalists are chosen {says}"


def test_a_baseline_outside_the_finalists_is_shown_without_rank():
    winner, baseline = a_finalist(a_trial(1), mean=0.7), a_finalist(a_trial(0), mean=0.6)
    rows = ranked(a_summary(finalists=[winner], winner=winner, baseline=baseline))
    assert [(rank, row["trial"], difference) for rank, row, difference in rows] == [
        ("1", 1, "+10.0"),
        ("–", 0, "–"),  # noqa: RUF001
    ]
    assert [rank for rank, *_ in ranked(a_summary(finalists=[winner, baseline], baseline=baseline))] == ["1", "2"]


def test_the_rematch_of_winner_and_baseline():
    summary = a_summary([a_trial(number, curve=[(6, 0.6 + 0.1 * number)]) for number in (0, 1)])
    assert wording.rematch_text(summary) == ""
    assert wording.shown_score(summary["winner"]) == summary["winner"]["score"]
    for side, mean in (("winner", 0.65), ("baseline", 0.62)):
        summary[side] = {**summary[side], "rematch": {"mean": mean, "std": 0.012, "n": 5}}
    assert (
        wording.rematch_text(summary)
        == "Re-match on further seeds: winner 65.0 ± 1.2 (n = 5), baseline 62.0 ± 1.2 (n = 5)."
    )
    assert wording.shown_score(summary["winner"])["mean"] == 0.65
    assert wording.rematch_text({**summary, "baseline": summary["winner"]}) == ""
    assert wording.rematch_text(a_summary()) == ""
