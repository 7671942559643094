"""A full training as it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgenext_search.arch.candidate import Candidate
from edgenext_search.training.full.recipe import FullRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class FullJob:
    """A full training.

    Attributes:
        candidate: The network.
        name: Name for people, such as ``edgenext_small``.
        recipe: How to train it.
        data: A folder of ImageNet's layout, or a dataset name of timm.
        out: Folder that everything is written to.
        data_dir: Folder of a named dataset.
        classes_file: Names of the classes to train on, in their order; None for all classes of the data.
        teacher: A model folder or a model of timm to learn from beside the labels.
        init: Model folder or checkpoint with the initial weights.
        each: Images that a process takes through the network at once; None for what the recipe's batch allows.
        accumulate: Parts of a batch that each process adds up; None for what the recipe's batch needs.
        workers: Processes that decode images, for each process that trains.
        threads: CPU threads of each process; None for torch's own number.
        minutes: Time between two checkpoints, beside those after each epoch.
        keep: Number of recent checkpoints that stay.
        wandb: Whether metrics go to Weights & Biases too.
    """

    candidate: Candidate
    name: str
    recipe: FullRecipe
    data: str
    out: Path
    data_dir: Path | None = None
    classes_file: Path | None = None
    teacher: str | None = None
    init: Path | None = None
    each: int | None = None
    accumulate: int | None = None
    workers: int = 4
    threads: int | None = None
    minutes: float = 10.0
    keep: int = 3
    wandb: bool = False
