"""Results of a search: what ``summary.json`` holds and ``--json`` prints."""

from __future__ import annotations

from math import ceil
from typing import Literal

from edgenext_search.arch.cost import Cost
from edgenext_search.arch.results import CandidateField, CostsResult, DeploymentResult
from edgenext_search.execution.conditions import RunConditions
from edgenext_search.latency.measurement import Measurement, Verdict
from edgenext_search.results import Result
from edgenext_search.search.ranking.results import AuditResult, TrainingFidelity
from edgenext_search.search.recipe import RankingMetric
from edgenext_search.search.store.records import DataSummary, Expected, LatencyFacts, Score
from edgenext_search.training.full.summary import TrainSummary

Status = Literal["complete", "interrupted", "running"]


class MeasuredLatency(Measurement):
    """Latency of a finalist on the study's device, at the speed that the device had when it was profiled."""

    verdict: Verdict | None = None
    """Whether the median holds the budget's cap with 95 % confidence; null without a cap."""

    @classmethod
    def of(cls, measurement: Measurement, cap: int | None) -> MeasuredLatency:
        """A measurement, judged by the budget's cap.

        Args:
            measurement: Latency on the device.
            cap: Longest allowed median, in microseconds; None without a cap.
        """
        verdict = None if cap is None else measurement.verdict_at(cap)
        return cls.model_validate({**measurement.to_dict(), "verdict": verdict})

    @property
    def rejected(self) -> bool:
        """Whether the network may not win; an undecided one may not either."""
        return self.verdict in ("fail", "undecided")


class Finalist(CostsResult):
    """A candidate trained again with fresh seeds, so that luck in the search does not choose the winner."""

    fingerprint: str
    """Short stable name of the network."""
    trial: int
    """Number of the trial that found it."""
    origin: str
    """Where it came from: ``sampler``, ``enqueued``, or the published variant that was scaled to the budget."""
    candidate: CandidateField
    """The network."""
    score: Score
    """Top-1 over the fresh seeds, which chooses the winner; without any, the score of the search."""
    fresh_seeds: int
    """Number of fresh seeds behind ``score``; 0 where it is the score of the search."""
    rematch: Score | None = None
    """Top-1 over the further seeds that winner and baseline share, which choose nothing; null for other finalists."""
    search_score: float
    """Top-1 in the search; optimistic, as it had a part in choosing the finalist."""
    expected: Expected | None = None
    """Top-1 that all trials of the search led to expect, which chose the finalist."""
    measured: MeasuredLatency | None = None
    """Latency on the study's device; null where it was not measured."""
    model_dir: str | None = None
    """Model folder; null if there is none."""

    @property
    def true_cost(self) -> Cost:
        """Costs, with the measured latency in place of the predicted one where there is one."""
        if self.measured is None:
            return self.cost
        return self.model_copy(update={"latency": ceil(self.measured.p50)}).cost

    @property
    def rejected(self) -> bool:
        """Whether the device measured it and found that it does not hold the budget's cap."""
        return self.measured is not None and self.measured.rejected


class Gain(Result):
    """Top-1 of the winner less that of the baseline, over the seeds of the re-match."""

    mean: float
    """Mean difference, in [-1, 1]; with ``n`` 0 that of the seeds that chose the winner."""
    low: float | None = None
    """Lower end of the interval; null with fewer than two seeds, or where all differ equally."""
    high: float | None = None
    """Upper end of the interval; null as ``low``."""
    confidence: float
    """Confidence of the interval."""
    p: float | None = None
    """Two-sided p value of a paired t test; null as ``low``."""
    n: int = 0
    """Number of seeds that both were trained with."""


class Fidelity(TrainingFidelity):
    """What the proxy trained on, and what ranked candidates."""

    rungs: tuple[int, ...] = ()
    """Epochs of each rung."""
    rank_by: RankingMetric = "top1"
    """What ranks candidates during the search."""


class TrialCounts(Result):
    """Number of trials by state."""

    complete: int = 0
    """Trained through the last rung."""
    pruned: int = 0
    """Stopped at an earlier rung."""
    failed: int = 0
    """Failed; the trial says why."""
    open: int = 0
    """Not finished yet."""


class FailureCount(Result):
    """Trainings that failed for one reason."""

    reason: str
    """What failed, in one line."""
    trials: int = 0
    """Trials of the search."""
    finalists: int = 0
    """Trainings of finalists with a fresh seed."""


class LatencySummary(LatencyFacts):
    """Latency in a study: the device, the cap, and how many networks were measured."""

    measured: int
    """Networks that were measured on the device."""
    passed: int | None = None
    """Measured networks that hold the cap; null without a cap."""


class Importance(Result):
    """How much each parameter of the space separates the best trials from all."""

    method: str
    """``PED-ANOVA`` (arXiv 2304.10255)."""
    quantile: float
    """Share of the trials that count as the best."""
    n: int
    """Number of scored networks."""
    values: dict[str, float]
    """Each parameter's share of 1, the most important first."""


class RunSummary(Result):
    """What a run has come to."""

    run: str
    """Path of the run folder."""
    status: Status
    """``complete``, ``interrupted``, or ``running`` where another process works on it."""
    study: str
    """Name of the study."""
    space: str
    """Name of the search space."""
    width_multiple: int = 8
    """What all widths of the space are multiples of."""
    budget: dict[str, int]
    """Caps by cost."""
    deployment: DeploymentResult
    """What costs are counted for."""
    data: DataSummary | None = None
    """The images; null before they were prepared."""
    fidelity: Fidelity
    """What the proxy trained on."""
    seed: int
    """Seed of the search."""
    trials: TrialCounts = TrialCounts()
    """Number of trials by state."""
    failures: tuple[FailureCount, ...] = ()
    """Why trainings failed, the most frequent reason first."""
    winner: Finalist | None = None
    """The best finalist; null before there is one."""
    baseline: Finalist | None = None
    """The published shape that was scaled to the budget; null before it is scored."""
    finalists: tuple[Finalist, ...] = ()
    """All finalists, best first."""
    objectives: tuple[str, ...] = ("accuracy",)
    """What was optimized: accuracy, and costs to be small."""
    front: tuple[Finalist, ...] = ()
    """Finalists that no other dominates by mean score and costs, best score first; with accuracy alone the winner."""
    gain: Gain | None = None
    """Winner against baseline; null where one is missing."""
    latency: LatencySummary | None = None
    """Latency on the study's device; null where the study does not ask for it."""
    importance: Importance | None = None
    """Importance of the parameters; null with fewer than 16 scored networks."""
    audit: AuditResult | None = None
    """The latest audit; null without one."""
    report: str
    """Path of the HTML report."""
    model_dir: str | None = None
    """The winner's model folder; null if there is none."""
    trained: tuple[TrainSummary, ...] = ()
    """Complete full trainings of the run, best top-1 first."""
    seconds: float = 0.0
    """Working time of all sessions of the run."""
    conditions: RunConditions | None = None
    """What the run was trained on and with; null before the first training."""
