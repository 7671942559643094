"""What a study leaves behind, as plain values: what the report reads and ``summary.json`` holds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Literal

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Cost
from edgenext_search.latency.measurement import Measurement, Verdict

TrialState = Literal["complete", "pruned", "failed", "open"]
BASELINE = 0  # number of the trial that the search has to beat
Rescores = dict[tuple[str, int], float | str]  # by fingerprint and seed: a score, or why there is none
References = dict[tuple[str, int, int], float | str]  # by fingerprint, epochs and seed: a score, or why there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """What a rung found beside the score.

    Attributes:
        held_out: Mean cross-entropy on the images that the score is of, in nats.
        train: Mean loss of all training steps up to the rung.
    """

    held_out: float | None = None
    train: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Top-1 accuracy on held-out training images, over one or more seeds.

    Attributes:
        mean: Mean over the seeds, in [0, 1].
        std: Sample standard deviation over the seeds; None for a single seed.
        n: Number of seeds.
    """

    mean: float
    std: float | None
    n: int

    @classmethod
    def of(cls, scores: Sequence[float]) -> Score:
        """The score of one candidate from the top-1 of each of its seeds (at least one)."""
        std = statistics.stdev(scores) if len(scores) > 1 else None
        return cls(mean=statistics.fmean(scores), std=std, n=len(scores))

    def to_dict(self) -> dict[str, float | int | None]:
        """``mean``, ``std`` and ``n``."""
        return {"mean": self.mean, "std": self.std, "n": self.n}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """One trial of a study.

    Attributes:
        number: Its number in Optuna's storage, from 0.
        state: ``complete`` (trained through the last rung), ``pruned`` (stopped at a rung), ``failed`` (its
            reason says why) or ``open`` (not yet told).
        cohort: Which cohort it was asked in, from 0.
        origin: ``edgenext_xx_small`` and the like for a published shape projected into the budget, ``sampler``
            for the rest, ``enqueued`` for what the user gave.
        candidate: The projected network.
        cost: Its costs in the study's deployment.
        curve: (epoch, score) at every rung it finished, in order.
        seconds: Training time over all rungs, on one worker.
        seed: Seed of its training.
        losses: (epoch, losses) at every rung that recorded them, in order.
        reason: Why it failed; None otherwise.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What all trials together say about the score of one: the posterior of the surrogate, without noise.

    Attributes:
        mean: Expected top-1 at the last rung.
        std: Standard deviation of what is expected.
    """

    mean: float
    std: float

    def to_dict(self) -> dict[str, float]:
        """``mean`` and ``std``."""
        return {"mean": self.mean, "std": self.std}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a device said of a finalist.

    Attributes:
        measurement: Its latency there.
        verdict: Whether it holds the budget's cap with 95 % confidence; None where latency is not capped.
    """

    measurement: Measurement
    verdict: Verdict | None = None

    @property
    def refused(self) -> bool:
        """Whether it may not win: undecided is no pass."""
        return self.verdict in ("fail", "undecided")

    def to_dict(self) -> dict[str, Any]:
        """The measurement's values, in microseconds, and the ``verdict``."""
        return {**self.measurement.to_dict(), "verdict": self.verdict}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finalist:
    """A candidate trained again with fresh seeds, so that luck in the search does not choose the winner.

    Attributes:
        trial: Number of the trial that found it.
        origin: As in :class:`TrialRecord`.
        candidate: The network.
        cost: Its costs in the study's deployment.
        search_score: Its score in the search; optimistic, as it had a part in choosing it.
        scores: Top-1 of each fresh seed.
        expected: What all trials together had led to expect, which chose it; None where it was not asked.
        rematch: (seed, top-1) of the further seeds of winner and baseline, which had no part in any choice.
        measured: Its latency on the device; None where that was not measured.
    """

    trial: int
    origin: str
    candidate: Candidate
    cost: Cost
    search_score: float
    scores: tuple[float, ...]
    expected: Expected | None = None
    rematch: tuple[tuple[int, float], ...] = ()
    measured: Measured | None = None

    @property
    def true_cost(self) -> Cost:
        """Its costs, the latency as measured where it was."""
        return self.cost if self.measured is None else replace(self.cost, latency=ceil(self.measured.measurement.p50))

    @property
    def score(self) -> Score:
        """What decides: the fresh seeds; the search's score alone where there are none."""
        return Score.of(self.scores or (self.search_score,))

    def to_dict(self) -> dict[str, Any]:
        """The form it has in ``summary.json``."""
        return {
            "fingerprint": self.candidate.fingerprint,
            "trial": self.trial,
            "origin": self.origin,
            "candidate": self.candidate.to_dict(),
            **self.cost.to_dict(),
            "score": self.score.to_dict(),
            "fresh_seeds": len(self.scores),
            "rematch": Score.of([score for _, score in self.rematch]).to_dict() if self.rematch else None,
            "search_score": self.search_score,
            "expected": self.expected.to_dict() if self.expected else None,
            "measured": self.measured.to_dict() if self.measured else None,
        }
