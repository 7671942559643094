"""Numbers and networks in words."""

import math

import pytest

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.metrics import METRICS
from edgenext_search.report import wording
from edgenext_search.search.ranking.results import EstimateResult
from edgenext_search.search.results import DeploymentResult
from edgenext_search.search.store.records import Score


def test_budgets():
    caps = {"params": 1_300_000, "madds": 260_000_000, "latency": 10_000}
    assert wording.budget_text(caps) == "≤ 1.3M parameters, ≤ 260M multiply-adds, ≤ 10ms latency"
    assert wording.caps_text({"params": 1_300_000}) == "1.3M"
    assert wording.caps_text({"madds": 3 * 10**8}) == "madds 300M"


def test_lists():
    assert [wording.listed(["a", "b", "c"][:n]) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]


@pytest.mark.parametrize(
    ("difference", "text"),
    [(0.05, "+5.0"), (-0.012, "−1.2"), (0.0, "0.0"), (0.0003, "+0.03"), (1e-9, "0.00"), (None, "–"), (math.nan, "–")],
)
def test_points(difference, text):
    assert wording.points(difference) == text


def test_scores_and_intervals():
    assert wording.score_text(Score(mean=0.71, std=0.012, n=2)) == "71.0 ± 1.2 (n = 2)"
    assert wording.score_text(Score(mean=0.71, std=None, n=1)) == "71.0 (n = 1)"
    assert wording.percent(math.nan) == "–"
    assert wording.range_text(EstimateResult(value=0.5, low=0.25, high=0.75)) == "0.50 (0.25 to 0.75)"
    assert wording.range_text(EstimateResult(value=-0.5), 1) == "−0.5"
    assert wording.range_text(None) == "–"


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


def test_axes_state_the_deployment():
    deployment = DeploymentResult(num_classes=1000, img_size=256)
    assert wording.cost_label(METRICS["params"], deployment) == "Parameters at 1000 classes, M"
    assert wording.cost_label(METRICS["latency"], deployment) == "Predicted latency at 1000 classes, 256 px, ms"
