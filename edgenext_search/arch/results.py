"""Architectures in results: the fields that every result about one network has."""

from __future__ import annotations

from typing import Annotated

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Cost
from edgenext_search.results import AsDict, Result

CandidateField = Annotated[Candidate, AsDict()]


class DeploymentResult(Result):
    """What costs are counted for."""

    num_classes: int
    """Outputs of the classifier."""
    img_size: int
    """Height and width of the input, in pixels."""


class CostsResult(Result):
    """The costs of one network in a deployment."""

    params: int
    """Parameters."""
    madds: int
    """Multiply-adds of one image."""
    acts: int
    """Activations: output elements of all convolutions and linear layers for one image."""
    memory: int
    """Peak bytes of the activations of one image, in float32."""
    footprint: int
    """Bytes of the weights and of the activations at their peak, in float32."""
    latency: int | None = None
    """Predicted latency in microseconds; null where latency is not asked for."""

    @property
    def cost(self) -> Cost:
        """The same as a :class:`~edgenext_search.arch.cost.Cost`."""
        return Cost(params=self.params, madds=self.madds, acts=self.acts, memory=self.memory, latency=self.latency)
