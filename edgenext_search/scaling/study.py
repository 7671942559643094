"""Training what a scaling plan asks for: a resumable series of trainings on a study's terms, kept in its record."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from edgenext_search.errors import StudyFailedError, UserError
from edgenext_search.execution.conditions import conditions
from edgenext_search.scaling.latency import keep_profile, timed
from edgenext_search.scaling.plan import Entry, Plan, entries
from edgenext_search.search.ranking.references import forget_failures, reference_seeds
from edgenext_search.search.store.kind import SCALING
from edgenext_search.search.study.jobs import run_jobs
from edgenext_search.search.study.listener import Listener
from edgenext_search.search.study.session import open_session
from edgenext_search.texts import command_line, counted
from edgenext_search.training.proxy.job import Trained, TrainJob

if TYPE_CHECKING:
    from pathlib import Path

    from edgenext_search.search.recipe import ResolvedRecipe
    from edgenext_search.search.store.run_folder import RunFolder
    from edgenext_search.search.store.store import StudyStore
    from edgenext_search.search.study.session import Execution, Session

FAILURES_AT_START = 3


def run_scaling(
    run: RunFolder,
    recipe: ResolvedRecipe,
    plan: Plan | None,
    execution: Execution,
    listener: Listener | None = None,
    *,
    profile: Path | None = None,
) -> dict[str, Any]:
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
    from edgenext_search.scaling.results import scaling_summary

    listener = listener or Listener()
    started = time.monotonic()
    if plan is not None:
        own = timed(recipe.deployment, profile)
        entries(plan, own, seed=recipe.search.seed)  # refuses before anything is written

    def announce(store: StudyStore) -> None:
        wanted = plan_of(run, store, plan)
        if store.fact(SCALING) is None:
            store.set_fact(SCALING, {"plan": wanted.to_dict(), "conditions": {}, "seconds": 0.0})
        keep_profile(run, profile)
        forget_failures(store, recipe.proxy.epochs)
        left = pending(store, recipe, entries(wanted, recipe.deployment, seed=recipe.search.seed), wanted.seeds)
        total = _total(wanted)
        listener.note(f"{run.path}: {_what(wanted)}; {len(left)} of {total} trainings to do")

    with open_session(run, recipe, execution, listener, announce=announce, measures=False) as session:
        store = session.store
        wanted = plan_of(run, store, plan)
        seconds = store.fact(SCALING)["seconds"]
        fact = {"plan": wanted.to_dict(), "conditions": conditions(session.places, session.numerics).to_dict()}
        store.set_fact(SCALING, {**fact, "seconds": seconds})
        try:
            _train(run, recipe, wanted, session, listener)
        finally:
            store.set_fact(SCALING, {**fact, "seconds": seconds + time.monotonic() - started})
        summary = scaling_summary(run, recipe, store)
        run.write_summary(summary)
    return summary


def plan_of(run: RunFolder, store: StudyStore, plan: Plan | None = None) -> Plan:
    """The plan that a run was begun with, which is ``plan`` where it has none yet.

    Raises:
        UserError: It was begun with another one, or is none of a scaling study.
    """
    fact = store.fact(SCALING)
    if fact is None:
        if plan is None or store.records():
            raise UserError(f"{run.path} is no scaling study; `edgenext-search scale study` begins one.")
        return plan
    recorded = Plan.from_dict(fact["plan"])
    if plan is not None and plan != recorded:
        raise UserError(
            f"{run.path} holds another plan: {_what(recorded)}. Go on with it by "
            f"`{command_line('scale', 'resume', run.path)}`, or give another --out."
        )
    return recorded


def pending(store: StudyStore, recipe: ResolvedRecipe, wanted: list[Entry], seeds: int) -> list[tuple[Entry, int]]:
    """What has yet to be trained with which seed: all with the first seed before any with the second.

    A candidate that two entries share is trained once.
    """
    known = {(fingerprint, seed) for fingerprint, epochs, seed in store.references() if epochs == recipe.proxy.epochs}
    found = []
    for seed in reference_seeds(recipe.search.seed, seeds):
        for entry in wanted:
            key = (entry.candidate.fingerprint, seed)
            if key not in known:
                known.add(key)
                found.append((entry, seed))
    return found


def label(plan: Plan, entry: Entry) -> str:
    """What people know an entry by."""
    if plan.kind == "study":
        return f"shape {entry.shape} at {plan.budgets[entry.budget]}"
    return f"{plan.spaces[entry.space]['name']} {entry.shape}"


def _what(plan: Plan) -> str:
    seeds = counted(plan.seeds, "seed")
    if plan.kind == "study":
        return f"{plan.shapes} shapes at {', '.join(map(str, plan.budgets))}, {seeds}"
    names = " and ".join(str(space["name"]) for space in plan.spaces)
    return f"{plan.shapes} candidates each of {names} at {plan.budgets[0]}, {seeds}"


def _total(plan: Plan) -> int:
    return plan.shapes * len(plan.budgets) * len(plan.spaces) * plan.seeds


def _train(run: RunFolder, recipe: ResolvedRecipe, plan: Plan, session: Session, listener: Listener) -> None:
    """Train whatever is not trained yet, and record each result as it comes.

    Raises:
        StudyFailedError: The first trainings all failed.
    """
    store, failed, trained = session.store, 0, 0
    proxy = recipe.proxy.model_copy(update={"rungs": [1.0]})
    wanted = entries(plan, recipe.deployment, seed=recipe.search.seed)
    seeds = reference_seeds(recipe.search.seed, plan.seeds)
    jobs = [
        TrainJob(
            name=f"{entry.candidate.fingerprint}-{seed}-scaling-{proxy.epochs}",
            label=f"{label(plan, entry)}, seed {seeds.index(seed) + 1}",
            candidate=entry.candidate,
            recipe=proxy,
            data=session.data.folder,
            seed=seed,
            until=proxy.epochs,
            folder=run.scratch,
            numerics=session.numerics,
        )
        for entry, seed in pending(store, recipe, wanted, plan.seeds)
    ]
    for job, outcome in run_jobs(
        "Scaling",
        jobs,
        since=0,
        executor=session.executor,
        listener=listener,
        should_stop=session.should_stop,
    ):
        result = outcome.score if isinstance(outcome, Trained) else outcome.reason
        store.add_reference(job.candidate.fingerprint, proxy.epochs, job.seed, result)
        for file in (job.state_file, job.weights_file):
            file.unlink(missing_ok=True)
        trained, failed = trained + isinstance(outcome, Trained), failed + (not isinstance(outcome, Trained))
        if failed >= FAILURES_AT_START and not trained:
            raise StudyFailedError(
                f"The first {failed} trainings all failed, so the study stops. The last one's reason: {result}"
            )
    if failed:
        listener.note(f"{failed} training{'' if failed == 1 else 's'} failed, and the study does without")
    if run.scratch.is_dir() and not any(run.scratch.iterdir()):
        run.scratch.rmdir()
