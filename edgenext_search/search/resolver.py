"""From a study file, flags, former runs and devices to a recipe that stands by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.spaces.space import Space
from edgenext_search.errors import UserError
from edgenext_search.files import expanded, find_file, parse_yaml, read_yaml
from edgenext_search.latency.devices.open import open_device
from edgenext_search.models.find import find_candidate
from edgenext_search.search.objectives import check_tradeoff
from edgenext_search.search.recipe import LATENCY, DataKeys, ResolvedRecipe, StudyRecipe
from edgenext_search.search.store.records import BASELINE
from edgenext_search.search.store.run_folder import RunFolder


def load_study(study: str, *, flags: Mapping[str, object], settings: Sequence[str] = ()) -> ResolvedRecipe:
    """A study as :func:`read_study` reads it, resolved.

    Raises:
        UserError: There is no budget, or the file or a value is wrong; the message names the key.
    """
    return resolve(read_study(study, flags=flags, settings=settings))


def read_study(study: str, *, flags: Mapping[str, object], settings: Sequence[str] = ()) -> StudyRecipe:
    """A study file with flags and ``--set`` settings laid over it, and the data's folders by their full paths.

    Args:
        study: Name of a shipped study (``demo``) or path of a file.
        flags: Values by dotted key (``search.seed``); None leaves the file's value.
        settings: ``key=value`` texts, the value in YAML; they win over the flags.

    Raises:
        UserError: The file or a value is wrong; the message names the key.
    """
    path = find_file("study", study)
    values = read_yaml(path)
    if "stages" in values and "proxy" not in values:
        raise UserError(f"{path} is a search space, not a study; it belongs behind --space.")
    for key, value in flags.items():
        if value is not None:
            _put(values, key, value)
    for setting in settings:
        key, value = parse_setting(setting)
        _put(values, key, value)
    recipe = StudyRecipe.read(values, where=f"study {study}")
    data = recipe.data.model_copy(update={"source": _absolute(recipe.data.source), "dir": _absolute(recipe.data.dir)})
    return recipe.model_copy(update={"data": data})


def resolve(recipe: StudyRecipe) -> ResolvedRecipe:
    """The recipe with the space's keys, the budget's caps, the device and what is enqueued in full.

    Raises:
        UserError: There is no budget, or the space, the budget, the device or an enqueued entry is wrong.
    """
    caps, search = recipe.budget, recipe.search
    if caps is None:
        raise UserError("A study needs a budget; write --budget 1.3M, or `budget: 1.3M` in the study file.")
    budget = Budget.from_dict(caps) if isinstance(caps, dict) else Budget.parse(str(caps))
    check_tradeoff(search.objectives, budget.to_dict())
    space = Space.load(recipe.space) if isinstance(recipe.space, str) else Space.from_dict(recipe.space)
    enqueued = find_enqueued(search.enqueue)
    if len(enqueued) >= search.trials:
        raise UserError(
            f"search.enqueue has {len(enqueued)} candidates, which with the baseline are more than "
            f"search.trials={search.trials}; raise --trials, or enqueue fewer."
        )
    named = "@" in str(caps.get(LATENCY) if isinstance(caps, dict) else caps)
    device = budget.device if named and budget.device else recipe.latency.device
    resolved = ResolvedRecipe.of(recipe, space=space, budget=budget, device=device, enqueued=enqueued)
    if not resolved.needs_latency:
        return resolved
    canonical = open_device(device).name  # a program by its full path, wherever a run is resumed
    return ResolvedRecipe.of(recipe, space=space, budget=budget, device=canonical, enqueued=enqueued)


def find_enqueued(entries: Sequence[str | dict[str, Any]]) -> list[Candidate]:
    """The candidates that the entries of ``search.enqueue`` stand for, in order and each once.

    Args:
        entries: Each a candidate's fields, or a text: the folder of a former run, which stands for its finalists
            without the baseline, best first; or what :func:`~edgenext_search.models.find.find_candidate` knows.

    Raises:
        UserError: An entry is none of these; the message has its place in the list, counted from 1.
    """
    candidates: list[Candidate] = []
    for place, entry in enumerate(entries, start=1):
        try:
            candidates += [Candidate.from_dict(entry)] if isinstance(entry, dict) else _candidates_of(entry)
        except UserError as error:
            raise UserError(f"search.enqueue.{place}: {error}") from error
    return list(dict.fromkeys(candidates))


def _candidates_of(text: str) -> list[Candidate]:
    """The finalists of a former run, or the one candidate that a name or file stands for."""
    folder = RunFolder(expanded(text))
    if not folder.exists():
        return [find_candidate(text)]
    finalists = [row for row in folder.summary().get("finalists", []) if row["trial"] != BASELINE]
    if not finalists:
        raise UserError(f"The run {text} has no finalist but its baseline, a published shape; leave it out.")
    return [Candidate.from_dict(row["candidate"]) for row in finalists]


def parse_setting(text: str) -> tuple[str, object]:
    """Key and value of a ``--set`` text such as ``proxy.epochs=3``.

    Raises:
        UserError: It is not ``key=value``, or the value is not YAML.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set takes key=value, such as proxy.epochs=3, but got {text!r}.")
    try:
        return key.strip(), parse_yaml(value)
    except ValueError as error:
        raise UserError(f"--set {key.strip()} takes a YAML value, but got {value!r}.") from error


def relocate(recipe: ResolvedRecipe, *, source: str | None, folder: str | None, again: str) -> ResolvedRecipe:
    """The study of a run with its images where they are now.

    Args:
        recipe: The study, as it was recorded.
        source: The images; None for where they were.
        folder: Where a named dataset lies; None for where it was.
        again: The command that continues the run.

    Raises:
        UserError: The images are not where they were, and no other place is given.
    """
    given = {"source": _absolute(source), "dir": _absolute(folder)}
    changed = {key: value for key, value in given.items() if value is not None}
    if changed:
        return replace(recipe, data=DataKeys.read({**recipe.data.to_dict(), **changed}, where="--data"))
    flag, place = ("--data-dir", recipe.data.dir) if recipe.data.dir else ("--data", recipe.data.source)
    if place is not None and Path(place).is_absolute() and not Path(place).exists():
        raise UserError(
            f"The images of the run are not in {place} any more. If they have moved: `{again} {flag} PATH`."
        )
    return recipe


def _absolute(text: str | None) -> str | None:
    """A path that exists in full, so that a run can be resumed from anywhere; other texts as they are."""
    if text is None or not (path := expanded(text)).exists():
        return text
    return str(path.resolve())


def _put(values: dict[str, Any], key: str, value: object) -> None:
    """Set a dotted key, making the mappings on its way."""
    *path, last = key.split(".")
    for part in path:
        inner = values.setdefault(part, {})
        if not isinstance(inner, dict):
            raise UserError(f"{key} cannot be set: {part} is not a mapping but {inner!r}.")
        values = inner
    values[last] = value
