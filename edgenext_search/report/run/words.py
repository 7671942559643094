"""Words about a run that several topics need: its scores, what chose the finalists, what the axes of figures show."""

from __future__ import annotations

from collections.abc import Sequence

from edgenext_search.arch.metrics import METRICS, CostName
from edgenext_search.report.wording import RANKING_METRICS, deployment_text, fidelity_text, listed, score_text
from edgenext_search.search.results import Finalist, RunSummary
from edgenext_search.search.store.records import Score


def is_same(one: Finalist | None, other: Finalist | None) -> bool:
    """Whether two finalists are the same network; False where one is missing."""
    return one is not None and other is not None and one.fingerprint == other.fingerprint


def shown_score(finalist: Finalist) -> Score:
    """The score that says how good a finalist is: that of the re-match, whose seeds chose nothing, if there is one."""
    return finalist.rematch or finalist.score


def objective_costs(summary: RunSummary) -> list[CostName]:
    """The costs among a study's objectives; none where it optimized accuracy alone."""
    return [name for name in METRICS if name in summary.objectives]


def objectives_text(costs: Sequence[CostName]) -> str:
    """Top-1 and costs: ``top-1, parameters and latency``."""
    return listed(["top-1", *(METRICS[name].words for name in costs)])


def is_rescored(summary: RunSummary) -> bool:
    """Whether the finalists have been scored with fresh seeds; in a complete study some of them, as trainings fail."""
    fresh = [row.fresh_seeds > 0 for row in summary.finalists]
    return any(fresh) and (all(fresh) or summary.status == "complete")


def seeds_text(summary: RunSummary) -> str:
    """How many seeds are behind the finalists' scores: ``2 fresh seeds each``."""
    counts = sorted({row.fresh_seeds for row in summary.finalists})
    if counts in ([], [0]):
        return "not scored again with fresh seeds"
    if counts == [1]:
        return "one fresh seed each"
    return f"{' to '.join(str(count) for count in (counts[0], counts[-1])[: len(counts)])} fresh seeds each"


def rematch_text(summary: RunSummary) -> str:
    """How winner and baseline did on further seeds, in a sentence; empty if there was no re-match."""
    winner, baseline = summary.winner, summary.baseline
    if winner is None or baseline is None or is_same(winner, baseline):
        return ""
    if winner.rematch is None or baseline.rematch is None:
        return ""
    return f"Re-match on further seeds: winner {score_text(winner.rematch)}, baseline {score_text(baseline.rematch)}."


def choice_text(summary: RunSummary) -> str:
    """What chooses finalists, in a sentence."""
    costs = " and by costs" if objective_costs(summary) else ""
    metric = RANKING_METRICS[summary.fidelity.rank_by]
    return f"Finalists are chosen by the {metric} that all trials lead to expect{costs}."


def score_label(summary: RunSummary) -> str:
    """Label of an axis of scores."""
    return f"Top-1 on held-out training images, % ({fidelity_text(summary.fidelity)})"


def scores_text(summary: RunSummary) -> str:
    """What the scores of the finalists are, and what their costs are counted for."""
    data, images = summary.data, summary.fidelity.val_images
    of = f" of {data.name} ({data.classes} classes)" if data else ""
    count = "" if images is None else f"{images:,} "
    again = f" {rematch_text(summary)}" if rematch_text(summary) else ""
    return (
        f"Top-1 on {count}held-out training images{of}, {fidelity_text(summary.fidelity)}, "
        f"{seeds_text(summary)}.{again} Costs at {deployment_text(summary.deployment)}."
    )
