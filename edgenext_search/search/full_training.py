"""What of a study goes on to full training: its winner or finalists, its recipe, its images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgenext_search.arch.candidate import Candidate
from edgenext_search.errors import UserError
from edgenext_search.files import expanded
from edgenext_search.search.recipe import ResolvedRecipe
from edgenext_search.search.resolver import parse_setting, read_study, relocate
from edgenext_search.search.results import RunSummary
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.texts import command_line
from edgenext_search.training.full.job import FullJob
from edgenext_search.training.full.listener import TrainListener
from edgenext_search.training.full.recipe import FullRecipe
from edgenext_search.training.full.summary import TrainSummary
from edgenext_search.validation import Settings

SECTION = "train"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is to be trained in full.

    Attributes:
        candidate: The network.
        name: What people know it by.
        recipe: How it is trained.
        data: The images; None where neither the user nor a run named any.
        data_dir: Where a named dataset lies.
    """

    candidate: Candidate
    name: str
    recipe: FullRecipe
    data: str | None
    data_dir: Path | None


class _Section(Settings):
    train: FullRecipe


def find_subject(
    what: str, *, data: str | None, data_dir: Path | None, study: str | None, settings: Sequence[str]
) -> Subject:
    """The subject that a name or path stands for.

    Args:
        what: A run folder, for its winner; or what :func:`~edgenext_search.models.find.find_candidate` takes.
        data: The images; None for the run's.
        data_dir: Where a named dataset lies; None for where the run had it.
        study: The study whose ``train`` section is the recipe; None for the run's, or the published recipe.
        settings: ``train.key=value`` texts that are laid over it.

    Raises:
        UserError: There is no such thing, the run has no winner yet, or a setting is wrong.
    """
    from edgenext_search.models.find import find_candidate
    from edgenext_search.search.store.kind import winner_of
    from edgenext_search.search.store.run_folder import RunFolder

    run = RunFolder(expanded(what))
    recipe = read_study(study, flags={}).train if study else FullRecipe()
    if not run.exists():
        candidate, name = find_candidate(what), _name_of(what)
    else:
        begun = run.recipe()
        candidate, name = winner_of(run), f"the winner of {run.path}"
        recipe = recipe if study else recipe_of(begun)
        if data is None:
            data = relocate(begun, source=None, folder=None, again=command_line("train", run.path)).data.source
            data_dir = data_dir or (Path(begun.data.dir) if begun.data.dir else None)
    return Subject(candidate=candidate, name=name, recipe=with_settings(recipe, settings), data=data, data_dir=data_dir)


def recipe_of(study: ResolvedRecipe) -> FullRecipe:
    """How a study's winners are trained in full: at the size of its deployment, for which the budget was held.

    A ``train.img_size`` of its own stands.
    """
    size = study.deployment.img_size
    if study.train.img_size != FullRecipe().img_size or size == study.train.img_size:
        return study.train
    return study.train.model_copy(update={"img_size": size, "multi_scale": FullRecipe().multi_scale})


def with_settings(recipe: FullRecipe, settings: Sequence[str]) -> FullRecipe:
    """A recipe with ``train.key=value`` texts laid over it.

    Raises:
        UserError: A key is not one of the section, or a value breaks a rule.
    """
    values = recipe.to_dict()
    for setting in settings:
        key, value = parse_setting(setting)
        section, _, name = key.partition(".")
        if section != SECTION or not name:
            raise UserError(
                f"--set takes the keys of the section {SECTION} here, such as train.epochs=100, but got {key}."
            )
        values[name] = value
    return _Section.read({SECTION: values}, where="--set" if settings else "the study").train


def check_full_training(recipe: ResolvedRecipe, *, device: str) -> None:
    """Refuse a study whose finalists could not be trained in full, before anything is searched.

    Raises:
        UserError: It has no images of its own, none to evaluate on, or too few for the recipe's batch.
    """
    from edgenext_search.arch.published import published_variants
    from edgenext_search.execution.placement import local_devices
    from edgenext_search.training.full.plan import plan_training

    devices = local_devices(device, None)
    stand_in = next(iter(published_variants().values())).candidate  # the checks hang on the data alone
    job = _job(recipe, stand_in, "a finalist", Path("runs"), devices)
    plan_training(job, world=len(devices), device=devices[0].partition(":")[0])


def train_finalists(
    run: RunFolder, recipe: ResolvedRecipe, count: int, *, device: str, listener: TrainListener
) -> list[TrainSummary]:
    """Train the ``count`` best finalists of a complete run in full, each in a folder of its own, or resume that.

    Returns:
        The summary of each training.

    Raises:
        UserError: Something of the trainings cannot be used.
        TrainingInterruptedError: A signal came.
    """
    from edgenext_search.execution.launch import launch
    from edgenext_search.execution.placement import local_devices

    devices = local_devices(device, None)
    summaries = []
    for finalist in run.read_summary(RunSummary).finalists[:count]:
        out = run.trained / finalist.fingerprint
        job = _job(recipe, finalist.candidate, f"trial {finalist.trial}", out, devices)
        summaries.append(launch(job, devices, listener))
    return summaries


def trained_in(run: RunFolder) -> tuple[TrainSummary, ...]:
    """The summaries of the full trainings in a run's folder that are complete, best top-1 first."""
    from edgenext_search.training.full.folder import TrainingFolder

    summaries = [TrainingFolder(path).summary() for path in sorted(run.trained.glob("*"))]
    return tuple(sorted((summary for summary in summaries if summary), key=lambda summary: -summary.top1))


def _job(recipe: ResolvedRecipe, candidate: Candidate, name: str, out: Path, devices: Sequence[str]) -> FullJob:
    from edgenext_search.execution.placement import split_cores
    from edgenext_search.training.full.job import FullJob

    if recipe.data.source is None:
        raise UserError(
            "--train-top needs images of your own with a validation set; give --data, a folder with train/ and val/ "
            "or a dataset of timm."
        )
    workers, threads = split_cores(len(devices), devices[0])
    return FullJob(
        candidate=candidate,
        name=name,
        recipe=recipe_of(recipe),
        data=recipe.data.source,
        data_dir=None if recipe.data.dir is None else Path(recipe.data.dir),
        out=out,
        workers=workers,
        threads=threads,
    )


def _name_of(what: str) -> str:
    path = expanded(what)
    return path.resolve().name if path.exists() else what
