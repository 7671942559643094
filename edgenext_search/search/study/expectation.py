"""Expected scores of trials given all trials of a study, by which finalists are chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgenext_search.arch.spaces.parameter import Value
from edgenext_search.search.recipe import ResolvedRecipe
from edgenext_search.search.sampler.features import Features, Parameters
from edgenext_search.search.sampler.propose import Observation
from edgenext_search.search.sampler.surrogate import Surrogate
from edgenext_search.search.store.records import Expected, TrialRecord
from edgenext_search.search.store.store import StudyStore
from edgenext_search.search.study.cohort.halving import estimated_scores


def expected_scores(space: Parameters, observed: Sequence[Observation]) -> list[Expected]:
    """Expected score of each observed assignment given all of them, in their order.

    A score is one noisy draw, so the best of many is biased upwards. The posterior mean of :class:`Surrogate` corrects
    for that: it combines a trial's own score with those of similar trials.
    """
    features = Features(space)
    if not observed:
        return []
    codes = features.codes([observation.values for observation in observed])
    surrogate = Surrogate(features, codes, np.array([observation.score for observation in observed]))
    means, stds = surrogate.mean_and_std(codes)
    return [Expected(mean=float(mean), std=float(std)) for mean, std in zip(means, stds, strict=True)]


def expectations(store: StudyStore, recipe: ResolvedRecipe) -> dict[int, Expected]:
    """Expected score of each scored trial of a study at the last rung, by number.

    Trials that share the scores of an earlier trial are left out, since their scores are not second draws.
    """
    return expectations_of(recipe, store.records(), store.values())


def expectations_of(
    recipe: ResolvedRecipe, trials: Sequence[TrialRecord], values: Sequence[Mapping[str, Value]]
) -> dict[int, Expected]:
    """Expected score of each scored trial at the last rung, by number; see :func:`expectations`.

    Args:
        recipe: Resolved study.
        trials: Trials, in order.
        values: Their assignments.
    """
    own = [trial for trial in trials if trial.duplicate_of is None]
    search = recipe.search
    estimates = sorted(estimated_scores(own, recipe.proxy.rung_epochs, search.rank_by, search.stopped).items())
    observed = [Observation(values=values[number], score=score) for number, score in estimates]
    expected = expected_scores(recipe.space, observed)
    return {number: expectation for (number, _), expectation in zip(estimates, expected, strict=True)}
