"""Search spaces that give candidates within a budget."""

from __future__ import annotations

import random

from edgenext_search.api.candidate import Candidate
from edgenext_search.arch import candidate as shape
from edgenext_search.arch.budget import Budget
from edgenext_search.arch.cost import PUBLISHED, Deployment
from edgenext_search.arch.projection import Projection
from edgenext_search.arch.published import published_variant
from edgenext_search.arch.spaces import space


class Space(space.Space):
    """A search space, as :class:`edgenext_search.arch.spaces.space.Space`, that gives candidates within a budget."""

    def sample(self, budget: Budget | str, *, seed: int = 0, deployment: Deployment = PUBLISHED) -> Candidate:
        """A random candidate that uses the budget nearly up.

        Args:
            budget: Hard caps, or a text such as ``1.3M`` or ``params=1.3M,madds=260M``.
            seed: Seed of the draw; the first candidate of ``edgenext-search space sample --seed``.
            deployment: What costs are counted for.

        Raises:
            UserError: The text is no budget, or no candidate of the space holds it.
        """
        projection = self._projection(budget, deployment)
        return Candidate.of(projection.candidate(self.draw(random.Random(seed))))

    def scaled(
        self, candidate: shape.Candidate | str, budget: Budget | str, *, deployment: Deployment = PUBLISHED
    ) -> Candidate:
        """A candidate or published variant with its widths scaled into the budget, as the baseline of a run is.

        Raises:
            UserError: There is no such variant, the text is no budget, or no candidate of the space holds it.
        """
        if isinstance(candidate, str):
            candidate = published_variant(candidate).candidate
        return Candidate.of(self._projection(budget, deployment).scaled(candidate))

    def _projection(self, budget: Budget | str, deployment: Deployment) -> Projection:
        return Projection(self, Budget.parse(budget) if isinstance(budget, str) else budget, deployment)


def load_space(name: str = "edgenext") -> Space:
    """The search space of a name (``edgenext``, ``paper``) or the path of a file.

    Raises:
        UserError: It does not exist, or breaks a rule; the message names the key.
    """
    return Space.load(name)
