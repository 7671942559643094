"""A resumable series of trainings: each candidate with each seed through all epochs, recorded as results come."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from edgenext_search.arch.candidate import Candidate
from edgenext_search.errors import StudyFailedError
from edgenext_search.execution.conditions import RunConditions, conditions
from edgenext_search.search.ranking.references import pending
from edgenext_search.search.store.records import StudyFacts
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.study.listener import Listener, run_jobs
from edgenext_search.search.study.session import Session
from edgenext_search.texts import counted
from edgenext_search.training.proxy.job import Trained, TrainJob
from edgenext_search.training.proxy.recipe import TrainRecipe

FAILURES_AT_START = 3


def check_start(reasons: Sequence[str], *, scored: bool, trainings: str, subject: str = "study") -> None:
    """Give up where the first trainings all failed: the others would fail too.

    Args:
        reasons: Reasons of the failures so far, the latest last.
        scored: Whether any training has a score.
        trainings: What failed, in the plural.
        subject: What stops.

    Raises:
        StudyFailedError: There are three failures or more, and no score.
    """
    if len(reasons) >= FAILURES_AT_START and not scored:
        raise StudyFailedError(
            f"The first {len(reasons)} {trainings} all failed, so the {subject} stops. The last one's reason: "
            f"{reasons[-1]}"
        )


@contextlib.contextmanager
def recorded_time(
    session: Session, facts: Callable[[RunConditions, float], StudyFacts], *, spent: float, since: float
) -> Iterator[None]:
    """Keep the facts of a series in the run's record, with its working time, also after an interruption.

    Args:
        session: The session that works.
        facts: What to record, given conditions and working time in seconds.
        spent: Working time of earlier sessions, in seconds.
        since: Start of this session, by ``time.monotonic``.
    """
    held = conditions(session.places, session.numerics)
    session.store.record_facts(facts(held, spent))
    try:
        yield
    finally:
        session.store.record_facts(facts(held, spent + time.monotonic() - since))


def run_series(
    run: RunFolder,
    session: Session,
    listener: Listener,
    candidates: Mapping[Candidate, str],
    *,
    seeds: Sequence[int],
    recipe: TrainRecipe,
    kind: str,
    title: str,
    trainings: str = "training",
    subject: str = "study",
) -> None:
    """Train candidates with each seed as far as that is not done yet, and record each result as it comes.

    Args:
        run: The run's folder.
        session: The open session.
        listener: Hears of progress and failures.
        candidates: Names of the candidates for people, by candidate.
        seeds: Seeds of the trainings.
        recipe: How to train; rungs are left out.
        kind: Part of the jobs' names.
        title: Name of the series for people.
        trainings: Noun for one of the trainings.
        subject: Noun for the whole.

    Raises:
        StudyFailedError: The first trainings all failed.
    """
    store, reasons, scored = session.store, list[str](), False
    recipe = recipe.model_copy(update={"rungs": [1.0]})
    jobs = [
        TrainJob(
            name=f"{candidate.fingerprint}-{seed}-{kind}-{recipe.epochs}",
            label=f"{candidates[candidate]}, seed {seeds.index(seed) + 1}",
            candidate=candidate,
            recipe=recipe,
            data=session.data.folder,
            seed=seed,
            until=recipe.epochs,
            folder=run.scratch,
            numerics=session.numerics,
        )
        for candidate, seed in pending(store, candidates, epochs=recipe.epochs, seeds=seeds)
    ]
    outcomes = run_jobs(
        title, jobs, since=0, executor=session.executor, listener=listener, should_stop=session.should_stop
    )
    for job, outcome in outcomes:
        result = outcome.score if isinstance(outcome, Trained) else outcome.reason
        store.add_reference(job.candidate.fingerprint, recipe.epochs, job.seed, result)
        for file in (job.state_file, job.weights_file):
            file.unlink(missing_ok=True)
        if isinstance(outcome, Trained):
            scored = True
        else:
            reasons.append(outcome.reason)
            check_start(reasons, scored=scored, trainings=f"{trainings}s", subject=subject)
    if reasons:
        listener.note(f"{counted(len(reasons), trainings)} failed, and the {subject} does without")
    if run.scratch.is_dir() and not any(run.scratch.iterdir()):
        run.scratch.rmdir()
