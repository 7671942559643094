"""What an audit has found: how well the scores of a search rank its candidates."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, Field

from edgenext_search.execution.conditions import RunConditions
from edgenext_search.results import Result
from edgenext_search.search.recipe import RankingMetric
from edgenext_search.search.store.records import Score


class EstimateResult(Result):
    """A value with its 95 % interval."""

    value: float
    """Value over all candidates."""
    low: float | None = None
    """Lower end; null where there is no interval, as where nothing varies."""
    high: float | None = None
    """Upper end; null as ``low``."""


class NoiseCeiling(Result):
    """Noise ceiling: how well one long training ranks the candidates by the others."""

    n: int
    """Candidates that have these seeds."""
    seeds: int
    """The first seeds, two or more, that most candidates have."""
    tau: EstimateResult
    """Kendall's tau-b between one long training and the mean of the others."""
    score_tau: EstimateResult
    """The same between the score and these means."""
    headroom: EstimateResult = Field(validation_alias=AliasChoices("headroom", "room"))
    """``tau`` less ``score_tau``: what a better score could gain."""
    share_of_noise_ceiling: float | None = Field(
        validation_alias=AliasChoices("share_of_noise_ceiling", "tau_of_ceiling")
    )
    """``score_tau`` as a share of ``tau``; null where ``tau`` is not positive."""
    pairwise_accuracy: EstimateResult = Field(validation_alias=AliasChoices("pairwise_accuracy", "pairs_right"))
    """Share of pairs that one long training orders as the others do."""
    score_pairwise_accuracy: EstimateResult = Field(
        validation_alias=AliasChoices("score_pairwise_accuracy", "score_pairs_right")
    )
    """Share of pairs that the score orders as the others do."""


class AuditSeries(Result):
    """How well a rung's score, or a cost, ranks the candidates; what cannot be computed is null."""

    name: str
    """``rung:3``, or the cost as a score: ``params``, ``madds``."""
    epochs: int
    """Epochs of the rung; 0 for costs."""
    cost_ratio: float
    """Images trained, as a share of those of a long training."""
    n: int
    """Candidates with a score and a long score."""
    tau: EstimateResult | None = None
    """Kendall's tau-b."""
    spearman: EstimateResult | None = None
    """Spearman's rank correlation."""
    pairwise_accuracy: EstimateResult | None = Field(
        default=None, validation_alias=AliasChoices("pairwise_accuracy", "pairs_right")
    )
    """Share of pairs that the score orders as the long scores do."""
    partial_tau: EstimateResult | None = None
    """``tau`` without the effect of log params and log MAdds; null for costs."""
    partial_spearman: EstimateResult | None = None
    """``spearman`` without the effect of log params and log MAdds; null for costs."""
    regret: dict[int, float | None]
    """For 1, 3 and 5: the best long score of all less the best among so many highest ranked, in [0, 1]."""
    noise_ceiling: NoiseCeiling | None = Field(default=None, validation_alias=AliasChoices("noise_ceiling", "ceiling"))
    """Noise ceiling; null with fewer than two seeds."""
    params_pairwise_accuracy: EstimateResult | None = Field(
        default=None, validation_alias=AliasChoices("params_pairwise_accuracy", "params_pairs_right")
    )
    """``pairwise_accuracy`` of the parameters on the same candidates; null for costs."""
    madds_pairwise_accuracy: EstimateResult | None = Field(
        default=None, validation_alias=AliasChoices("madds_pairwise_accuracy", "madds_pairs_right")
    )
    """``pairwise_accuracy`` of the multiply-adds on the same candidates; null for costs."""


class AuditPoint(Result):
    """A rung of a candidate in the search."""

    epochs: int
    """Epochs of the rung."""
    score: float
    """Top-1."""
    ranking_score: float = Field(validation_alias=AliasChoices("ranking_score", "merit"))
    """What ranks the candidate, on the scale of top-1; higher is better."""


class SeedScore(Result):
    """A long training."""

    seed: int
    """Seed of the training."""
    score: float
    """Top-1."""


class AuditCandidate(Result):
    """A candidate that was trained long."""

    fingerprint: str
    """Short stable name of the network."""
    trial: int
    """Number of its trial."""
    origin: str
    """Where it came from, as for a finalist."""
    params: int
    """Parameters."""
    madds: int
    """Multiply-adds of one image."""
    curve: tuple[AuditPoint, ...]
    """Rungs of the search that it finished."""
    reference: Score
    """Long score: top-1 over the long trainings."""
    scores: tuple[SeedScore, ...]
    """The long trainings."""


class AuditFailure(Result):
    """A long training without a score."""

    fingerprint: str
    """Short stable name of the network."""
    trial: int
    """Number of its trial."""
    seed: int
    """Seed of the training."""
    reason: str
    """Why it failed."""


class TrainingFidelity(Result):
    """What a training sees."""

    img_size: int
    """Height and width of the images, in pixels."""
    epochs: int
    """Epochs of the whole training."""
    train_images: int | None = None
    """Training images; null before they were prepared."""
    val_images: int | None = None
    """Held-out training images that give the score; null before they were prepared."""


class AuditFidelity(TrainingFidelity):
    """What a long training sees, and what is judged by it."""

    rank_by: RankingMetric = "top1"
    """What ranks candidates during the search, which is judged."""


class AuditSize(Result):
    """What the latest call asked for."""

    n: int
    """Candidates."""
    seeds: int
    """Long trainings of each."""


class AuditResult(Result):
    """What the latest audit of a run has found, also while it is under way."""

    status: Literal["complete", "interrupted", "running"]
    """Whether all long trainings that were asked for are done, were interrupted, or are under way."""
    fidelity: AuditFidelity
    """What a long training sees."""
    asked: AuditSize
    """What the latest call asked for."""
    n: int
    """Candidates that were trained long."""
    seeds: int
    """Most long trainings that a candidate has."""
    open: int
    """Long trainings that were asked for and are not done yet."""
    failed: tuple[AuditFailure, ...]
    """Long trainings without a score."""
    candidates: tuple[AuditCandidate, ...]
    """Candidates that were trained long."""
    seeds_agree: EstimateResult | None = None
    """Share of pairs that two single seeds order alike; null with one seed."""
    series: tuple[AuditSeries, ...]
    """How well each rung, and the costs alone, rank the candidates."""
    seconds: float
    """Working time of the audit."""
    conditions: RunConditions | None = None
    """What the audit was trained on and with."""
