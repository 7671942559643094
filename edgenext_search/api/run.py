"""Searches from scripts and notebooks, and what they have found."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgenext_search.api.reports import write_reports
from edgenext_search.arch.budget import Budget
from edgenext_search.errors import UserError
from edgenext_search.files import expanded
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.texts import command_line

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from torch import nn

    from edgenext_search.search.recipe import ResolvedRecipe
    from edgenext_search.search.results import Finalist, Gain, RunSummary
    from edgenext_search.search.store.records import TrialRecord
    from edgenext_search.search.study.session import Execution

DEMO, WITH_DATA = "demo", "imagenet"  # the studies that a search takes unless told otherwise


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """A search, complete or interrupted, as its folder records it.

    Attributes:
        folder: Run folder, which every command of ``edgenext-search`` takes too.
        summary: All results, as ``summary.json`` holds them.
        records: The trials.
    """

    folder: Path
    summary: RunSummary
    records: Sequence[TrialRecord]

    @property
    def winner(self) -> Finalist | None:
        """The best finalist: its candidate, costs and scores; None before there is one."""
        return self.summary.winner

    @property
    def baseline(self) -> Finalist | None:
        """The published shape that was scaled to the budget; None before it has a score."""
        return self.summary.baseline

    @property
    def gain(self) -> Gain | None:
        """Top-1 of the winner less that of the baseline, with its interval; None where one is missing."""
        return self.summary.gain

    @property
    def front(self) -> tuple[Finalist, ...]:
        """The finalists that no other one dominates; the winner alone where accuracy is the only objective."""
        return self.summary.front

    @property
    def trials(self) -> pd.DataFrame:
        """One row for each trial, with the columns of ``trials.csv``."""
        from edgenext_search.report.trials.table import trials_frame

        return trials_frame(self.records)

    @property
    def report(self) -> Path:
        """Path of the report, a page that needs no network."""
        return RunFolder(self.folder).report_file

    def model(self) -> nn.Module:
        """The winner with the weights of its proxy training.

        Raises:
            UserError: There is no winner yet.
        """
        from edgenext_search.models.trained import open_trained

        if self.summary.model_dir is None:
            raise UserError(
                f"{self.folder} has no winner; if it was interrupted, `{command_line('resume', self.folder)}` "
                "continues it."
            )
        return open_trained(Path(self.summary.model_dir)).network

    def _repr_html_(self) -> str:
        """The report itself, for notebooks."""
        page = html.escape(self.report.read_text("utf-8"))
        return f'<iframe srcdoc="{page}" style="width: 100%; height: 40em; border: 0"></iframe>'


def search(
    budget: Budget | str | None = None,
    *,
    data: str | Path | None = None,
    data_dir: str | Path | None = None,
    study: str | Path | None = None,
    space: str | Path | None = None,
    trials: int | None = None,
    time: str | None = None,
    seed: int | None = None,
    settings: Mapping[str, object] | None = None,
    out: str | Path | None = None,
    execution: Execution | None = None,
    progress: bool = True,
) -> Run:
    """Search for the best EdgeNeXt within a budget, as ``edgenext-search run`` does.

    Ctrl-C, or the stop button of a notebook, ends it with a report; the same call with the same ``out`` goes on.

    Args:
        budget: Hard caps, or a text such as ``1.3M`` or ``params=1.3M,madds=260M``; None for the study's.
        data: Folder of class folders, table of paths and labels, or dataset name of timm; None for the built-in images.
        data_dir: Folder of a named dataset.
        study: Name or path of a study; None for ``demo``, or ``imagenet`` where there is data.
        space: Name or path of a search space; None for the study's.
        trials: Number of candidates; None for the study's.
        time: Time limit of the proposals, such as ``30m``.
        seed: Seed of proposals and trainings; None for the study's.
        settings: Other keys of the study by dotted name, such as ``{"proxy.epochs": 3}``.
        out: Run folder; None for ``runs/STUDY-BUDGET-DATE``.
        execution: Devices and parallelism; None for all devices of this host.
        progress: Whether to show progress, on standard error or in the notebook.

    Returns:
        The run, complete or interrupted.

    Raises:
        UserError: A value, the data or the folder cannot be used; found before anything is trained.
        StudyFailedError: The first trials all failed.
        KeyboardInterrupt: Ctrl-C came before there was anything to report, or a second time.
    """
    from rich.console import Console

    from edgenext_search.search.resolver import load_study
    from edgenext_search.search.study.session import Execution

    flags = {
        "budget": str(budget) if isinstance(budget, Budget) else budget,
        "data.source": None if data is None else str(data),
        "data.dir": None if data_dir is None else str(data_dir),
        "space": None if space is None else str(space),
        "search.trials": trials,
        "search.time": time,
        "search.seed": seed,
        **(settings or {}),
    }
    recipe = load_study(default_study(study, data), flags=flags)
    folder = folder_for(recipe, None if out is None else Path(out))
    execution = execution or Execution()
    summary = conduct(folder, recipe, execution, Console(stderr=True, quiet=not progress))
    records = folder.open_store(recipe, execution.storage).records()
    write_reports(folder, summary, records)
    return Run(folder=folder.path, summary=summary, records=records)


def open_run(folder: str | Path, *, storage: str | None = None) -> Run:
    """A run of this or another session.

    Args:
        folder: Run folder.
        storage: URL of its Optuna storage, if that has a password.

    Raises:
        UserError: It is no run, or that of a scaling study.
    """
    run = RunFolder(expanded(str(folder)))
    return _read(run, run.recipe(), storage)


def default_study(study: str | Path | None, data: object) -> str:
    """The study asked for, or that which suits the data."""
    return str(study) if study is not None else WITH_DATA if data else DEMO


def folder_for(recipe: ResolvedRecipe, out: Path | None, *, train_too: bool = True) -> RunFolder:
    """The folder of a run that begins or goes on.

    Args:
        recipe: Its study.
        out: Where; None for a folder named by study, budget and date.
        train_too: Whether the recipe of full training has to be the same, too.

    Raises:
        UserError: The folder holds a run of another recipe.
    """
    folder = RunFolder(out or RunFolder.default_path(recipe))
    if not folder.exists():
        return folder
    differing = [text for text in folder.recipe().differences(recipe) if train_too or not text.startswith("train.")]
    if differing:
        raise UserError(
            f"{folder.path} holds a run of another recipe (there / here): {'; '.join(differing)}. "
            f"Continue it with `{command_line('resume', folder.path)}`, or give another --out."
        )
    return folder


def conduct(folder: RunFolder, recipe: ResolvedRecipe, execution: Execution, console: Console) -> RunSummary:
    """Run or resume a study with its progress shown; the caller writes the last report.

    Args:
        folder: Run folder.
        recipe: Resolved study.
        execution: Devices and parallelism.
        console: Where progress is shown.

    Raises:
        UserError: As :func:`~edgenext_search.search.study.run.run_study`, like the other errors.
    """
    from edgenext_search.api.live import ReportRefresher
    from edgenext_search.api.progress import progress_listener
    from edgenext_search.search.study.listener import Listeners
    from edgenext_search.search.study.run import run_study

    with progress_listener(console, folder, recipe) as listener:
        refresher = ReportRefresher(folder, recipe, execution.storage, listener.note)
        return run_study(folder, recipe, execution, Listeners(listener, refresher))


def _read(folder: RunFolder, recipe: ResolvedRecipe, storage: str | None) -> Run:
    from edgenext_search.search.store.kind import require_search
    from edgenext_search.search.study.summary import summarize

    store = folder.open_store(recipe, storage, must_exist=True)
    require_search(folder, store)
    records = store.records()
    summary = summarize(folder, recipe, store, running=folder.is_running())
    if not folder.report_file.is_file():
        write_reports(folder, summary, records)
    return Run(folder=folder.path, summary=summary, records=records)
