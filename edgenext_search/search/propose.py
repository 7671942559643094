"""Which assignments to try next: Optuna's samplers as a pure function of what has been observed."""

from __future__ import annotations

import itertools
import json
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from edgenext_search.arch.parameter import Choice, Interval, Parameter, Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgenext_search.arch.space import Space
    from edgenext_search.search.recipe import Sampler


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A scored assignment.

    Attributes:
        values: The assignment.
        score: Its score, estimated for the last rung where it stopped earlier; higher is better.
    """

    values: Mapping[str, Value]
    score: float


def propose(
    space: Space, observed: Sequence[Observation], n: int, *, sampler: Sampler, startup: int, seed: int
) -> list[dict[str, Value]]:
    """``n`` assignments to score next, decided by the arguments alone.

    The sampler works on a study in memory that holds the observations, so that a run that was interrupted proposes
    what it would have proposed, and stopped trials count with an estimate instead of not at all. Each proposal
    stays pending while the next is made, so they spread out.

    Args:
        space: Where from.
        observed: What is known, in the order it was proposed.
        n: How many.
        sampler: Optuna's sampler.
        startup: Observations below which the sampler draws at random.
        seed: Seed of the sampler.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    domains = distributions(space)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # experimental features, and fixed parameters in a sampler's search space
        study = optuna.create_study(direction="maximize", sampler=_sampler(sampler, startup=startup, seed=seed))
        study.add_trials(
            [
                optuna.trial.create_trial(
                    params=encode(space, observation.values), distributions=domains, value=observation.score
                )
                for observation in observed
            ]
        )
        return [decode(space, study.ask(domains).params) for _ in range(n)]


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """The space's parameters as Optuna knows them."""
    return {parameter.name: _distribution(parameter) for parameter in space.parameters}


def encode(space: Space, values: Mapping[str, Value]) -> dict[str, Any]:
    """An assignment in values that Optuna can store: choices of one value for each stage become text."""
    return {parameter.name: _encoded(values[parameter.name]) for parameter in space.parameters}


def decode(space: Space, params: Mapping[str, Any]) -> dict[str, Value]:
    """The assignment that :func:`encode` wrote."""
    return {
        parameter.name: parameter.check(
            next((v for v in parameter.values if _encoded(v) == params[parameter.name]), params[parameter.name])
            if isinstance(parameter, Choice)
            else params[parameter.name]
        )
        for parameter in space.parameters
    }


def _encoded(value: Value) -> bool | int | float | str:
    return json.dumps(list(value)) if isinstance(value, tuple) else value


def _distribution(parameter: Parameter) -> BaseDistribution:
    """Evenly spaced numbers are ordered, so that a model can tell near from far; other choices are categories."""
    if isinstance(parameter, Interval):
        return FloatDistribution(parameter.low, parameter.high)
    values = parameter.values
    numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if len(numbers) == len(values):
        steps = {round(b - a, 9) for a, b in itertools.pairwise(numbers)}
        if len(steps) == 1 and (step := steps.pop()) > 0:
            if all(isinstance(v, int) for v in numbers):
                return IntDistribution(int(numbers[0]), int(numbers[-1]), step=int(step))
            return FloatDistribution(numbers[0], numbers[-1], step=step)
    return CategoricalDistribution([_encoded(value) for value in values])


def _sampler(name: Sampler, *, startup: int, seed: int) -> optuna.samplers.BaseSampler:
    if name == "gp":
        return optuna.samplers.GPSampler(seed=seed, n_startup_trials=startup)
    if name == "tpe":
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup, multivariate=True, constant_liar=True)
    if name == "nsga2":
        return optuna.samplers.NSGAIISampler(seed=seed, population_size=startup)
    return optuna.samplers.RandomSampler(seed=seed)
