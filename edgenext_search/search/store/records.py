"""Records of a study: its trials, scores, and facts about it as a whole."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import AliasChoices, Field, field_validator

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Cost
from edgenext_search.execution.conditions import RunConditions
from edgenext_search.latency.profile.prediction_error import PredictionErrors
from edgenext_search.latency.profile.profile import ProfileConditions
from edgenext_search.results import Result
from edgenext_search.training.engine.numerics import Numerics
from edgenext_search.training.proxy.job import Place

TrialState = Literal["complete", "pruned", "failed", "open"]
BASELINE = 0  # number of the trial that the search has to beat
Rescores = dict[tuple[str, int], float | str]  # by fingerprint and seed: a score, or why there is none
References = dict[tuple[str, int, int], float | str]  # by fingerprint, epochs and seed: a score, or why there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """Losses at a rung.

    Attributes:
        held_out: Mean cross-entropy on the held-out images, in nats.
        train: Mean loss of all training steps up to the rung.
    """

    held_out: float | None = None
    train: float | None = None


class Score(Result):
    """Top-1 accuracy on held-out training images, over one or more seeds."""

    mean: float
    """Mean over the seeds, in [0, 1]."""
    std: float | None
    """Sample standard deviation over the seeds; null for a single seed."""
    n: int
    """Number of seeds."""

    @classmethod
    def of(cls, scores: Sequence[float]) -> Score:
        """The score of one candidate from the top-1 of each of its seeds (at least one)."""
        std = statistics.stdev(scores) if len(scores) > 1 else None
        return cls(mean=statistics.fmean(scores), std=std, n=len(scores))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """One trial of a study.

    Attributes:
        number: Number in Optuna's storage, from 0.
        state: ``complete`` (trained through the last rung), ``pruned`` (stopped at an earlier rung), ``failed`` or
            ``open`` (not told yet).
        cohort: Number of the cohort, from 0.
        origin: Name of the published variant that was projected into the budget, ``enqueued`` for a candidate of the
            user, or ``sampler``.
        candidate: Projected network.
        cost: Costs in the study's deployment.
        curve: (epoch, score) at each finished rung, in order.
        seconds: Training time over all rungs, on one worker.
        seed: Seed of the training.
        losses: (epoch, losses) at each rung that recorded them, in order.
        places: (epoch, place) at each rung that recorded where it was trained, in order.
        reason: Reason of a failure; None otherwise.
        duplicate_of: Number of the earlier trial of the same candidate whose scores it shares; None otherwise.
    """

    number: int
    state: TrialState
    cohort: int
    origin: str
    candidate: Candidate
    cost: Cost
    curve: tuple[tuple[int, float], ...]
    seconds: float
    seed: int
    losses: tuple[tuple[int, Losses], ...] = ()
    places: tuple[tuple[int, Place], ...] = ()
    reason: str | None = None
    duplicate_of: int | None = None

    @property
    def score(self) -> float | None:
        """Top-1 at the last rung that it finished, in [0, 1]; None when there is none."""
        return self.curve[-1][1] if self.curve else None

    @property
    def epochs(self) -> int:
        """Epochs behind :attr:`score`."""
        return self.curve[-1][0] if self.curve else 0


class Expected(Result):
    """Top-1 at the last rung that all trials together lead to expect of one: the surrogate's noise-free posterior."""

    mean: float
    """Expected top-1."""
    std: float
    """Standard deviation of the expectation."""


class DataSummary(Result):
    """The images that candidates are trained and scored on."""

    name: str
    """Name of the dataset."""
    classes: int
    """Number of classes."""
    train_images: int
    """Number of training images."""
    val_images: int
    """Number of held-out training images that give the score."""
    skipped_images: int = 0
    """Number of unreadable images."""
    demonstration: bool = False
    """Whether it is the built-in set, on which accuracies mean nothing elsewhere."""


class DataFacts(DataSummary):
    """The images as the store records them."""

    fingerprint: str
    """Digest of images and split; a run goes on with the same images only."""


class ProfileSummary(Result):
    """The latency profile behind the predictions of a study."""

    conditions: ProfileConditions
    """What the profile's figures depend on."""
    held_out: PredictionErrors
    """Errors on networks that the profile's fit has not seen."""


class LatencyFacts(Result):
    """The device of a study, and what candidates are projected into."""

    device: str
    """Name of the device."""
    cap: int | None
    """The budget's cap, in microseconds; null without one."""
    effective_cap: int | None = Field(validation_alias=AliasChoices("effective_cap", "aim"))
    """The cap less the margin: what candidates are projected into, in microseconds."""
    margin: float
    """Nineteen of twenty measured times stay below the predicted time times this."""
    profile: ProfileSummary
    """The latency profile."""


class SeriesFacts(Result):
    """Facts about a series of trainings: where it ran, and for how long."""

    seconds: float = 0.0
    """Working time of all sessions."""
    conditions: RunConditions | None = None
    """Devices, threads and versions of the latest session; None before the first training."""

    @field_validator("conditions", mode="before")
    @classmethod
    def _none_yet(cls, value: object) -> object:
        return value or None  # {} in studies of version 0.1.0


class AuditFacts(SeriesFacts):
    """Size and sample of the latest audit."""

    epochs: int
    """Epochs of a long training."""
    n: int
    """Number of candidates."""
    seeds: int
    """Long trainings of each candidate."""
    trials: tuple[int, ...] | None = None
    """Numbers of the trials in the sample; None in audits that did not record it."""


class ScalingFacts(SeriesFacts):
    """Plan of a scaling study."""

    plan: dict[str, object]
    """The plan, as :class:`edgenext_search.scaling.plan.Plan` writes it."""


class StudyFacts(Result):
    """Facts about a study as a whole, beside its trials."""

    data: DataFacts | None = None
    """The images; None before they were prepared."""
    numerics: Numerics | None = None
    """Precision, memory layout and compilation of all trainings; None before they were chosen."""
    conditions: RunConditions | None = None
    """Devices, threads and versions of the latest session; None before the first training."""
    latency: LatencyFacts | None = None
    """The device; None where the study does not ask for latency."""
    began: float | None = None
    """When the latest session began, in seconds since 1970; None in studies of version 0.1.0."""
    complete: bool = False
    """Whether the finalists are trained and the winner is written."""
    seconds: float = 0.0
    """Working time of all sessions."""
    search_seconds: float = 0.0
    """Working time of the search alone, which the study's time limit refers to."""
    audit: AuditFacts | None = None
    """The latest audit; None without one."""
    scaling: ScalingFacts | None = None
    """The scaling study in this record; None for a search."""

    def seconds_so_far(self, recorded: float, *, running: bool) -> float:
        """Working time of all sessions with the one under way, in seconds.

        Args:
            recorded: What was recorded at the end of the latest session that ended.
            running: Whether a session is under way.
        """
        session = max(time.time() - self.began, 0.0) if running and self.began is not None else 0.0
        return round(recorded + session, 1)
