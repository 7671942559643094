"""Files of attempts: written under the attempt's own names, and given their final names once the outcome counts.

A process that hangs may wake up after its job was given to another one. It writes to names that nobody reads.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from edgenext_search.training.proxy.job import STATE, WEIGHTS, TrainJob


def new_attempt(job: TrainJob, number: int) -> TrainJob:
    """The job with the token of its ``number``-th attempt, counted from 1; no other attempt has it."""
    return replace(job, attempt=f"{number}-{secrets.token_hex(4)}")


def accept(job: TrainJob) -> None:
    """Give the files of an attempt their final names."""
    for file in _files(job):
        if (written := job.written(file)) != file and written.exists():
            written.replace(file)


def discard(job: TrainJob) -> None:
    """Remove the files of an attempt that does not count."""
    for file in _files(job):
        if (written := job.written(file)) != file:
            written.unlink(missing_ok=True)


def recover(folder: Path) -> None:
    """Give those files their final names that were whole when the coordinator died, and whose outcome it never got.

    A state is written last, so weights without one are removed. Submitted again, such a job is done at once.
    """
    attempts: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for path, name, attempt in _attempts(folder):
        attempts[name, attempt].append(path)
    for (name, _), paths in sorted(attempts.items(), key=lambda item: min(_age(path) for path in item[1])):
        whole = any(path.suffix == STATE for path in paths)
        for path in sorted(paths, key=lambda path: path.suffix == STATE):
            if whole:
                path.replace(folder / f"{name}{path.suffix}")
            else:
                path.unlink(missing_ok=True)


def _files(job: TrainJob) -> tuple[Path, Path]:
    """Weights before state: the state says that the job is done."""
    return job.weights_file, job.state_file


def _attempts(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """Path, name of the job and token of each file of an attempt."""
    for path in folder.glob("[!.]*.*.*"):
        name, _, attempt = path.stem.rpartition(".")
        if path.suffix in (STATE, WEIGHTS) and name:
            yield path, name, attempt


def _age(path: Path) -> float:
    return path.stat().st_mtime
