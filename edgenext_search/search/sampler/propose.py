"""Which assignments to try next: our sampler and Optuna's as pure functions of what has been observed."""

from __future__ import annotations

import itertools
import json
import warnings
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.study import StudyDirection

from edgenext_search.arch.spaces.parameter import Choice, Interval, Parameter, Value
from edgenext_search.search.recipe import Sampler
from edgenext_search.search.sampler import scalarisation
from edgenext_search.search.sampler.acquisition import IsNew, next_codes, random_codes
from edgenext_search.search.sampler.features import Array, Features, Parameters

GENERATION = (
    "NSGAIISampler:generation"  # where that sampler looks for a trial's generation; without, it draws at random
)
DIGITS = 9  # of choices between fractions; what is left of 1 + 7 * 0.1 beyond them is noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A scored assignment.

    Attributes:
        values: The assignment.
        score: Its score, estimated for the last rung where it stopped earlier; higher is better.
        costs: What is to be small beside, in the order of the study's objectives; none where accuracy is all.
    """

    values: Mapping[str, Value]
    score: float
    costs: tuple[int, ...] = ()


def propose(
    space: Parameters,
    observed: Sequence[Observation],
    n: int,
    *,
    sampler: Sampler,
    startup: int,
    seed: int,
    cost_fn: Callable[[Mapping[str, Value]], Sequence[int]] | None = None,
    network_of: Callable[[Mapping[str, Value]], Hashable] | None = None,
    known: Collection[Hashable] = (),
) -> list[dict[str, Value]]:
    """``n`` assignments to score next, decided by the arguments alone.

    So a run that was interrupted proposes what it would have proposed, and stopped trials count with an estimate
    instead of not at all. Our own sampler (``bayes``) fits :class:`Surrogate` to the observations, whose order does not
    matter to it. Optuna's samplers work on a study in memory that holds the observations; each proposal stays pending
    while the next is made, so they spread out.

    Args:
        space: Where from.
        observed: What is known, in the order it was proposed.
        n: How many.
        sampler: Which sampler.
        startup: Observations below which the sampler draws at random.
        seed: Seed of the sampler.
        cost_fn: The costs that an assignment will have, in the order of those observed; needed where there are any.
        network_of: What tells the network that an assignment builds from others; ``bayes`` then proposes each network
            once. None where each assignment is a network of its own.
        known: Networks that are not to be proposed.
    """
    if n == 0:
        return []
    if sampler == "bayes":
        features, taken = Features(space), set(known)

        def is_new(row: Array) -> bool:
            network = network_of(features.assignment(row)) if network_of else row.tobytes()
            new = network not in taken
            taken.add(network)
            return new

        rng = np.random.default_rng(seed)
        return _bayes(features, observed, n, startup=startup, rng=rng, cost_fn=cost_fn, is_new=is_new)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    domains = distributions(space)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # experimental features, and fixed parameters in a sampler's search space
        costs = len(observed[0].costs) if observed else 0
        study = optuna.create_study(directions=directions(costs), sampler=_sampler(sampler, startup=startup, seed=seed))
        study.add_trials(
            [
                optuna.trial.create_trial(
                    params=encode(space, observation.values),
                    distributions=domains,
                    values=[observation.score, *np.log(observation.costs)],
                    system_attrs={GENERATION: index // max(startup, 2)},
                )
                for index, observation in enumerate(observed)
            ]
        )
        return [decode(space, study.ask(domains).params) for _ in range(n)]


def _bayes(
    features: Features,
    observed: Sequence[Observation],
    n: int,
    *,
    startup: int,
    rng: np.random.Generator,
    cost_fn: Callable[[Mapping[str, Value]], Sequence[int]] | None,
    is_new: IsNew,
) -> list[dict[str, Value]]:
    """Proposals of our own sampler; random ones while there are fewer observations than ``startup``, or no choices."""
    if len(observed) < max(startup, 1) or not features.parameters:
        codes = random_codes(features, n, rng, is_new)
    else:
        scores = np.array([observation.score for observation in observed])
        seen = features.codes([observation.values for observation in observed])
        if cost_fn is None:
            codes = next_codes(features, seen, scores, n, rng, is_new=is_new)
        else:
            costs = np.log([observation.costs for observation in observed])
            codes = scalarisation.next_codes(
                features,
                seen,
                scores,
                costs,
                n=n,
                rng=rng,
                cost_fn=lambda rows: np.log([cost_fn(features.assignment(row)) for row in rows]),
                is_new=is_new,
            )
    return [features.assignment(row) for row in codes]


def directions(costs: int) -> list[StudyDirection]:
    """Those of accuracy and a number of costs."""
    return [StudyDirection.MAXIMIZE, *[StudyDirection.MINIMIZE] * costs]


def distributions(space: Parameters) -> dict[str, BaseDistribution]:
    """The space's parameters as Optuna knows them."""
    return {parameter.name: _distribution(parameter) for parameter in space.parameters}


def encode(space: Parameters, values: Mapping[str, Value]) -> dict[str, Any]:
    """An assignment in values that Optuna can store: choices of one value for each stage become text."""
    return {parameter.name: _encoded(parameter, values[parameter.name]) for parameter in space.parameters}


def decode(space: Parameters, params: Mapping[str, Any]) -> dict[str, Value]:
    """The assignment that :func:`encode` wrote."""
    return {parameter.name: _decoded(parameter, params[parameter.name]) for parameter in space.parameters}


def _encoded(parameter: Parameter, value: Value) -> bool | int | float | str:
    if isinstance(value, tuple):
        return json.dumps(list(value))
    return round(value, DIGITS) if isinstance(value, float) and isinstance(parameter, Choice) else value


def _decoded(parameter: Parameter, stored: Value) -> Value:
    if isinstance(parameter, Choice):
        stored = _encoded(parameter, stored)  # Optuna adds up steps: 1.9000000000000004 is 1.9
        stored = next((value for value in parameter.values if _encoded(parameter, value) == stored), stored)
    return parameter.check(stored)


def _distribution(parameter: Parameter) -> BaseDistribution:
    """Evenly spaced numbers are ordered, so that a model can tell near from far; other choices are categories."""
    if isinstance(parameter, Interval):
        return FloatDistribution(parameter.low, parameter.high)
    values = parameter.values
    numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if len(numbers) == len(values):
        numbers = [round(v, DIGITS) for v in numbers]
        steps = {round(b - a, DIGITS) for a, b in itertools.pairwise(numbers)}
        if len(steps) == 1 and (step := steps.pop()) > 0:
            if all(isinstance(v, int) for v in numbers):
                return IntDistribution(int(numbers[0]), int(numbers[-1]), step=int(step))
            return FloatDistribution(numbers[0], numbers[-1], step=step)
    return CategoricalDistribution([_encoded(parameter, value) for value in values])


def _sampler(name: Sampler, *, startup: int, seed: int) -> optuna.samplers.BaseSampler:
    if name == "gp":
        return optuna.samplers.GPSampler(seed=seed, n_startup_trials=startup)
    if name == "tpe":
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup, multivariate=True, constant_liar=True)
    if name == "nsga2":
        return optuna.samplers.NSGAIISampler(seed=seed, population_size=max(startup, 2))
    return optuna.samplers.RandomSampler(seed=seed)
