"""What of a study goes on to full training: its winner or finalists, its recipe, its images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgenext_search.errors import UserError
from edgenext_search.search.recipe import StudyRecipe, parse_setting
from edgenext_search.training.full_recipe import FullRecipe
from edgenext_search.validation import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgenext_search.arch.candidate import Candidate
    from edgenext_search.search.folder import RunFolder

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
    from edgenext_search.search.folder import RunFolder

    run = RunFolder(Path(what).expanduser())
    recipe = StudyRecipe.draft(study, flags={}).train if study else FullRecipe()
    if not run.exists():
        candidate, name = find_candidate(what), _name_of(what)
    else:
        begun = run.recipe()
        candidate, name = _winner(run), f"the winner of {run.path}"
        recipe = recipe if study else begun.train
        if data is None:
            data = begun.data.source
            data_dir = data_dir or (Path(begun.data.dir) if begun.data.dir else None)
    return Subject(candidate=candidate, name=name, recipe=with_settings(recipe, settings), data=data, data_dir=data_dir)


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


def _winner(run: RunFolder) -> Candidate:
    from edgenext_search.arch.candidate import Candidate

    winner = run.summary().get("winner")
    if winner is None:
        raise UserError(f"{run.path} has no winner yet; `edgenext-search resume {run.path}` goes on with it.")
    return Candidate.from_dict(winner["candidate"])


def _name_of(what: str) -> str:
    path = Path(what).expanduser()
    return path.resolve().name if path.exists() else what
