"""From a shape and a budget to a candidate: the width scale is solved so that the tightest cap is nearly used up."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.candidate import STAGES, Candidate
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.metrics import METRICS
from edgenext_search.arch.published import PublishedVariant, published_variants
from edgenext_search.arch.shape import Shape, Widths
from edgenext_search.arch.spaces.parameter import Choice, Interval, Value
from edgenext_search.arch.spaces.space import Assignment, Space
from edgenext_search.errors import UserError
from edgenext_search.results import Result

LARGEST = 20  # times the largest published network: a budget beyond has a wrong unit
BAND = 0.95  # the least share of the tightest cap that a candidate should use

_SCALE_TOLERANCE = 1e-3  # relative; far below one step of any width
_SDTA_FIELDS = ("sdta_blocks", "sdta_splits", "heads")
_NUDGES = ((-1, 0, 1), (-1, 0, 1, 2))  # steps that single stages are moved by, tried in this order


class SpaceSize(Result):
    """How large a search space is."""

    space: str
    """Name of the space."""
    assignments: int
    """Combinations of listed values; different ones may build the same network."""
    continuous: tuple[str, ...]
    """Width ratios that take any value of an interval; they count as one value."""
    samples: int
    """Assignments that were looked at."""
    exact: bool
    """Whether those are all assignments; otherwise they are random."""
    seed: int
    """Seed of the random assignments."""
    shapes: int
    """Different shapes among them, with one value for each continuous ratio: equal networks count once."""
    budget: dict[str, int] | None
    """Caps by cost; null without a budget."""
    deployment: dict[str, int] | None
    """`num_classes` and `img_size` that costs are counted for; null without a budget."""
    candidates: int | None
    """Different candidates that they become in the budget; null without one."""


def space_size(space: Space, projection: Projection | None, *, samples: int, seed: int) -> SpaceSize:
    """Count what the assignments of a space build.

    Args:
        space: The search space.
        projection: Its projection into a budget; None to count shapes alone.
        samples: Most assignments to look at.
        seed: Seed of the random assignments, where there are more.
    """
    assignments, exact = space.some(samples, random.Random(seed))
    fixed = {parameter.name: parameter.low for parameter in space.parameters if isinstance(parameter, Interval)}
    conditions = None if projection is None else projection.deployment
    return SpaceSize(
        space=space.name,
        assignments=space.assignments,
        continuous=space.continuous,
        samples=len(assignments),
        exact=exact,
        seed=seed,
        shapes=len({space.shape({**values, **fixed}).network() for values in assignments}),
        budget=None if projection is None else projection.budget.to_dict(),
        deployment=None if conditions is None else conditions.to_dict(),
        candidates=None if projection is None else len({projection.candidate(values) for values in assignments}),
    )


def require_sensible(budget: Budget, deployment: Deployment) -> None:
    """Refuse a budget that no network of this kind needs, such as 1000G; of times devices have their own ideas.

    Raises:
        UserError: The largest published network uses less than 1 part in :data:`LARGEST` of it.
    """
    if budget.latency is not None:
        return
    largest = max(published_variants().values(), key=lambda variant: variant.params)
    counted = cost(largest.candidate, deployment)
    if budget.usage(counted) * LARGEST >= 1:
        return
    costs = counted.to_dict()
    texts = ", ".join(f"{key}={costs[key]:,}" for key in budget.to_dict())
    raise UserError(
        f"The budget {budget} is more than {LARGEST} times what {largest.name} takes ({texts}), the largest published "
        "network; is the unit right? k, M and G stand for thousands, millions and billions."
    )


def solve_widths(shape: Shape, budget: Budget, deployment: Deployment) -> Widths | None:
    """Widths that hold the budget and use the tightest cap as fully as the steps of the widths allow.

    Bisection finds the largest scale that holds; costs never fall as it grows. Where its step to the next scale
    jumps over [:data:`BAND`, 1], single stages are moved by a step or two: of the widths in the band the ones
    closest to the shape's proportions are taken, or else of those that use most.

    Args:
        shape: Everything but the widths.
        budget: The caps.
        deployment: What the costs are counted for.

    Returns:
        Legal widths, always the same for the same arguments; None where even the narrowest exceed a cap.
    """

    def usage(widths: Widths) -> float:
        return budget.usage(shape.cost_at(widths, deployment))

    low, high = 0.0, 1.0
    best = shape.widths_at(low)
    best_usage = usage(best)
    if best_usage > 1:
        return None
    while usage(shape.widths_at(high)) <= 1:
        low, high = high, 2 * high
    while high - low > _SCALE_TOLERANCE * high and shape.widths_at(low) != shape.widths_at(high):
        middle = (low + high) / 2
        if usage(shape.widths_at(middle)) <= 1:
            low = middle
        else:
            high = middle
    best = shape.widths_at(low)
    best_usage = usage(best)
    for nudges in _NUDGES:
        if best_usage >= BAND:
            break
        ranked = []
        for widths in _neighbours(shape, best, nudges):
            used = usage(widths)
            if best_usage < used <= 1:
                ranked.append((used < BAND, 0.0 if used >= BAND else -used, shape.distortion(widths), widths))
        *_, best = min(ranked, default=(best,))
        best_usage = usage(best)
    return best


def _neighbours(shape: Shape, widths: Widths, nudges: tuple[int, ...]) -> Iterator[Widths]:
    """Legal widths with each stage moved by some of its steps, among them ``widths`` itself."""
    rows = [
        sorted({shape.legal_width(stage, widths[stage] + nudge * shape.steps[stage]) for nudge in nudges})
        for stage in range(STAGES)
    ]
    yield from itertools.product(*rows)


def _smallest(choice: Choice) -> Value:
    """The smallest number to choose; the first choice where they are not all numbers."""
    numbers = [value for value in choice.values if isinstance(value, (bool, int, float))]
    return min(numbers) if len(numbers) == len(choice.values) else choice.values[0]


def _ends(choice: Choice) -> tuple[Value, ...]:
    """The choices of an SDTA field that may pay together with those of the others.

    Of the numbers of SDTA blocks these are the smallest two and the largest: what another costs lies between them.
    """
    if choice.name.rpartition(".")[2] != "sdta_blocks" or not all(isinstance(value, int) for value in choice.values):
        return choice.values
    ordered = sorted(value for value in choice.values if isinstance(value, int))
    kept = {*ordered[:2], ordered[-1]}
    return tuple(value for value in choice.values if value in kept)


class Projection:
    """Projects the assignments of a space into a budget.

    A shape that exceeds the budget even at its narrowest (many deep stages under a small cap) is first moved toward
    the cheapest shape of the space, parameter by parameter, until it fits. So every assignment becomes a candidate.

    Args:
        space: The search space.
        budget: The caps.
        deployment: What the costs are counted for.

    Attributes:
        smallest: The candidate of the space that uses the budget least.

    Raises:
        UserError: No candidate of the space holds the budget; the message has the smallest reachable cost. Or the
            budget caps latency and the deployment has no latency model.
    """

    def __init__(self, space: Space, budget: Budget, deployment: Deployment) -> None:
        if budget.latency is not None and deployment.latency_model is None:
            raise UserError(
                f"The budget caps the latency on {budget.device}, which only `edgenext-search run` projects into: it "
                "needs a latency profile of the device. Cap params or madds here."
            )
        self.space = space
        self.budget = budget
        self.deployment = deployment
        self._cheapest = self._find_cheapest()
        self.smallest = self._narrowest(self._cheapest)
        if self._usage(self.smallest) > 1:
            raise UserError(self._unreachable(self.smallest))

    def candidate(self, values: Assignment) -> Candidate:
        """The candidate that an assignment becomes in the budget; always the same one."""
        values = dict(values)
        while True:
            shape = self.space.shape(values)
            widths = solve_widths(shape, self.budget, self.deployment)
            if widths is not None:
                return shape.candidate_at(widths)
            values = self._one_step_cheaper(values)

    def published(self, variant: PublishedVariant) -> Candidate:
        """A published variant's shape as :meth:`scaled`."""
        return self.scaled(variant.candidate)

    def scaled(self, candidate: Candidate) -> Candidate:
        """A candidate's shape, scaled into the budget, whether the space holds that shape or not.

        Where it exceeds the budget even at its narrowest, it is first moved toward the space's cheapest shape.
        """
        shape = Shape.of(candidate, width_multiple=self.space.file.width_multiple)
        widths = solve_widths(shape, self.budget, self.deployment)
        if widths is None:
            return self.candidate(self.space.nearest(candidate)[0])
        return shape.candidate_at(widths)

    def fitted(self, candidate: Candidate) -> Candidate:
        """The candidate itself where it holds the budget, however little it uses of it; else as :meth:`scaled`."""
        return candidate if self._usage(candidate) <= 1 else self.scaled(candidate)

    def nearest_published(self) -> list[PublishedVariant]:
        """The published variants of the space's norm_acts, the one whose own cost is nearest to the budget first.

        A size counts as one distance: of its two norm_acts the one that the space names first comes first.
        """
        norm_acts = self.space.norm_acts

        def order(variant: PublishedVariant) -> tuple[float, int]:
            usage = self.budget.usage(cost(variant.candidate, self.deployment))
            return round(math.log(max(usage, 1 / usage)), 1), norm_acts.index(variant.candidate.norm_act)

        return sorted((v for v in published_variants().values() if v.candidate.norm_act in norm_acts), key=order)

    def _usage(self, candidate: Candidate) -> float:
        return self.budget.usage(cost(candidate, self.deployment))

    def _narrowest(self, values: Assignment) -> Candidate:
        shape = self.space.shape(values)
        return shape.candidate_at(shape.widths_at(0.0))

    def _narrowest_usage(self, values: Assignment) -> float:
        return self._usage(self._narrowest(values))

    def _find_cheapest(self) -> dict[str, Value]:
        """The assignment that uses the budget least at its narrowest, by coordinate descent from the smallest numbers.

        Costs add up over stages and never fall as a depth, a kernel size or the expand ratio grows. Only the SDTA
        fields of a stage may pay together alone (fewer blocks and other heads), so they are also moved together.
        """
        # An interval is a proportion of widths, which the narrowest widths do not depend on.
        choices = [parameter for parameter in self.space.parameters if isinstance(parameter, Choice)]
        values: dict[str, Value] = {
            parameter.name: _smallest(parameter) if isinstance(parameter, Choice) else parameter.low
            for parameter in self.space.parameters
        }
        of_sdta = [choice for choice in choices if choice.name.rpartition(".")[2] in _SDTA_FIELDS]
        stages = [
            [c for c in of_sdta if c.name.partition(".")[0] in (f"stage{n}", c.name)] for n in range(1, STAGES + 1)
        ]
        best = self._narrowest_usage(values)
        improved = True
        while improved:
            improved = False
            for block in [*([choice] for choice in choices), *stages]:
                names = [choice.name for choice in block]
                together = (choice.values if len(block) == 1 else _ends(choice) for choice in block)
                for combination in itertools.product(*together):
                    moved = values | dict(zip(names, combination, strict=True))
                    usage = self._narrowest_usage(moved)
                    if usage < best:
                        values, best, improved = moved, usage, True
        return values

    def _one_step_cheaper(self, values: dict[str, Value]) -> dict[str, Value]:
        """The assignment with that one parameter moved a step toward the cheapest which saves most."""
        moves = [
            {**values, parameter.name: parameter.toward(values[parameter.name], self._cheapest[parameter.name])}
            for parameter in self.space.parameters
            if isinstance(parameter, Choice) and values[parameter.name] != self._cheapest[parameter.name]
        ]
        return min(moves, key=self._narrowest_usage)

    def _unreachable(self, smallest: Candidate) -> str:
        reached = cost(smallest, self.deployment).to_dict()
        costs = " and ".join(
            f"{key}={reached[key]:,} {METRICS[key].quantity.base}".rstrip()
            for key, cap in self.budget.caps.items()
            if reached[key] > cap
        )
        setting = ", ".join(
            f"{name} {'-'.join(map(str, getattr(smallest, name)))}" for name in ("widths", "depths", "kernel_sizes")
        )
        return (
            f"The budget {self.budget} cannot be reached: the smallest candidate of space {self.space.name!r} has "
            f"{costs} in this deployment ({self.deployment}), with {setting}, expand_ratio {smallest.expand_ratio}. "
            "Raise the budget, deploy fewer classes (--num-classes) or smaller images (--img-size), or widen the space."
        )
