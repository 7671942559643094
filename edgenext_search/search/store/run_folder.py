"""The run folder: where everything that a run writes lies, but for the data cache."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from edgenext_search.errors import UserError
from edgenext_search.files import dump_yaml, read_yaml, write_text
from edgenext_search.locks import exclusive, is_locked
from edgenext_search.results import Result
from edgenext_search.search.recipe import DataKeys, ResolvedRecipe
from edgenext_search.search.store.store import StudyStore
from edgenext_search.temporary import is_temporary
from edgenext_search.texts import command_line, hide_password
from edgenext_search.versions import versions

AnyResult = TypeVar("AnyResult", bound=Result)
STUDY_FILE = "study.yaml"
STUDY_KEY, STORAGE_KEY, NAME_KEY, VERSIONS_KEY = "study", "storage", "name_in_storage", "versions"


class RunFolder:
    """The files of one run.

    Attributes:
        path: The folder.
        study_file: The study as resolved, with versions.
        summary_file: The result, as ``--json`` prints it.
        report_file: The report for people.
        csv_file: The table of trials.
        winners: Model folders of winners, by fingerprint.
        latency_profile: The latency profile that the run's candidates are projected with, where latency is asked for.
        trained: Full trainings of finalists, by fingerprint.
        scratch: States of trainings under way, and the weights of finalists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.study_file = path / STUDY_FILE
        self.summary_file = path / "summary.json"
        self.report_file = path / "report" / "index.html"
        self.csv_file = path / "report" / "trials.csv"
        self.winners = path / "winners"
        self.latency_profile = path / "latency.json"
        self.trained = path / "trained"
        self.scratch = path / "scratch"
        self._lock_file = path / ".lock"
        self._database = path / "study.db"

    @classmethod
    def default_path(cls, recipe: ResolvedRecipe) -> Path:
        """``runs/<study>-<budget>-<date>-<time>``, under the working directory."""
        budget = re.sub(r"[^\w.]+", "-", str(recipe.budget).replace("=", ""))
        return Path("runs") / f"{recipe.name}-{budget}-{time.strftime('%Y%m%d-%H%M%S')}"

    def exists(self) -> bool:
        """Whether there is a run here."""
        return self.study_file.is_file()

    def create(self, recipe: ResolvedRecipe, *, storage: str | None) -> None:
        """Begin a run here.

        Raises:
            UserError: The folder holds something else, or cannot be written.
        """
        if self.path.exists() and (not self.path.is_dir() or any(map(self._foreign, self.path.iterdir()))):
            raise UserError(f"{self.path} exists and is not a run; give another folder with --out.")
        values = {
            STUDY_KEY: recipe.to_dict(),
            STORAGE_KEY: hide_password(storage) if storage else None,
            NAME_KEY: f"{self.path.resolve().name}-{secrets.token_hex(4)}",
            VERSIONS_KEY: versions(),
        }
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_text(self.study_file, dump_yaml(values))
        except OSError as error:
            raise UserError(f"{self.path} cannot be written: {error.strerror}; give another with --out.") from error

    def _foreign(self, path: Path) -> bool:
        """Whether a file or folder is none of those that a beginning which was killed may leave."""
        return path != self._lock_file and not is_temporary(path)

    def holds_results(self) -> bool:
        """Whether trainings or reports have left something here, which is recorded then."""
        made = (self.scratch, self.report_file.parent, self.winners, self.trained, self.summary_file)
        return any(path.exists() for path in made)

    def recipe(self) -> ResolvedRecipe:
        """The study of the run here.

        Raises:
            UserError: There is no run here, or its study file was damaged.
        """
        study = self._study().get(STUDY_KEY)
        if isinstance(study, dict) and isinstance(search := study.get("search"), dict):
            former = {"rank_by": "top1", "overlap": 0}  # as runs did before there was a choice
            study = {**study, "search": {**former, **search}}
        return ResolvedRecipe.read(study, where=str(self.study_file))

    def extend(self, *, trials: int | None, time: str | None) -> ResolvedRecipe:
        """The study of the run here, from now on with more trials or time.

        Raises:
            UserError: There are fewer trials than before, the time is none, or another process works on the run.
        """
        recipe = self.recipe()
        if trials is not None and trials < recipe.search.trials:
            raise UserError(f"--trials must be >= the run's {recipe.search.trials}, but got {trials}.")
        changed = {key: value for key, value in (("trials", trials), ("time", time)) if value is not None}
        if changed:
            values = self._study()
            values[STUDY_KEY]["search"] |= changed
            recipe = ResolvedRecipe.read(values[STUDY_KEY], where=str(self.study_file))
            with self.lock():
                write_text(self.study_file, dump_yaml(values))
        return recipe

    def record_place(self, data: DataKeys) -> None:
        """Record where the run's images are now; called with the run's lock.

        Raises:
            OSError: The study file cannot be written.
        """
        if self.recipe().data != data:
            values = self._study()
            values[STUDY_KEY]["data"] |= {"source": data.source, "dir": data.dir}
            write_text(self.study_file, dump_yaml(values))

    def storage(self, given: str | None) -> str | Path:
        """The run's Optuna storage: an SQLite file in the folder, or the URL of another that the run was begun with.

        Args:
            given: The URL that the user gives now; needed where the recorded one had a password.

        Raises:
            UserError: The recorded URL had a password, which was not recorded, and none is given; or the run was begun
                with another storage.
        """
        recorded = self._study().get(STORAGE_KEY)
        if recorded is None:
            if given not in (None, f"sqlite:///{self._database}"):
                raise UserError(
                    f"The run's storage is SQLite in {self.path}, since it was begun without --storage; leave it out, "
                    "or begin a run with another --out."
                )
            return self._database
        if given and hide_password(given) == recorded:
            return given
        if given or ":***@" in recorded:
            raise UserError(f"The run's storage is {recorded}; give the same one, with its password, by --storage.")
        return str(recorded)

    def open_store(self, recipe: ResolvedRecipe, storage: str | None = None, *, must_exist: bool = False) -> StudyStore:
        """The record of the run's trials, wherever the folder was moved, and whoever else uses the storage.

        Args:
            recipe: The run's study.
            storage: As in :meth:`storage`.
            must_exist: Whether it has to be there already; else it is made.

        Raises:
            UserError: It cannot be opened, or was lost.
        """
        name = self._study().get(NAME_KEY, self.path.resolve().name)
        where = self.storage(storage)
        if must_exist and where == self._database and not self._database.is_file():
            raise UserError(f"{self.path} has no {self._database.name}, the record of its trials; copy it back first.")
        return StudyStore(where, name, recipe.space, objectives=recipe.search.objectives, must_exist=must_exist)

    def check_writable(self) -> None:
        """Refuse a folder that nothing can be written to, before any work.

        Raises:
            UserError: It is such a folder.
        """
        if not os.access(self.path, os.W_OK):
            raise UserError(f"{self.path} cannot be written; copy it to a folder of your own.")

    def is_running(self) -> bool:
        """Whether a coordinator is at work here."""
        return is_locked(self._lock_file)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other coordinators out while this one works.

        Raises:
            UserError: Another one is at work here.
        """
        self.check_writable()
        with exclusive(self._lock_file) as free:
            if not free:
                raise UserError(f"Another process works on {self.path}; wait for it, or stop it first.")
            yield

    def summary(self) -> dict[str, Any]:
        """What the run has come to.

        Raises:
            UserError: It has come to nothing yet.
        """
        try:
            summary = json.loads(self.summary_file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(
                f"{self.path} has no summary yet; `{command_line('resume', self.path)}` makes one."
            ) from error
        return dict(summary)

    def read_summary(self, kind: type[AnyResult]) -> AnyResult:
        """What the run has come to, as a result of some kind.

        Raises:
            UserError: There is no summary yet, or it is of another kind.
        """
        return kind.read(self.summary(), where=str(self.summary_file))

    def write_summary(self, summary: Result) -> None:
        """Write ``summary.json``, whole or not at all."""
        write_text(self.summary_file, json.dumps(summary.to_dict(), indent=2) + "\n")

    def _study(self) -> dict[str, Any]:
        if not self.path.exists():
            raise UserError(f"There is no run {self.path}: the folder does not exist.")
        if not self.exists():
            raise UserError(f"{self.path} is not a run: it has no {STUDY_FILE}.")
        return read_yaml(self.study_file)
