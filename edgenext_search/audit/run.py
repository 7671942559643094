"""An audit of a run: a sample of its candidates trained longer, to see whether the scores of the search rank them."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgenext_search.errors import StudyFailedError, UserError
from edgenext_search.execution.conditions import conditions
from edgenext_search.search.ranking.references import (
    AUDIT,
    Reference,
    audited,
    can_be_audited,
    drawn,
    drawn_by,
    forget_failures,
    pending,
    reference_seeds,
)
from edgenext_search.search.store.kind import require_search
from edgenext_search.search.study.jobs import run_jobs
from edgenext_search.search.study.listener import Listener
from edgenext_search.search.study.session import open_session
from edgenext_search.search.study.summary import summarize
from edgenext_search.texts import command_line, counted
from edgenext_search.training.proxy.job import Trained, TrainJob

if TYPE_CHECKING:
    from edgenext_search.search.recipe import ResolvedRecipe
    from edgenext_search.search.results import RunSummary
    from edgenext_search.search.store.run_folder import RunFolder
    from edgenext_search.search.store.store import StudyStore
    from edgenext_search.search.study.session import Execution, Session

LEAST_CANDIDATES = 4
TIMES_AS_LONG = 4  # as the proxy, by default
FAILURES_AT_START = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What an audit trains.

    Attributes:
        epochs: Of a reference training, in one cycle of the learning rate.
        n: Candidates, the baseline among them.
        seeds: Reference trainings of each.
    """

    epochs: int
    n: int = 16
    seeds: int = 2

    @classmethod
    def of(cls, recipe: ResolvedRecipe, *, epochs: int | None = None, n: int = 16, seeds: int = 2) -> Audit:
        """An audit of a study's runs.

        Raises:
            UserError: It is too small to say anything, or its reference is shorter than the proxy.
        """
        proxy = recipe.proxy.epochs
        epochs = TIMES_AS_LONG * proxy if epochs is None else epochs
        if epochs < proxy:
            raise UserError(
                f"--reference-epochs must be >= {proxy}, the epochs of the proxy, but got {epochs}: a reference is a "
                f"longer training. The default is {TIMES_AS_LONG * proxy}."
            )
        if n < LEAST_CANDIDATES:
            raise UserError(
                f"--n must be >= {LEAST_CANDIDATES}, but got {n}: the order of fewer candidates says nothing; take 16."
            )
        if seeds < 1:
            raise UserError(f"--seeds must be >= 1, but got {seeds}; 2 also tell how far long trainings agree.")
        return cls(epochs=epochs, n=n, seeds=seeds)


def run_audit(
    run: RunFolder, recipe: ResolvedRecipe, audit: Audit, execution: Execution, listener: Listener | None = None
) -> RunSummary:
    """Train the reference of an audit as far as that is not done yet, until it is complete or interrupted by Ctrl-C.

    What an earlier audit has trained as long is used, whatever its size. The sample is drawn when an audit begins:
    trials that the run adds later change neither what is left to do nor what is done.

    Args:
        run: The folder of a run that no other process works on.
        recipe: Its study.
        audit: What to train.
        execution: Where and how fast.
        listener: Whoever watches.

    Returns:
        The run's summary with what the audit found, also written to the folder.

    Raises:
        UserError: Fewer than four candidates have a score, the images have changed since the run began, or something
            that :func:`~edgenext_search.search.study.session.open_session` refuses.
        StudyFailedError: The first trainings all failed.
        KeyboardInterrupt: Ctrl-C came while the images were prepared, or twice.
    """
    listener = listener or Listener()
    started = time.monotonic()

    def announce(store: StudyStore) -> None:
        _check(store, run)
        forget_failures(store, audit.epochs)
        listener.note(f"Auditing {run.path}: {_plan(store, recipe, audit, _sample(store, recipe, audit))}")

    with open_session(run, recipe, execution, listener, announce=announce, measures=False) as session:
        store = session.store
        before, trials = store.fact(AUDIT) or {}, _sample(store, recipe, audit)
        seconds = before["seconds"] if before.get("epochs") == audit.epochs else 0.0
        fact = {
            "epochs": audit.epochs,
            "n": audit.n,
            "seeds": audit.seeds,
            "trials": trials,
            "conditions": conditions(session.places, session.numerics).to_dict(),
        }
        store.set_fact(AUDIT, {**fact, "seconds": seconds})
        try:
            _train(run, recipe, audit, session, listener)
        finally:
            store.set_fact(AUDIT, {**fact, "seconds": seconds + time.monotonic() - started})
        summary = summarize(run, recipe, store)
        run.write_summary(summary)
    return summary


def _check(store: StudyStore, run: RunFolder) -> None:
    require_search(run, store)
    scored = sum(map(can_be_audited, store.records()))
    if scored < LEAST_CANDIDATES:
        raise UserError(
            f"{run.path} has {scored} scored candidate{'' if scored == 1 else 's'}, and an audit needs at least "
            f"{LEAST_CANDIDATES}; `{command_line('resume', run.path)}` scores more."
        )


def _sample(store: StudyStore, recipe: ResolvedRecipe, audit: Audit) -> list[int]:
    """Numbers of the trials that an audit is of: those of the latest one as long as it has not been finished."""
    fact = store.fact(AUDIT) or {}
    if (fact.get("epochs"), fact.get("n")) == (audit.epochs, audit.n):
        trials = drawn_by(fact, store, recipe)
        if _pending(store, recipe, replace(audit, seeds=fact["seeds"]), trials):
            return trials
    return drawn(store, recipe, audit.n)


def _plan(store: StudyStore, recipe: ResolvedRecipe, audit: Audit, trials: list[int]) -> str:
    """What there is to do, in words."""
    candidates, left = len(trials), len(_pending(store, recipe, audit, trials))
    seeds, epochs = counted(audit.seeds, "seed"), counted(audit.epochs, "epoch")
    text = f"{counted(candidates, 'candidate')}, {seeds} of {epochs} each"
    return f"{text}; {left} of {candidates * audit.seeds} trainings to do" if left else f"{text}; all are trained"


def _pending(store: StudyStore, recipe: ResolvedRecipe, audit: Audit, trials: list[int]) -> list[tuple[Reference, int]]:
    references = audited(store, trials, epochs=audit.epochs)
    return pending(references, trials, reference_seeds(recipe.search.seed, audit.seeds))


def _train(run: RunFolder, recipe: ResolvedRecipe, audit: Audit, session: Session, listener: Listener) -> None:
    """Train whatever is not trained yet, and record each result as it comes.

    Raises:
        StudyFailedError: The first trainings all failed.
    """
    store, failed, trained = session.store, 0, 0
    reference = recipe.proxy.model_copy(update={"epochs": audit.epochs, "rungs": [1.0]})
    seeds = reference_seeds(recipe.search.seed, audit.seeds)
    jobs = [
        TrainJob(
            name=f"{item.trial.candidate.fingerprint}-{seed}-reference-{audit.epochs}",
            label=f"trial {item.trial.number}, seed {seeds.index(seed) + 1}",
            candidate=item.trial.candidate,
            recipe=reference,
            data=session.data.folder,
            seed=seed,
            until=audit.epochs,
            folder=run.scratch,
            numerics=session.numerics,
        )
        for item, seed in _pending(store, recipe, audit, drawn_by(store.fact(AUDIT), store, recipe))
    ]
    for job, outcome in run_jobs(
        "Audit",
        jobs,
        since=0,
        executor=session.executor,
        listener=listener,
        should_stop=session.should_stop,
    ):
        result = outcome.score if isinstance(outcome, Trained) else outcome.reason
        store.add_reference(job.candidate.fingerprint, audit.epochs, job.seed, result)
        for file in (job.state_file, job.weights_file):
            file.unlink(missing_ok=True)
        trained, failed = trained + isinstance(outcome, Trained), failed + (not isinstance(outcome, Trained))
        if failed >= FAILURES_AT_START and not trained:
            raise StudyFailedError(
                f"The first {failed} reference trainings all failed, so the audit stops. The last one's reason: "
                f"{result}"
            )
    if failed:
        listener.note(f"{failed} reference training{'' if failed == 1 else 's'} failed, and the audit does without")
    if run.scratch.is_dir() and not any(run.scratch.iterdir()):
        run.scratch.rmdir()
