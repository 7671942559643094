"""Results of scaling studies: what ``summary.json`` of such a study holds. Scores in [0, 1], errors in percent."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edgenext_search.arch.metrics import CostName
from edgenext_search.arch.results import CandidateField, CostsResult, DeploymentResult
from edgenext_search.execution.conditions import RunConditions
from edgenext_search.latency.profile.prediction_error import PredictionErrors
from edgenext_search.latency.profile.profile import ProfileConditions
from edgenext_search.results import Result
from edgenext_search.search.ranking.results import EstimateResult, TrainingFidelity
from edgenext_search.search.results import Status
from edgenext_search.search.store.records import DataSummary


class Costs(Result):
    """Costs of a candidate, or means of several; null where unknown."""

    params: int | float | None = None
    """Parameters."""
    madds: int | float | None = None
    """Multiply-adds of one image."""
    acts: int | float | None = None
    """Activations."""
    latency: int | float | None = None
    """Predicted latency in microseconds; null without a latency profile."""


class ScalingCandidate(Costs):
    """A candidate with its scores."""

    space: str
    """Name of its space."""
    shape: int
    """Number of its shape."""
    budget: dict[str, int]
    """Caps by cost."""
    fingerprint: str
    """Short stable name of the network."""
    origin: str
    """Where the shape came from: ``sampler``, or a published variant."""
    candidate: CandidateField
    """The network."""
    scores: tuple[float, ...]
    """Top-1 of each seed."""
    mean: float | None
    """Mean of the scores; null without any."""
    std: float | None
    """Standard deviation of the scores; null for fewer than two."""


class ScalingFailure(Result):
    """A training that failed."""

    space: str
    """Name of the space."""
    shape: int
    """Number of the shape."""
    budget: dict[str, int]
    """Caps by cost."""
    fingerprint: str = ""
    """Short stable name of the network."""
    seed: int
    """Seed of the training."""
    reason: str
    """Why it failed."""


class BestShape(Result):
    """The best shape at a size."""

    shape: int
    """Its number."""
    origin: str
    """Where it came from."""
    fingerprint: str
    """Short stable name of the network."""
    mean: float
    """Mean top-1."""


class SizeResult(Costs):
    """The shapes at one size; costs are geometric means."""

    budget: dict[str, int]
    """Caps by cost."""
    n: int
    """Number of shapes."""
    mean: float | None
    """Mean score over the shapes."""
    median: float | None
    """Median score over the shapes."""
    std: float | None
    """Standard deviation of the scores over the shapes."""
    best: BestShape | None
    """The best shape."""


class LawParameters(Result):
    """error = a C^-b + c, with 90 % intervals."""

    a: EstimateResult
    """Scale."""
    b: EstimateResult
    """Exponent."""
    c: EstimateResult
    """Error that no size removes."""


class LawPoint(Result):
    """The median error at a size."""

    cost: float
    """Geometric mean of the cost."""
    error: float
    """Median error of the shapes."""


class BandPoint(Result):
    """The 90 % interval of a size at a cost."""

    cost: float
    """The cost."""
    low: float
    """Lower end."""
    high: float
    """Upper end."""


class PredictedError(BandPoint):
    """An error that the law predicts."""

    predicted: float
    """Predicted error."""


class LargestError(PredictedError):
    """The error of the largest size, predicted from the others."""

    actual: float
    """Measured error."""
    error: float
    """Predicted less measured error."""
    covered: bool
    """Whether the interval holds the measured error."""


class LawResult(Result):
    """The law of the shapes' median error against one cost."""

    cost: CostName
    """The cost."""
    law: LawParameters
    """Parameters of the law."""
    points: tuple[LawPoint, ...]
    """Median errors that it was fitted to."""
    band: tuple[BandPoint, ...]
    """Intervals from the smallest size to the next one."""
    largest: LargestError
    """The largest size, predicted from the others."""
    next: PredictedError
    """The next size."""


class RankPair(Result):
    """How alike shapes rank at two sizes."""

    sizes: tuple[int, int]
    """Places of the two sizes."""
    n: int
    """Number of shapes."""
    tau: EstimateResult | None
    """Kendall's tau-b."""
    spearman: EstimateResult | None
    """Spearman's rank correlation."""


class RanksResult(Result):
    """Whether shapes rank alike at different sizes."""

    pairs: tuple[RankPair, ...] = ()
    """For each two sizes."""
    seeds: tuple[EstimateResult | None, ...] = ()
    """For each size, the share of pairs that two seeds order alike."""


class SharePoint(Result):
    """The share of candidates with at most an error, with its 95 % band."""

    error: float
    """The error."""
    share: float
    """The share."""
    low: float
    """Lower end."""
    high: float
    """Upper end."""


class SpaceErrors(Result):
    """The errors of the candidates of a space; null without candidates."""

    name: str
    """Name of the space."""
    n: int
    """Number of scored candidates."""
    mean: float | None
    """Mean error."""
    median: float | None
    """Median error."""
    best: float | None
    """Smallest error."""
    edf: tuple[SharePoint, ...]
    """Empirical distribution function."""


class Superiority(Result):
    """Share of pairs in which a candidate of the first space beats one of the second."""

    value: float
    """The share."""
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end of the 95 % interval."""
    p: float
    """Two-sided p value of the test of Mann and Whitney."""


class TwoSampleTest(Result):
    """A test of whether two samples have one distribution."""

    statistic: float
    """The statistic."""
    p: float
    """Two-sided p value."""


class SpacesComparison(Result):
    """Which of two spaces has the better candidates."""

    spaces: tuple[SpaceErrors, SpaceErrors]
    """The two spaces."""
    superiority: Superiority | None = None
    """How often the first space wins; null with too few candidates."""
    difference: EstimateResult | None = None
    """Difference of the mean errors; null as ``superiority``."""
    ks: TwoSampleTest | None = None
    """Test of Kolmogorov and Smirnov, which decides nothing; null as ``superiority``."""
    better: str | None = None
    """Name of the better space; null where p >= 0.05."""


class LatencyConditions(Result):
    """Where the latencies of networks come from."""

    device: str
    """Name of the device."""
    interpolated: int
    """Networks outside of what the profile measured."""
    conditions: ProfileConditions
    """What the profile's figures depend on."""
    held_out: PredictionErrors
    """Errors on networks that the profile's fit has not seen."""


class RuleResult(Result):
    """Shares of a growth of the multiply-adds; they sum to 1."""

    name: str
    """Name of the rule."""
    depth: float
    """Share of the depths."""
    width: float
    """Share of the widths."""
    size: float
    """Share of the image size."""


class FamilyMember(CostsResult):
    """A member of a family of sizes."""

    budget: dict[str, int]
    """Caps by cost."""
    usage: float
    """Used share of the tightest cap."""
    growth: float
    """Growth of the multiply-adds by the rule."""
    fingerprint: str
    """Short stable name of the network."""
    candidate: CandidateField
    """The network."""
    img_size: int
    """Height and width of the input, in pixels."""
    path: str | None = None
    """Folder of the saved member; null where it was not saved."""


class PublishedSize(CostsResult):
    """A published variant with the family's norm_act, at the same deployment."""

    name: str
    """Name of the variant."""
    candidate: CandidateField
    """The network."""
    img_size: int
    """Height and width of the input, in pixels."""
    imagenet_top1: float
    """Published top-1 on ImageNet, in percent."""


class FamilyResult(Result):
    """A family of sizes from one network."""

    fingerprint: str
    """Short stable name of the network that the family began with."""
    candidate: CandidateField
    """The network that the family began with."""
    rule: RuleResult
    """The rule of growth."""
    num_classes: int
    """Outputs of the classifier."""
    img_size: int
    """Height and width of the first network's input, in pixels."""
    members: tuple[FamilyMember, ...]
    """The members, in the order of the budgets."""
    published: tuple[PublishedSize, ...]
    """The published variants of the same norm_act."""
    latency: LatencyConditions | None = None
    """Where latencies come from; null without a latency profile."""


class ScalingSize(Result):
    """What was asked for."""

    shapes: int
    """Number of shapes."""
    seeds: int
    """Trainings of each candidate."""


class ScalingResult(Result):
    """What a scaling study, or a comparison of two spaces, has found so far."""

    run: str
    """Path of the run folder."""
    report: str
    """Path of the HTML report."""
    kind: Literal["study", "compare"]
    """A scaling study, or a comparison of two spaces."""
    status: Status
    """As in a run's summary."""
    study: str
    """Name of the study."""
    seed: int
    """Seed of shapes and trainings."""
    spaces: tuple[str, ...]
    """Names of the spaces."""
    budgets: tuple[dict[str, int], ...]
    """Caps by cost, of each size."""
    asked: ScalingSize
    """What was asked for."""
    open: int
    """Trainings that are still to do."""
    failed: tuple[ScalingFailure, ...]
    """Trainings that failed."""
    deployment: DeploymentResult
    """What costs are counted for."""
    latency: LatencyConditions | None = None
    """Where latencies come from; null without a latency profile."""
    data: DataSummary | None = None
    """The images; null before they were prepared."""
    fidelity: TrainingFidelity
    """What the proxy trained on."""
    n: int = 0
    """Study: shapes with a score at every size."""
    sizes: tuple[SizeResult, ...] = ()
    """Study: the shapes at each size."""
    laws: tuple[LawResult, ...] = ()
    """Study: the law of each cost."""
    ranks: RanksResult = RanksResult()
    """Study: whether shapes rank alike."""
    comparison: SpacesComparison | None = None
    """Comparison: the two spaces."""
    candidates: tuple[ScalingCandidate, ...]
    """All candidates."""
    seconds: float
    """Working time of all sessions."""
    conditions: RunConditions | None = None
    """What the study was trained on and with."""


class LeftOutMember(Result):
    """A member of a family, predicted from the smaller ones. Accuracies in percent."""

    model: str
    """Name of the network."""
    cost: float
    """Its cost."""
    top1: float
    """Its top-1."""
    predicted: float
    """Predicted top-1."""
    low: float
    """Lower end of the 90 % interval."""
    high: float
    """Upper end of the 90 % interval."""
    error: float
    """Predicted less known top-1."""
    covered: bool
    """Whether the interval holds the known top-1."""
    known: int = 0
    """Number of smaller members that it was predicted from."""
    law: dict[str, float]
    """``a``, ``b`` and ``c`` of the law through the smaller members."""


class NextMember(Result):
    """Predicted top-1 of the next size, twice the largest member's cost."""

    cost: float
    """Its cost."""
    predicted: float
    """Predicted top-1."""
    low: float
    """Lower end of the 90 % interval."""
    high: float
    """Upper end of the 90 % interval."""


class FamilyFit(LeftOutMember):
    """The largest member of a family, predicted from the smaller ones, and what is predicted of the others."""

    members: int = 0
    """Number of members."""
    left_out: tuple[LeftOutMember, ...] = ()
    """Each member that can be predicted from smaller ones, ascending."""
    full_law: dict[str, float] = Field(default_factory=dict)
    """``a``, ``b`` and ``c`` of the law through all members."""
    next: NextMember | None = None
    """The next size."""


class SkippedFamily(Result):
    """A family without a law."""

    family: str
    """Its name."""
    reason: str
    """Why it has none."""


class FitResult(Result):
    """The law fitted to known families: what ``scale fit`` finds."""

    by: str
    """Cost that sizes are measured by."""
    confidence: float = 0.9
    """Confidence of the intervals."""
    median_abs_error: float
    """Median absolute error over the largest members."""
    coverage_90: float
    """Share of the left-out members within their intervals."""
    left_out: int
    """Number of left-out members."""
    coverage_90_largest: float
    """Share of the largest members within their intervals."""
    n: int
    """Number of families."""
    skipped: tuple[SkippedFamily, ...]
    """Families without a law."""
    families: dict[str, FamilyFit]
    """The largest member of each family."""
