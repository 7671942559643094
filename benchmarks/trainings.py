"""Many candidates trained by the engine on Fashion-MNIST, every result kept, so that a benchmark can be interrupted."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.data import PreparedData, default_cache_dir, open_source, prepare
from edgenext_search.execution.dispatch import outcomes
from edgenext_search.execution.local import LocalExecutor
from edgenext_search.execution.placement import local_places
from edgenext_search.search.store.records import Losses, TrialRecord
from edgenext_search.search.study.images import CROP_MARGIN
from edgenext_search.training.proxy.job import Trained, TrainJob
from edgenext_search.training.proxy.recipe import TrainRecipe

VAL_SHARE = 1 / 6  # 10,000 of Fashion-MNIST's 60,000 training images


@dataclass(frozen=True)
class RungResult:
    """What one rung of one training came to."""

    epoch: int
    top1: float
    loss: float
    train_loss: float
    seconds: float


def data_options(arguments: ArgumentParser, *, record: bool = True) -> None:
    """``--data``, ``--data-dir`` and ``--record``."""
    arguments.add_argument("--data", help="as of `run` (default: torch/fashion_mnist; the built-in set for --quick)")
    arguments.add_argument("--data-dir", type=Path, help="where it lies; FashionMNIST/raw/ is looked for in it")
    if not record:
        return
    arguments.add_argument("--record", type=Path, help="JSON lines of the trainings; those in it are not done again")


def images(options: Namespace, *, img_size: int, train_images: int, val_images: int | None) -> PreparedData:
    """A stratified part of the set's training images, and the held-out ones."""
    return prepare(
        open_source(options.data or (None if options.quick else "torch/fashion_mnist"), options.data_dir),
        image_size=round(img_size / CROP_MARGIN),
        train_images=train_images,
        val_images=val_images,
        val_fraction=VAL_SHARE,
        seed=0,
        cache_dir=default_cache_dir(),
        workers=2,
        progress=lambda *_: None,
    )


class Trainings:
    """Trains what is not on record yet.

    Args:
        record: The file; None for a record of this run alone.
        scratch: Folder of the states between rungs.
    """

    def __init__(self, record: Path | None, scratch: Path) -> None:
        self._record, self._scratch = record, scratch
        self._results: dict[str, dict[str, Any]] = {}
        if record and record.is_file():
            lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
            if lines and not lines[-1].endswith("\n"):  # cut off by whatever ended the run before
                lines.pop()
                record.write_text("".join(lines), encoding="utf-8")
            rows = [json.loads(line) for line in lines]
            self._results = {row["key"]: row["reading"] for row in rows}
        self._executor = LocalExecutor(local_places("cpu", parallel=None, threads=1))

    def curves(
        self, pairs: Iterable[tuple[Candidate, int]], recipe: TrainRecipe, data: PreparedData
    ) -> dict[tuple[str, int], list[RungResult]]:
        """The result of each rung, by fingerprint and seed."""
        wanted = list(pairs)
        begun = time.monotonic()
        for rung in recipe.rung_epochs:
            jobs = [
                job
                for candidate, seed in wanted
                for job in (self._job(candidate, seed, recipe, data, rung),)
                if self._key(job) not in self._results
            ]
            for done, (job, outcome) in enumerate(outcomes(self._executor, jobs), start=1):
                if not isinstance(outcome, Trained):
                    raise SystemExit(f"{job.label}: {outcome.reason}")
                self._keep(job, outcome)
                if done % 10 == 0 or done == len(jobs):
                    spent = time.monotonic() - begun
                    print(f"epoch {rung}: {done} of {len(jobs)} trainings, {spent:.0f} s", file=sys.stderr, flush=True)
        return {
            (candidate.fingerprint, seed): [
                RungResult(**self._results[self._key(self._job(candidate, seed, recipe, data, rung))])
                for rung in recipe.rung_epochs
            ]
            for candidate, seed in wanted
        }

    def weights(self, candidate: Candidate, seed: int, recipe: TrainRecipe, data: PreparedData) -> Path:
        """Where the weights of a training lie that this object has done."""
        return self._job(candidate, seed, recipe, data, recipe.epochs).weights_file

    def _job(self, candidate: Candidate, seed: int, recipe: TrainRecipe, data: PreparedData, until: int) -> TrainJob:
        digest = hashlib.sha256(f"{sorted(recipe.to_dict().items())} {data.fingerprint}".encode()).hexdigest()[:12]
        name = f"{candidate.fingerprint}-{seed}-{digest}"
        return TrainJob(
            name=name,
            label=name,
            candidate=candidate,
            recipe=recipe,
            data=data.folder,
            seed=seed,
            until=until,
            folder=self._scratch,
        )

    def _keep(self, job: TrainJob, trained: Trained) -> None:
        result = {
            "epoch": job.until,
            "top1": trained.score,
            "loss": trained.loss,
            "train_loss": trained.train_loss,
            "seconds": trained.seconds,
        }
        self._results[self._key(job)] = result
        if self._record:
            with self._record.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": self._key(job), "reading": result}) + "\n")

    @staticmethod
    def _key(job: TrainJob) -> str:
        return f"{job.name}-{job.until}"


def record_of(number: int, candidate: Candidate, curve: list[RungResult], seed: int) -> TrialRecord:
    """A training as the trial of a study, nothing of it stopped."""
    return TrialRecord(
        number=number,
        state="complete",
        cohort=0,
        origin="sampler",
        candidate=candidate,
        cost=cost(candidate, Deployment()),
        curve=tuple((reading.epoch, reading.top1) for reading in curve),
        losses=tuple((reading.epoch, Losses(held_out=reading.loss, train=reading.train_loss)) for reading in curve),
        seconds=sum(reading.seconds for reading in curve),
        seed=seed,
    )
