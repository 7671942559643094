"""The plan of a scaling study in its run's record, and what of it is still to train."""

from __future__ import annotations

from edgenext_search.arch.candidate import Candidate
from edgenext_search.errors import UserError
from edgenext_search.scaling.plan import Plan, entries
from edgenext_search.search.ranking.references import pending, reference_seeds
from edgenext_search.search.recipe import ResolvedRecipe
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.store.store import StudyStore
from edgenext_search.texts import command_line


def plan_of(run: RunFolder, store: StudyStore, plan: Plan | None = None) -> Plan:
    """The plan that a run was begun with, which is ``plan`` where it has none yet.

    Raises:
        UserError: It was begun with another one, or is none of a scaling study.
    """
    facts = store.facts().scaling
    if facts is None:
        if plan is None or store.records():
            raise UserError(f"{run.path} is no scaling study; `edgenext-search scale study` begins one.")
        return plan
    recorded = Plan.from_dict(facts.plan)
    if plan is not None and plan != recorded:
        raise UserError(
            f"{run.path} holds another plan: {recorded}. Go on with it by "
            f"`{command_line('scale', 'resume', run.path)}`, or give another --out."
        )
    return recorded


def named_candidates(plan: Plan, recipe: ResolvedRecipe) -> dict[Candidate, str]:
    """Names for people of all candidates of a plan, by candidate; one that two entries share has the first's."""
    names: dict[Candidate, str] = {}
    for entry in entries(plan, recipe.deployment, seed=recipe.search.seed):
        names.setdefault(entry.candidate, plan.label(entry))
    return names


def open_trainings(store: StudyStore, recipe: ResolvedRecipe, plan: Plan) -> int:
    """Number of the plan's trainings that are still to do."""
    seeds = reference_seeds(recipe.search.seed, plan.seeds)
    return len(pending(store, named_candidates(plan, recipe), epochs=recipe.proxy.epochs, seeds=seeds))
