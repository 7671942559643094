"""An audit of a run: a sample of its candidates trained longer, to see whether the scores of the search rank them."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from edgenext_search.arch.candidate import Candidate
from edgenext_search.errors import UserError
from edgenext_search.execution.conditions import RunConditions
from edgenext_search.search.ranking.references import (
    can_be_audited,
    drawn,
    drawn_by,
    forget_failures,
    pending,
    reference_seeds,
    sampled,
)
from edgenext_search.search.recipe import ResolvedRecipe
from edgenext_search.search.results import RunSummary
from edgenext_search.search.store.kind import require_search
from edgenext_search.search.store.records import AuditFacts, StudyFacts
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.store.store import StudyStore
from edgenext_search.search.study.listener import Listener
from edgenext_search.search.study.series import recorded_time, run_series
from edgenext_search.search.study.session import Execution, open_session
from edgenext_search.search.study.summary import summarize
from edgenext_search.texts import command_line, counted

LEAST_CANDIDATES = 4
TIMES_AS_LONG = 4  # as the proxy, by default


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What an audit trains.

    Attributes:
        epochs: Of a long training, in one cycle of the learning rate.
        n: Candidates, the baseline among them.
        seeds: Long trainings of each.
    """

    epochs: int
    n: int = 16
    seeds: int = 2

    @classmethod
    def of(cls, recipe: ResolvedRecipe, *, epochs: int | None = None, n: int = 16, seeds: int = 2) -> Audit:
        """An audit of a study's runs.

        Raises:
            UserError: It is too small to say anything, or its long training is shorter than the proxy.
        """
        proxy = recipe.proxy.epochs
        epochs = TIMES_AS_LONG * proxy if epochs is None else epochs
        if epochs < proxy:
            raise UserError(
                f"--reference-epochs must be >= {proxy}, the epochs of the proxy, but got {epochs}: an audit needs a "
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
    """Train the candidates of an audit long, as far as that is not done yet, until all are or Ctrl-C interrupts.

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
        UserError: Fewer than four candidates have a score, the images are not those of the run, or something that
            :func:`~edgenext_search.search.study.session.open_session` refuses.
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
        before, trials = store.facts().audit, _sample(store, recipe, audit)
        spent = before.seconds if before is not None and before.epochs == audit.epochs else 0.0

        def facts(held: RunConditions, seconds: float) -> StudyFacts:
            size = {"epochs": audit.epochs, "n": audit.n, "seeds": audit.seeds}
            return StudyFacts(audit=AuditFacts(**size, trials=tuple(trials), conditions=held, seconds=seconds))

        with recorded_time(session, facts, spent=spent, since=started):
            run_series(
                run,
                session,
                listener,
                sampled(store, trials),
                seeds=reference_seeds(recipe.search.seed, audit.seeds),
                recipe=recipe.proxy.model_copy(update={"epochs": audit.epochs}),
                kind="reference",
                title="Audit",
                trainings="long training",
                subject="audit",
            )
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
    latest = store.facts().audit
    if latest is not None and (latest.epochs, latest.n) == (audit.epochs, audit.n):
        trials = drawn_by(latest, store, recipe)
        if _pending(store, recipe, replace(audit, seeds=latest.seeds), trials):
            return trials
    return drawn(store, recipe, audit.n)


def _plan(store: StudyStore, recipe: ResolvedRecipe, audit: Audit, trials: list[int]) -> str:
    """What there is to do, in words."""
    candidates, left = len(trials), len(_pending(store, recipe, audit, trials))
    seeds, epochs = counted(audit.seeds, "seed"), counted(audit.epochs, "epoch")
    text = f"{counted(candidates, 'candidate')}, {seeds} of {epochs} each"
    return f"{text}; {left} of {candidates * audit.seeds} trainings to do" if left else f"{text}; all are trained"


def _pending(store: StudyStore, recipe: ResolvedRecipe, audit: Audit, trials: list[int]) -> list[tuple[Candidate, int]]:
    seeds = reference_seeds(recipe.search.seed, audit.seeds)
    return pending(store, sampled(store, trials), epochs=audit.epochs, seeds=seeds)
