"""What a scaling study trains: the same shapes in several budgets, or random candidates of two spaces in one."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Cost, Deployment, cost
from edgenext_search.arch.projection import Projection, solve_widths
from edgenext_search.arch.shape import Shape
from edgenext_search.arch.spaces.space import Space
from edgenext_search.errors import UserError
from edgenext_search.texts import counted

Kind = Literal["study", "compare"]
LEAST_SHAPES = 4  # whose order says something
ATTEMPTS = 300  # random shapes in a row without a new one that fits
SAMPLED = "sampler"  # origin of a random shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is trained; with the study's recipe it decides every training.

    Attributes:
        kind: ``study``: one space, several budgets. ``compare``: two spaces, one budget.
        budgets: What the candidates fill, smallest first.
        shapes: How many, of each space.
        seeds: Trainings of each candidate.
        spaces: Keys of the spaces, as their files have them.

    Raises:
        UserError: It is too small to say anything, compares a space with itself, or caps latency.
    """

    kind: Kind
    budgets: tuple[Budget, ...]
    shapes: int
    seeds: int
    spaces: tuple[dict[str, Any], ...]

    def __post_init__(self) -> None:
        if self.shapes < LEAST_SHAPES:
            option = "--shapes" if self.kind == "study" else "--n"
            raise UserError(f"{option} must be >= {LEAST_SHAPES}, but got {self.shapes}: fewer say nothing; take 12.")
        if timed := next((budget for budget in self.budgets if budget.latency is not None), None):
            raise UserError(
                f"The budgets of a scaling study cap costs that are the same on every device, but got {timed}; cap "
                "params or madds. With --profile the predicted latency is one of the costs that it reports."
            )
        if self.seeds < 1:
            raise UserError(f"--seeds must be >= 1, but got {self.seeds}; 2 also tell how far trainings agree.")
        if self.kind == "study" and len(self.budgets) < 2:
            raise UserError(f"A scaling study needs at least 2 --budgets, but got {self.budgets[0]}; 3 make a curve.")
        if self.kind == "compare" and self.spaces[0] == self.spaces[1]:
            raise UserError(f"The two spaces are the same, {self.spaces[0].get('name')!r}; give two that differ.")

    def to_dict(self) -> dict[str, Any]:
        """Plain values; :meth:`from_dict` reads them back."""
        return {
            "kind": self.kind,
            "budgets": [budget.to_dict() for budget in self.budgets],
            "shapes": self.shapes,
            "seeds": self.seeds,
            "spaces": list(self.spaces),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Plan:
        """Read what :meth:`to_dict` wrote."""
        budgets = tuple(Budget(**caps) for caps in values["budgets"])
        return cls(**{**values, "budgets": budgets, "spaces": tuple(values["spaces"])})

    def label(self, entry: Entry) -> str:
        """Name of an entry for people."""
        if self.kind == "study":
            return f"shape {entry.shape} at {self.budgets[entry.budget]}"
        return f"{self.spaces[entry.space]['name']} {entry.shape}"

    def __str__(self) -> str:
        seeds = counted(self.seeds, "seed")
        if self.kind == "study":
            return f"{self.shapes} shapes at {', '.join(map(str, self.budgets))}, {seeds}"
        names = " and ".join(str(space["name"]) for space in self.spaces)
        return f"{self.shapes} candidates each of {names} at {self.budgets[0]}, {seeds}"

    def load_spaces(self) -> list[Space]:
        """The spaces."""
        return [Space.from_dict(keys) for keys in self.spaces]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A candidate that is trained.

    Attributes:
        space: Place of its space in the plan.
        shape: Its number there, the same in every budget.
        budget: Place of its budget in the plan.
        origin: Name of the published variant whose shape it has, or ``sampler``.
        candidate: The network.
        cost: Its costs.
    """

    space: int
    shape: int
    budget: int
    origin: str
    candidate: Candidate
    cost: Cost


def entries(plan: Plan, deployment: Deployment, *, seed: int) -> list[Entry]:
    """All candidates of a plan, always the same for the same arguments; those of the first shape first.

    Raises:
        UserError: A budget cannot be reached, or a space has too few shapes that fit.
    """
    if plan.kind == "study":
        return _of_one_space(plan, deployment, seed)
    return _of_two_spaces(plan, deployment, seed)


def _of_one_space(plan: Plan, deployment: Deployment, seed: int) -> list[Entry]:
    """The published shape nearest in size, then random shapes that keep their form in all budgets."""
    (space,) = plan.load_spaces()
    middle = Projection(space, plan.budgets[len(plan.budgets) // 2], deployment)
    smallest = Projection(space, plan.budgets[0], deployment)  # refuses a budget out of reach
    baseline = middle.nearest_published()[0]
    rng = random.Random(seed)
    origins: dict[tuple[Candidate, ...], str] = {}
    own = Shape.of(baseline.candidate, width_multiple=space.file.width_multiple)
    if (sizes := _sizes(own, plan, deployment)) is not None:
        origins[sizes] = baseline.name
    in_vain = 0
    while len(origins) < plan.shapes and in_vain < ATTEMPTS:
        sizes = _sizes(space.shape(space.draw(rng)), plan, deployment)
        in_vain = in_vain + 1 if sizes is None or sizes in origins else 0
        if sizes is not None:
            origins.setdefault(sizes, SAMPLED)
    if len(origins) < plan.shapes:
        raise UserError(
            f"Space {space.name!r} has {len(origins)} shapes that fit all of the budgets, but --shapes is "
            f"{plan.shapes}: most are too deep for {smallest.budget}. Raise the smallest budget, or take fewer shapes."
        )
    return [
        Entry(space=0, shape=number, budget=place, origin=origin, candidate=member, cost=cost(member, deployment))
        for number, (members, origin) in enumerate(origins.items())
        for place, member in enumerate(members)
    ]


def _sizes(shape: Shape, plan: Plan, deployment: Deployment) -> tuple[Candidate, ...] | None:
    """A shape in every budget; None where it does not fit one of them."""
    widths = [solve_widths(shape, budget, deployment) for budget in plan.budgets]
    return None if None in widths else tuple(shape.candidate_at(solved) for solved in widths if solved is not None)


def _of_two_spaces(plan: Plan, deployment: Deployment, seed: int) -> list[Entry]:
    """Random candidates of each space in the one budget, none twice within a space (arXiv 2003.13678, section 3.1)."""
    (budget,) = plan.budgets
    drawn = []
    for place, space in enumerate(plan.load_spaces()):
        projection, rng = Projection(space, budget, deployment), random.Random(seed)
        candidates: dict[Candidate, None] = {}
        in_vain = 0
        while len(candidates) < plan.shapes and in_vain < ATTEMPTS:
            candidate = projection.candidate(space.draw(rng))
            in_vain = in_vain + 1 if candidate in candidates else 0
            candidates.setdefault(candidate)
        if len(candidates) < plan.shapes:
            raise UserError(
                f"Space {space.name!r} has {len(candidates)} candidates in the budget {budget}, but --n is "
                f"{plan.shapes}; take fewer, or a wider space."
            )
        drawn.append(
            [
                Entry(space=place, shape=n, budget=0, origin=SAMPLED, candidate=member, cost=cost(member, deployment))
                for n, member in enumerate(candidates)
            ]
        )
    return [entry for pair in zip(*drawn, strict=True) for entry in pair]
