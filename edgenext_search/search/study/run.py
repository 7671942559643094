"""A study from beginning to end: data, search, finalists, winner, summary."""

from __future__ import annotations

import time

from edgenext_search.arch.cost import cost
from edgenext_search.arch.projection import BAND
from edgenext_search.errors import UserError
from edgenext_search.execution.conditions import conditions
from edgenext_search.search.recipe import ResolvedRecipe
from edgenext_search.search.results import RunSummary
from edgenext_search.search.store.records import StudyFacts
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.store.store import StudyStore
from edgenext_search.search.study.cohort.enqueue import enqueue_notes
from edgenext_search.search.study.coordinator import Coordinator
from edgenext_search.search.study.finalists import finalists_of, front_of
from edgenext_search.search.study.latency import FinalistTimer
from edgenext_search.search.study.listener import Listener
from edgenext_search.search.study.session import Execution, Session, open_session
from edgenext_search.search.study.summary import summarize
from edgenext_search.search.study.winner import clean_scratch, weights_of, write_winner
from edgenext_search.texts import command_line

FEW_IMAGES = 200  # held-out images below which a single one changes a score by more than half a point


def run_study(
    run: RunFolder, recipe: ResolvedRecipe, execution: Execution, listener: Listener | None = None
) -> RunSummary:
    """Run or resume a study until it is complete or interrupted by Ctrl-C.

    Recipe, data and devices are checked before any training.

    Args:
        run: Run folder; a new run is created where there is none.
        recipe: Resolved study; for an existing run the one that it began with.
        execution: Devices and parallelism.
        listener: Listener to the study's progress.

    Returns:
        The summary, which is also written to the folder.

    Raises:
        UserError: The recipe, the data or the folder cannot be used.
        StudyFailedError: The first trials all failed.
        KeyboardInterrupt: Ctrl-C came before there was anything to report, or a second time.
    """
    listener = listener or Listener()
    started = time.monotonic()
    resumed = run.exists()

    def announce(store: StudyStore) -> None:
        if store.facts().scaling is not None:
            raise UserError(
                f"{run.path} is a scaling study; `{command_line('scale', 'resume', run.path)}` goes on with it."
            )
        listener.study_started(resumed=resumed)

    with open_session(run, recipe, execution, listener, announce=announce) as session:
        store, data, should_stop = session.store, session.data, session.should_stop
        finished, before = store.facts().complete, len(store.records())
        for warning in _warnings(recipe, session):
            listener.note(warning)
        store.record_facts(StudyFacts(complete=False, conditions=conditions(session.places, session.numerics)))
        coordinator = Coordinator(
            recipe=recipe,
            projection=session.projection,
            store=store,
            executor=session.executor,
            numerics=session.numerics,
            data=data.folder,
            scratch=run.scratch,
            listener=listener,
            should_stop=should_stop,
            measure=_finalist_timer(recipe, session, listener),
        )
        coordinator.search()
        if not should_stop():
            coordinator.rescore()
        complete = not should_stop()
        ranked = finalists_of(store, recipe)
        front = front_of(ranked, recipe.search.objectives)
        if front:
            listener.note(
                "Writing the model folders of the front" if front[1:] else "Writing the winner's model folder"
            )
        for finalist in front:
            write_winner(run, recipe, coordinator, finalist.candidate, data)
        seconds = store.facts().seconds
        if finished and len(store.records()) == before:
            listener.note("The run was complete already; its report is written again.")
        else:
            seconds += time.monotonic() - started
        store.record_facts(StudyFacts(complete=complete, seconds=seconds))
        summary = summarize(run, recipe, store)
        run.write_summary(summary)
        if complete:
            rescored = {fingerprint for fingerprint, _ in store.rescores()} | {f.fingerprint for f in ranked}
            candidates = [trial.candidate for trial in store.records() if trial.candidate.fingerprint in rescored]
            kept = [job for candidate in candidates if (job := weights_of(candidate, recipe, coordinator))]
            clean_scratch(run.scratch, [job.weights_file for job in kept])
    return summary


def _finalist_timer(recipe: ResolvedRecipe, session: Session, listener: Listener) -> FinalistTimer | None:
    if session.study_device is None:
        return None
    return FinalistTimer(session.study_device, recipe, session.store, listener, should_stop=session.should_stop)


def _warnings(recipe: ResolvedRecipe, session: Session) -> list[str]:
    """Reasons why this study will be slow or its scores coarse, each with a remedy."""
    warnings = []
    projection, train, val = session.projection, len(session.data.train.labels), len(session.data.val.labels)
    if session.places[0].devices[0] == "cpu" and recipe.name == "imagenet":
        warnings.append(
            "The study imagenet is made for GPUs, and this host has none; --study laptop is made for a CPU."
        )
    if val < FEW_IMAGES:
        warnings.append(
            f"Only {val} held-out images score the candidates, {100 / val:.1f} points each, so similar "
            "candidates cannot be distinguished; --set data.val_share=0.3 holds out more."
        )
    if recipe.proxy.batch_size > train:
        warnings.append(
            f"proxy.batch_size is {recipe.proxy.batch_size}, but there are {train} training images: an epoch is a "
            f"single step; --set proxy.batch_size={max(1, train // 8)} gives it more steps."
        )
    usage = projection.budget.usage(
        cost(projection.published(projection.nearest_published()[0]), projection.deployment)
    )
    if usage < BAND:
        warnings.append(
            f"The baseline, the published shape scaled to the budget, uses {100 * usage:.0f} % of the tightest cap: "
            "its widths change in steps, which matters most for caps on memory. The gain may be overestimated."
        )
    warnings += enqueue_notes(projection, recipe.enqueued)
    return [f"Note: {text}" for text in warnings]
