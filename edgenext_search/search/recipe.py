"""A study from its file and flags: validated, frozen, and written to the run folder as resolved."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from edgenext_search.arch.budget import HOST, Budget
from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.space import Space
from edgenext_search.errors import UserError
from edgenext_search.files import find_file, parse_yaml, read_yaml
from edgenext_search.latency.devices.open import open_device
from edgenext_search.search.objectives import check_objectives, check_tradeoff
from edgenext_search.search.ranking.metric import Reading
from edgenext_search.search.study.enqueue import find_enqueued
from edgenext_search.training.full.recipe import FullRecipe
from edgenext_search.training.proxy.recipe import TrainRecipe
from edgenext_search.validation import Settings

Sampler = Literal["bayes", "gp", "tpe", "nsga2", "random"]
LATENCY = "latency"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class DeploymentKeys(Settings):
    """What costs are counted for: the model that would ship."""

    num_classes: Annotated[int, Field(ge=1)] = 1000
    """Outputs of the classifier."""
    img_size: Annotated[int, Field(ge=32)] = 256
    """Height and width of the input, in pixels."""


class DataKeys(Settings):
    """The images that candidates are trained and scored on."""

    source: str | None = None
    """A folder with train/ and val/ class folders, a dataset name of timm such as torch/fashion_mnist, or null for
    the built-in set."""
    dir: str | None = None
    """Where a timm dataset lies."""
    val_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the training images that is held out to score candidates; stratified by class."""
    train_images: Annotated[int, Field(ge=1)] | None = None
    """Training images of the proxy, stratified; null for all that are left."""
    val_images: Annotated[int, Field(ge=1)] | None = None
    """At most this many held-out images; null for all of them."""
    seed: int = 0
    """Seed of the split; the same for all studies that are to be compared."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.dir is not None and self.source is None:
            raise ValueError("dir (--data-dir) is where a named dataset lies; give its name, or a folder, with --data")
        return self


class LatencyKeys(Settings):
    """Time on a device, where the budget caps it or it is an objective."""

    device: str = HOST
    """The device, as `--device` of `edgenext-search latency` takes it; `--budget latency=15ms@DEVICE` sets it."""
    profile: str | None = None
    """File that `edgenext-search latency profile` wrote for this device, space and deployment; null for the one in the
    cache, which is measured first where there is none (some ten minutes)."""
    precision: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Finalists are measured until the interval of their median latency is this share of it to either side..."""
    seconds: Annotated[float, Field(gt=0, le=86_400)] = 20.0
    """...or for this long each."""
    unreachable: Literal["pause", "predict"] = "pause"
    """What to do when the device cannot be reached: stop, to be resumed, or go by the predicted latencies."""


class SearchKeys(Settings):
    """How candidates are proposed, stopped early and chosen."""

    sampler: Sampler = "bayes"
    """Our own Bayesian sampler; or Optuna's Gaussian process, TPE, NSGA-II, or random."""
    trials: Annotated[int, Field(ge=1)] = 64
    """Candidates to score, the published shapes among them."""
    cohort: Annotated[int, Field(ge=1)] = 8
    """Candidates that are proposed at once; the weaker half of them stops at each rung."""
    rank_by: Reading = "train_loss"
    """What ranks candidates while the search goes on: top1; loss, the cross-entropy on the same images; train_loss, the
    mean loss of all training steps; or combined, their mean on top-1's scale. Finalists are compared by top-1."""
    time: str | None = None
    """Stop proposing after this long, such as 30m, 8h or 2d; the finalists follow."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the proposals and of the training of every candidate."""
    finalists: Annotated[int, Field(ge=1)] = 3
    """How many of the best candidates are trained again; the baseline is added to them."""
    rescore_seeds: Annotated[int, Field(ge=1)] = 3
    """Fresh seeds that each finalist is trained with; their mean decides."""
    rematch_seeds: Annotated[int, Field(ge=0)] = 5
    """Further seeds of winner and baseline, once the winner is chosen. They say how much better it is: the seeds that
    chose it flatter it."""
    objectives: list[str] = Field(default=["accuracy"])
    """What to look for: accuracy, and costs that are to be small (params, madds, acts, memory, footprint, latency)."""
    enqueue: list[str | dict[str, Any]] = Field(default=[])
    """Candidates that are known to be good, asked right after the baseline: files, model folders, published variants,
    folders of former runs (their finalists), or a candidate's fields."""

    @field_validator("enqueue", mode="before")
    @classmethod
    def _as_list(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("objectives", mode="before")
    @classmethod
    def _check_objectives(cls, value: object) -> object:
        if isinstance(value, str):
            value = [name.strip() for name in value.split(",")]
        return check_objectives(value) if isinstance(value, list) else value

    @field_validator("time")
    @classmethod
    def _check_time(cls, value: str | None) -> str | None:
        if value is not None:
            parse_duration(value)
        return value


class StudyRecipe(Settings):
    """All that decides a study's candidates and scores: the same recipe and seed give the same ones."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$")]
    """What the study is called; part of the default run folder's name."""
    description: str = ""
    """What it is for, in a sentence or two."""
    space: str | dict[str, Any] = "edgenext"
    """Search space: a name, a path, or the keys of a space file."""
    budget: str | int | dict[str, int | str] | None = None
    """Hard caps on the deployed model, such as 1.3M or {params: 1.3M, madds: 260M}."""
    deployment: DeploymentKeys = DeploymentKeys()
    """What costs are counted for."""
    latency: LatencyKeys = LatencyKeys()
    """Where and how latency is measured."""
    data: DataKeys = DataKeys()
    """The images."""
    proxy: TrainRecipe = TrainRecipe()
    """How every candidate is trained."""
    search: SearchKeys = SearchKeys()
    """How candidates are proposed and chosen."""
    train: FullRecipe = FullRecipe()
    """How the winner is trained in full."""

    @classmethod
    def load(cls, study: str, *, flags: Mapping[str, object], settings: Sequence[str] = ()) -> Self:
        """A study as :meth:`draft` reads it, with its space and budget resolved.

        Raises:
            UserError: There is no budget, or the file or a value is wrong; the message names the key.
        """
        return cls.draft(study, flags=flags, settings=settings).resolved()

    @classmethod
    def draft(cls, study: str, *, flags: Mapping[str, object], settings: Sequence[str] = ()) -> Self:
        """A study file with flags and ``--set`` settings laid over it, and its folders by their full paths.

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
        recipe = cls.read(values, where=f"study {study}")
        data = recipe.data.model_copy(
            update={"source": _absolute(recipe.data.source), "dir": _absolute(recipe.data.dir)}
        )
        return recipe.model_copy(update={"data": data})

    def resolved(self) -> Self:
        """The same study with the space's keys, the budget's caps and what is enqueued in full: it stands by itself.

        Raises:
            UserError: There is no budget, or the space, the budget, the device or an enqueued entry is wrong.
        """
        if self.budget is None:
            raise UserError("A study needs a budget; write --budget 1.3M, or `budget: 1.3M` in the study file.")
        caps = self.budget
        budget = Budget.from_dict(caps) if isinstance(caps, dict) else Budget.parse(str(caps))
        check_tradeoff(self.search.objectives, budget.to_dict())
        space = self.load_space()
        enqueued = self.load_enqueued()
        if len(enqueued) >= self.search.trials:
            raise UserError(
                f"search.enqueue has {len(enqueued)} candidates, which with the baseline are more than "
                f"search.trials={self.search.trials}; raise --trials, or enqueue fewer."
            )
        search = self.search.model_copy(update={"enqueue": [candidate.to_dict() for candidate in enqueued]})
        named = "@" in str(caps.get(LATENCY) if isinstance(caps, dict) else caps)
        latency = self.latency.model_copy(update={"device": budget.device}) if named else self.latency
        found = self.model_copy(
            update={"budget": budget.to_dict(), "space": space.to_dict(), "search": search, "latency": latency}
        )
        if not found.needs_latency:
            return found
        device = open_device(latency.device).name  # canonical: a program by its full path, wherever a run is resumed
        return found.model_copy(update={"latency": latency.model_copy(update={"device": device})})

    @property
    def needs_latency(self) -> bool:
        """Whether candidates have a latency: the budget caps it, or it is an objective."""
        return self.load_budget().latency is not None or LATENCY in self.search.objectives

    def load_space(self) -> Space:
        """The search space."""
        return Space.load(self.space) if isinstance(self.space, str) else Space.from_dict(self.space)

    def load_budget(self) -> Budget:
        """The caps of a resolved study."""
        assert isinstance(self.budget, dict)  # noqa: S101 - resolved() made it so
        caps = {key: int(cap) for key, cap in self.budget.items()}
        return Budget(**caps, device=self.latency.device if LATENCY in caps else None)

    def load_enqueued(self) -> list[Candidate]:
        """What the first cohorts contain beside the published shapes, each candidate once."""
        return find_enqueued(self.search.enqueue)

    def load_deployment(self) -> Deployment:
        """What costs are counted for."""
        return Deployment(num_classes=self.deployment.num_classes, img_size=self.deployment.img_size)

    @property
    def time_limit(self) -> float | None:
        """Seconds after which no cohort is proposed any more."""
        return None if self.search.time is None else parse_duration(self.search.time)

    def differences(self, other: StudyRecipe) -> list[str]:
        """Dotted keys, with both values, in which two recipes differ."""
        mine, theirs = _flat(self.to_dict()), _flat(other.to_dict())
        keys = sorted(set(mine) | set(theirs))
        return [f"{key}: {mine.get(key)} / {theirs.get(key)}" for key in keys if mine.get(key) != theirs.get(key)]


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


def parse_duration(text: str) -> float:
    """Seconds of a text such as ``90s``, ``30m``, ``8h``, ``2d`` or ``1h30m``.

    Raises:
        UserError: It is not a duration.
    """
    parts = _DURATION.findall(text)
    if not parts or _DURATION.sub("", text).strip():
        raise UserError(f"A time is a number with s, m, h or d behind it, such as 30m, but got {text!r}.")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def _absolute(text: str | None) -> str | None:
    """A folder that exists by its full path, so that a run can be resumed from anywhere; other texts as they are."""
    if text is None or not (path := Path(text).expanduser()).is_dir():
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


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
