"""Training what a scaling plan asks for: a resumable series of trainings on a study's terms, kept in its record."""

from __future__ import annotations

import time
from pathlib import Path

from edgenext_search.execution.conditions import RunConditions
from edgenext_search.scaling.latency import keep_profile, timed
from edgenext_search.scaling.plan import Plan, entries
from edgenext_search.scaling.progress import named_candidates, open_trainings, plan_of
from edgenext_search.scaling.records import ScalingResult
from edgenext_search.scaling.summary import scaling_summary
from edgenext_search.search.ranking.references import forget_failures, reference_seeds
from edgenext_search.search.recipe import ResolvedRecipe
from edgenext_search.search.store.records import ScalingFacts, StudyFacts
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.store.store import StudyStore
from edgenext_search.search.study.listener import Listener
from edgenext_search.search.study.series import recorded_time, run_series
from edgenext_search.search.study.session import Execution, open_session


def run_scaling(
    run: RunFolder,
    recipe: ResolvedRecipe,
    plan: Plan | None,
    execution: Execution,
    listener: Listener | None = None,
    *,
    profile: Path | None = None,
) -> ScalingResult:
    """Train a plan's candidates as far as that is not done yet, until all are or Ctrl-C.

    Every candidate is trained through all epochs of the study's proxy, none is stopped early. What was trained is
    recorded as it comes, so a run that was interrupted ends as one that was not.

    Args:
        run: Its folder; begun here when there is none yet.
        recipe: The study whose space, data, deployment and proxy are used.
        plan: What to train; None for that of the run.
        execution: Where and how fast.
        listener: Whoever watches.
        profile: A latency profile, whose predictions are then among the costs; None for the one of the run, if any.

    Returns:
        The summary, also written to the folder.

    Raises:
        UserError: The plan or the recipe cannot be used, or the run has another plan.
        StudyFailedError: The first trainings all failed.
        KeyboardInterrupt: Ctrl-C came while the images were prepared, or twice.
    """
    listener = listener or Listener()
    started = time.monotonic()
    if plan is not None:
        own = timed(recipe.deployment, profile)
        entries(plan, own, seed=recipe.search.seed)  # refuses before anything is written

    def announce(store: StudyStore) -> None:
        wanted = plan_of(run, store, plan)
        if store.facts().scaling is None:
            store.record_facts(StudyFacts(scaling=ScalingFacts(plan=wanted.to_dict())))
        keep_profile(run, profile)
        forget_failures(store, recipe.proxy.epochs)
        listener.note(
            f"{run.path}: {wanted}; {open_trainings(store, recipe, wanted)} of {_total(wanted)} trainings to do"
        )

    with open_session(run, recipe, execution, listener, announce=announce, measures=False) as session:
        store = session.store
        wanted = plan_of(run, store, plan)
        recorded = store.facts().scaling

        def facts(held: RunConditions, seconds: float) -> StudyFacts:
            return StudyFacts(scaling=ScalingFacts(plan=wanted.to_dict(), conditions=held, seconds=seconds))

        with recorded_time(session, facts, spent=recorded.seconds if recorded else 0.0, since=started):
            run_series(
                run,
                session,
                listener,
                named_candidates(wanted, recipe),
                seeds=reference_seeds(recipe.search.seed, wanted.seeds),
                recipe=recipe.proxy,
                kind="scaling",
                title="Scaling",
            )
        summary = scaling_summary(run, recipe, store)
        run.write_summary(summary)
    return summary


def _total(plan: Plan) -> int:
    return plan.shapes * len(plan.budgets) * len(plan.spaces) * plan.seeds
