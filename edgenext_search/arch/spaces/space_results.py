"""Results of ``edgenext-search cost``, ``space sample`` and ``space check``."""

from __future__ import annotations

from pydantic import Field

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.results import CandidateField, CostsResult, DeploymentResult
from edgenext_search.arch.spaces.effect import Alike, NoEffect, NotReached
from edgenext_search.results import Result


class CandidateCosts(CostsResult):
    """A candidate and its costs."""

    candidate: CandidateField
    """The network."""
    fingerprint: str
    """Short stable name of the network."""
    latency: int | None = Field(default=None, exclude=True)

    @classmethod
    def of(cls, candidate: Candidate, deployment: Deployment) -> CandidateCosts:
        """The costs of a candidate in a deployment."""
        costs = cost(candidate, deployment).to_dict()
        return cls(candidate=candidate, fingerprint=candidate.fingerprint, **costs)


class CostResult(CandidateCosts):
    """A network's costs, and the deployment that they are counted for."""

    num_classes: int
    """Classes of the deployed model."""
    img_size: int
    """Height and width of the input, in pixels."""

    @classmethod
    def of(cls, candidate: Candidate, deployment: Deployment) -> CostResult:
        """The costs of a candidate in a deployment."""
        return cls(
            candidate=candidate,
            fingerprint=candidate.fingerprint,
            num_classes=deployment.num_classes,
            img_size=deployment.img_size,
            **cost(candidate, deployment).to_dict(),
        )


class SpaceCheck(Result):
    """What is right and what is superfluous in a space file."""

    space: str
    """Name of the space."""
    parameters: tuple[str, ...]
    """Names of what varies."""
    no_effect: tuple[NoEffect, ...]
    """Keys that no block can use."""
    alike: tuple[Alike, ...]
    """Choices that build the same networks."""
    not_reached: tuple[NotReached, ...]
    """Ranges whose steps miss their end."""
    budget: dict[str, int] | None
    """Caps by name; null without ``--budget``."""
    deployment: DeploymentResult | None
    """What costs are counted for; null without ``--budget``."""
    smallest: CandidateCosts | None
    """The candidate with the lowest cost of the tightest cap; null without ``--budget``."""
