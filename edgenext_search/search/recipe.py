"""The recipe of a study: as its file and flags give it, and resolved, as the run folder holds it. Pure data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from edgenext_search.arch.budget import HOST, Budget
from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.spaces.space import Space
from edgenext_search.errors import UserError
from edgenext_search.search.objectives import check_objectives
from edgenext_search.training.full.recipe import FullRecipe
from edgenext_search.training.proxy.recipe import TrainRecipe
from edgenext_search.validation import Settings

RankingMetric = Literal["combined", "top1", "loss", "train_loss", "recent_loss"]
StoppedTrials = Literal["regression", "constant"]
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
    """Folder of a timm dataset."""
    val_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the training images that is held out to score candidates, stratified by class."""
    train_images: Annotated[int, Field(ge=1)] | None = None
    """Upper limit on the training images, stratified by class; null for all that are not held out."""
    val_images: Annotated[int, Field(ge=1)] | None = None
    """Upper limit on the held-out images, stratified by class; null for all of them."""
    seed: int = 0
    """Seed of the split; use the same one for studies that you compare."""

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
    """Profile of the device for this space and deployment, as `edgenext-search latency profile` writes it; null for the
    one in the cache, which is measured first if there is none."""
    precision: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Finalists are measured until half the width of the 95 % interval is at most this share of the median latency."""
    seconds: Annotated[float, Field(gt=0, le=86_400)] = 20.0
    """Upper limit of the measuring time of a finalist, in seconds."""
    unreachable: Literal["pause", "predict"] = "pause"
    """If the device cannot be reached: ``pause`` stops the run, to be resumed; ``predict`` decides by predicted
    latencies."""


class SearchKeys(Settings):
    """How candidates are proposed, stopped early and chosen."""

    sampler: Sampler = "bayes"
    """``bayes``, the sampler of this project, or Optuna's ``gp``, ``tpe``, ``nsga2`` or ``random``."""
    trials: Annotated[int, Field(ge=1)] = 64
    """Number of candidates, including the published shapes."""
    cohort: Annotated[int, Field(ge=1)] = 8
    """Number of candidates that are proposed at once; the weaker half of them stops at each rung."""
    overlap: Annotated[int, Field(ge=0)] | None = None
    """Number of cohorts whose last rungs the next one does not wait for. With 0 each cohort is proposed from all that
    came before; a larger number keeps more workers busy. null for one less than there are rungs, at most half of the
    cohorts."""
    rank_by: RankingMetric = "train_loss"
    """Ranking metric of the search: ``top1``; ``loss``, the cross-entropy on the held-out images; ``recent_loss``, the
    mean loss of the training steps since the previous rung; ``train_loss``, that of all training steps; ``combined``,
    the mean of ``top1``, ``loss`` and ``train_loss`` on the scale of top-1. Finalists are compared by top-1."""
    stopped: StoppedTrials = "regression"
    """How a trial that was stopped early enters the model of the sampler: with the score that a ``regression`` over the
    trials that continued leads to expect at the last rung, or with its own score plus a ``constant``, their median
    increase."""
    time: str | None = None
    """Time limit of the proposals, such as 30m, 8h or 2d; the finalists are trained after it. null for no limit."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the proposals and of the training of every candidate."""
    finalists: Annotated[int, Field(ge=1)] = 3
    """Number of finalists, which are trained again; the baseline is added to them."""
    rescore_seeds: Annotated[int, Field(ge=1)] = 3
    """Number of fresh seeds that each finalist is trained with; the mean score chooses the winner."""
    rematch_seeds: Annotated[int, Field(ge=0)] = 5
    """Number of further seeds of winner and baseline in the confirmation (re-match), for the interval of the gain; with
    0 or 1 there is no interval."""
    objectives: list[str] = Field(default=["accuracy"])
    """What is optimised: accuracy, and costs to be small (params, madds, acts, memory, footprint, latency)."""
    enqueue: list[str | dict[str, Any]] = Field(default=[])
    """Candidates that are tried directly after the baseline: files, model folders, published variants, run folders
    (their finalists), or the fields of a candidate."""

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResolvedRecipe:
    """A study that stands by itself: no file, former run or device is needed to read it.

    :func:`edgenext_search.search.resolver.resolve` makes one from a :class:`StudyRecipe`. A run folder holds what
    :meth:`to_dict` writes; :meth:`read` reads it back.

    Attributes:
        name: Name of the study; part of the default run folder's name.
        description: Purpose of the study.
        space: Search space.
        budget: Hard caps on the deployed model, with the device of a latency cap.
        deployment: What costs are counted for.
        latency: Where and how latency is measured; the device by its canonical name.
        data: The images.
        proxy: How every candidate is trained.
        search: How candidates are proposed and chosen; ``search.enqueue`` holds the fields of :attr:`enqueued`.
        enqueued: Candidates that the first cohorts contain beside the published shapes, each once.
        train: How the winner is trained in full.
    """

    name: str
    description: str
    space: Space
    budget: Budget
    deployment: Deployment
    latency: LatencyKeys
    data: DataKeys
    proxy: TrainRecipe
    search: SearchKeys
    enqueued: tuple[Candidate, ...]
    train: FullRecipe

    @classmethod
    def read(cls, values: object, *, where: str) -> Self:
        """Read what :meth:`to_dict` wrote; ``where`` names the file in a message.

        Raises:
            UserError: A key or value is wrong, or only names what a run folder holds in full.
        """
        recipe = StudyRecipe.read(values, where=where)
        caps, space, enqueue = recipe.budget, recipe.space, recipe.search.enqueue
        candidates = [entry for entry in enqueue if isinstance(entry, dict)]
        if not isinstance(caps, dict) or not isinstance(space, dict) or len(candidates) < len(enqueue):
            raise UserError(
                f"{where} must hold the budget, the space and the enqueued candidates in full, as a run writes them; "
                "restore the file."
            )
        return cls.of(
            recipe,
            space=Space.from_dict(space, where=where),
            budget=Budget(**{key: int(cap) for key, cap in caps.items()}, device=None),
            device=recipe.latency.device,
            enqueued=[Candidate.from_dict(entry) for entry in candidates],
        )

    @classmethod
    def of(
        cls, recipe: StudyRecipe, *, space: Space, budget: Budget, device: str, enqueued: Sequence[Candidate]
    ) -> Self:
        """A recipe with all that it only names.

        Args:
            recipe: The recipe.
            space: Its search space.
            budget: Its caps.
            device: Canonical name of the device that latency is measured on.
            enqueued: Its warm starts, each candidate once.
        """
        return cls(
            name=recipe.name,
            description=recipe.description,
            space=space,
            budget=budget if budget.latency is None else replace(budget, device=device),
            deployment=Deployment(**recipe.deployment.to_dict()),
            latency=recipe.latency.model_copy(update={"device": device}),
            data=recipe.data,
            proxy=recipe.proxy,
            search=recipe.search.model_copy(
                update={
                    "enqueue": [candidate.to_dict() for candidate in enqueued],
                    "overlap": _overlap(recipe.search, rungs=len(recipe.proxy.rung_epochs)),
                }
            ),
            enqueued=tuple(enqueued),
            train=recipe.train,
        )

    @property
    def needs_latency(self) -> bool:
        """Whether candidates have a latency: the budget caps it, or it is an objective."""
        return self.budget.latency is not None or LATENCY in self.search.objectives

    @property
    def overlap(self) -> int:
        """Number of cohorts whose last rungs the next one does not wait for."""
        return self.search.overlap or 0

    @property
    def time_limit(self) -> float | None:
        """Seconds after which no cohort is proposed any more."""
        return None if self.search.time is None else parse_duration(self.search.time)

    def to_dict(self) -> dict[str, Any]:
        """The keys of the study file as plain values."""
        return {
            field.name: value if isinstance(value := getattr(self, field.name), str) else value.to_dict()
            for field in fields(self)
            if field.name != "enqueued"
        }

    def differences(self, other: ResolvedRecipe) -> list[str]:
        """Dotted keys, with both values, in which two recipes differ."""
        mine, theirs = _flat(self.to_dict()), _flat(other.to_dict())
        keys = sorted(set(mine) | set(theirs))
        return [f"{key}: {mine.get(key)} / {theirs.get(key)}" for key in keys if mine.get(key) != theirs.get(key)]


def parse_duration(text: str) -> float:
    """Seconds of a text such as ``90s``, ``30m``, ``8h``, ``2d`` or ``1h30m``.

    Raises:
        UserError: It is not a duration.
    """
    parts = _DURATION.findall(text)
    if not parts or _DURATION.sub("", text).strip():
        raise UserError(f"A time is a number with s, m, h or d behind it, such as 30m, but got {text!r}.")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def _overlap(search: SearchKeys, *, rungs: int) -> int:
    """The overlap, by default so that each older cohort is known one rung further; small studies overlap less."""
    if search.overlap is not None:
        return search.overlap
    return min(rungs - 1, -(-search.trials // search.cohort) // 2)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
