"""Search landscapes with a known true value everywhere: a table of trained networks made whole, and made-up ones.

A landscape is parameters as the tool's spaces have them and a function from assignments to true values, scaled to
mean 0 and standard deviation 1 over its own reference sample (a table's rows, or random assignments).
"""

from __future__ import annotations

import csv
import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from boosting import Boosted
from common import seeded

from edgenext_search.arch.spaces.parameter import Choice, Interval, Parameter, Value
from edgenext_search.arch.spaces.space import Space

SIZE_COLUMN = "macs_m"
SAMPLE = 4_000  # random assignments that a made-up landscape is scaled by


@dataclass(frozen=True, kw_only=True)
class Landscape:
    """Parameters and a true value for every assignment of them.

    Attributes:
        name: What it is called.
        parameters: What varies; all that a sampler sees.
        value: True values of a sequence of assignments, in spreads above the mean.
        about: What there is to know about it, for the conditions.
    """

    name: str
    parameters: tuple[Parameter, ...]
    value: Callable[[Sequence[Mapping[str, Value]]], np.ndarray]
    about: dict[str, Any]

    def sample(self, rng: random.Random) -> dict[str, Value]:
        """A random assignment."""
        return {parameter.name: parameter.sample(rng) for parameter in self.parameters}


def from_table(path: Path, target: str) -> Landscape:
    """The landscape of a table of networks: accuracy beyond what its size explains.

    The integer columns before ``macs_m`` are the settings. The target is regressed on the logarithm of the
    multiply-adds, so that what is left compares networks as inside one budget; :class:`Boosted` trees fill the gaps.

    Args:
        path: A CSV file with a header.
        target: Column that is searched for its maximum.
    """
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file))
    if SIZE_COLUMN not in header or target not in header:
        raise SystemExit(f"{path.name} needs the columns {SIZE_COLUMN} and {target}; it has {', '.join(header)}.")
    names = header[: header.index(SIZE_COLUMN)]
    table = np.array([[float(cell) for cell in row] for row in rows])
    settings = table[:, : len(names)].astype(int)
    left, size = table[:, header.index(target)], np.log(table[:, header.index(SIZE_COLUMN)])
    if target != SIZE_COLUMN:
        left = left - np.polyval(np.polyfit(size, left, 1), size)
    mean, spread = left.mean(), left.std()
    parameters: tuple[Parameter, ...] = tuple(
        Choice(name=name, values=tuple(int(v) for v in np.unique(column)))
        for name, column in zip(names, settings.T, strict=True)
    )
    codes = np.stack([np.unique(column, return_inverse=True)[1] for column in settings.T], axis=1)
    standard = (left - mean) / spread
    trees = Boosted(codes, standard)
    order = np.random.default_rng(0).permutation(len(codes))
    held, rest = order[: len(order) // 5], order[len(order) // 5 :]
    error = standard[held] - Boosted(codes[rest], standard[rest]).predict(codes[held])
    level = [{value: index for index, value in enumerate(p.values)} for p in parameters if isinstance(p, Choice)]

    def value(assignments: Sequence[Mapping[str, Value]]) -> np.ndarray:
        coded = [[codes_of[a[name]] for name, codes_of in zip(names, level, strict=True)] for a in assignments]
        return trees.predict(np.array(coded))

    about = {
        "rows": len(rows),
        "target": target,
        "settings": len(names),
        "held_out_r2": round(1 - float((error**2).mean() / standard[held].var()), 3),
        "surrogate_spread": round(float(trees.predict(codes).std()), 3),
    }
    return Landscape(name=f"{path.stem}:{target}", parameters=parameters, value=value, about=about)


def made_up(kind: str, seed: int) -> Landscape:
    """A landscape of random effects, other ones for every seed.

    Args:
        kind: ``additive``, ``pairs`` (a third of the variance in interactions), ``strong`` (two thirds), ``irrelevant``
            (5 of 30 settings matter) or ``edgenext`` (the tool's own space, with settings that are idle without SDTA).
        seed: Of the effects.
    """
    rng = np.random.default_rng([seed, 4])
    if kind == "edgenext":
        parameters = Space.load("edgenext").parameters
        active, share = len(parameters), 0.3
    else:
        sizes = rng.integers(2, 5, size=30 if kind == "irrelevant" else 20)
        parameters = tuple(
            Choice(name=f"stage{index}.setting", values=tuple(range(1, int(size) + 1)))
            for index, size in enumerate(sizes)
        )
        active = 5 if kind == "irrelevant" else len(parameters)
        share = {"additive": 0.0, "pairs": 1 / 3, "strong": 2 / 3, "irrelevant": 1 / 3}[kind]
    names = [p.name for p in parameters]
    slope, bend = rng.normal(size=len(names)), rng.normal(size=len(names))
    weight = rng.exponential(size=len(names)) * (np.arange(len(names)) < active)
    pairs = list(itertools.combinations(range(active), 2))
    pairs = [pairs[index] for index in rng.permutation(len(pairs))[: 2 * active]]
    strength = rng.normal(size=len(pairs))

    def parts(assignments: Sequence[Mapping[str, Value]]) -> tuple[np.ndarray, np.ndarray]:
        z = np.array([[_position(p, a[p.name]) for p in parameters] for a in assignments])
        for column, name in enumerate(names):
            stage, _, field = name.partition(".")
            if field in ("sdta_splits", "heads"):
                z[:, column] *= [a[f"{stage}.sdta_blocks"] > 0 for a in assignments]
        main = (weight * (slope * z + 0.5 * bend * (z**2 - 0.4))).sum(axis=1)
        return main, sum((w * z[:, i] * z[:, j] for w, (i, j) in zip(strength, pairs, strict=True)), np.zeros(len(z)))

    draw = seeded(seed)
    reference = parts([{p.name: p.sample(draw) for p in parameters} for _ in range(SAMPLE)])
    scale = [(1 - share) ** 0.5 / reference[0].std(), share**0.5 / max(float(reference[1].std()), 1e-9)]
    total = scale[0] * reference[0] + scale[1] * reference[1]

    def value(assignments: Sequence[Mapping[str, Value]]) -> np.ndarray:
        main, both = parts(assignments)
        return (scale[0] * main + scale[1] * both - total.mean()) / total.std()

    return Landscape(name=kind, parameters=parameters, value=value, about={"settings": len(parameters)})


def _position(parameter: Parameter, value: Value) -> float:
    """Where a value lies between the first, -1, and the last, 1."""
    if isinstance(parameter, Interval):
        return 2 * (float(value) - parameter.low) / (parameter.high - parameter.low) - 1
    return 2 * parameter.values.index(value) / (len(parameter.values) - 1) - 1
