"""Which parameters of the space the scores depend on."""

from __future__ import annotations

import math
import warnings

from edgenext_search.search.recipe import ResolvedRecipe
from edgenext_search.search.results import Importance
from edgenext_search.search.store.store import StudyStore
from edgenext_search.search.study.cohort.halving import estimated_scores

LEAST = 16  # scored trials below which importances are chance
QUANTILE = 0.25  # of the scores, the best of which are held against all


def importance(store: StudyStore, recipe: ResolvedRecipe) -> Importance | None:
    """How much each parameter separates the best quarter of the trials from all, by PED-ANOVA.

    Watanabe, Bansal, Hutter 2023, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary
    Subspaces" (arXiv 2304.10255), as Optuna computes it. Trials that stopped early count with what is estimated for
    them at the last rung, as they do for the sampler; each network counts once.

    Returns:
        None where fewer than 16 networks are scored, or nothing varies.
    """
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    from edgenext_search.search.sampler.propose import distributions, encode

    search = recipe.search
    trials = [trial for trial in store.records() if trial.duplicate_of is None]
    estimates = estimated_scores(trials, recipe.proxy.rung_epochs, search.rank_by, search.stopped)
    scores = {number: score for number, score in estimates.items() if math.isfinite(score)}
    space = recipe.space
    if len(scores) < LEAST or len(set(scores.values())) == 1 or not space.parameters:
        return None
    values, domains = store.values(), distributions(space)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # experimental
        study = optuna.create_study(direction="maximize")
        study.add_trials(
            [
                optuna.trial.create_trial(params=encode(space, values[number]), distributions=domains, value=score)
                for number, score in sorted(scores.items())
            ]
        )
        evaluator = PedAnovaImportanceEvaluator(target_quantile=QUANTILE, region_quantile=1.0)
        shares = get_param_importances(study, evaluator=evaluator)
    ranked = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    return Importance(method="PED-ANOVA", quantile=QUANTILE, n=len(scores), values=dict(ranked))
