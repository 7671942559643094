"""Assignments as numbers: what a regression sees of them, and how they are drawn and varied."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgenext_search.arch.spaces.parameter import Choice, Interval, Parameter, Value

Array = NDArray[np.float64]

CURVATURE = 0.1  # prior variance of a parameter's quadratic part, as a share of its linear part's
STEP = 0.15  # standard deviation of a small move in an interval, as a share of its length
JUMP = 0.3  # share of the moves in an interval that go anywhere
REACH = 2.0  # stages over which the effects of one field lose their likeness: the correlation falls to 1 / e


class Parameters(Protocol):
    """What a sampler needs to know of a search space."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What varies, in a fixed order."""


class Features:
    """The parameters of a space as columns of a design matrix, in three steps.

    An assignment becomes a row of *codes*: the index of a choice, or the position in an interval from 0 to 1. Codes
    become *columns*, orthogonal over uniformly drawn codes, each with mean 0. Ordered parameters (intervals, and
    choices of ascending numbers) have a linear and a quadratic column, other choices of k values have k - 1
    columns in which all values are equally far from each other. The linear part has variance 1, the quadratic one
    :data:`CURVATURE`, since effects of ordered settings are mostly monotone. Positive numbers count by their logarithm:
    depths, widths and expansions act in proportion, and returns diminish.

    Attributes:
        parameters: The space's parameters.
        owner: Index of the parameter of each column; shape (columns,).
        linear: Which columns take part in interactions: all but the quadratic ones; shape (columns,).
        alike: How much the effects of two columns are expected to resemble each other; shape (columns, columns). 1 on
            the diagonal; exp(-distance / :data:`REACH`) for the same column of an ordered field in two stages, as
            ``stage2.depth`` and ``stage4.depth``; else 0. The first number in a parameter's name is the stage.
    """

    def __init__(self, space: Parameters) -> None:
        self.parameters = space.parameters
        self._tables = [_table(p) if isinstance(p, Choice) else None for p in self.parameters]
        self._codes = [_codes_of(p) if isinstance(p, Choice) else {} for p in self.parameters]
        owner: list[int] = []
        linear: list[bool] = []
        for index, (parameter, table) in enumerate(zip(self.parameters, self._tables, strict=True)):
            columns = 2 if table is None else table.shape[1]
            owner += [index] * columns
            linear += [True] + [not _ordered(parameter)] * (columns - 1)
        self.owner = np.array(owner, dtype=np.intp)
        self.linear = np.array(linear, dtype=np.bool_)
        self.alike = _alike(self.parameters, owner)

    def codes(self, assignments: Sequence[Mapping[str, Value]]) -> Array:
        """Assignments as codes; shape (assignments, parameters)."""
        coded = list(zip(self.parameters, self._codes, strict=True))
        rows = [[_code(p, values[p.name], codes) for p, codes in coded] for values in assignments]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(self.parameters))

    def assignment(self, codes: Array) -> dict[str, Value]:
        """The assignment of one row of codes."""
        return {p.name: _value(p, float(code)) for p, code in zip(self.parameters, codes, strict=True)}

    def columns(self, codes: Array) -> Array:
        """Codes as columns; shape (rows, columns)."""
        parts = [np.empty((len(codes), 0))]
        for table, code in zip(self._tables, codes.T, strict=True):
            if table is not None:
                parts.append(table[code.astype(np.intp)])
                continue
            u = 2 * code - 1  # Legendre polynomials of degree 1 and 2, with variance 1 and CURVATURE over [-1, 1]
            parts.append(np.stack([3**0.5 * u, (5 * CURVATURE) ** 0.5 * (3 * u * u - 1) / 2], axis=1))
        return np.concatenate(parts, axis=1)

    def random(self, n: int, rng: np.random.Generator) -> Array:
        """Codes of ``n`` assignments drawn uniformly; shape (n, parameters)."""
        drawn = rng.random((n, len(self.parameters)))
        for index, parameter in enumerate(self.parameters):
            if isinstance(parameter, Choice):
                drawn[:, index] = np.floor(drawn[:, index] * len(parameter.values))
        return drawn

    def varied(self, codes: Array, rng: np.random.Generator, *, extra: float) -> Array:
        """A neighbour of each row: one parameter moved, and a Poisson number of others with mean ``extra``."""
        rows, width = codes.shape
        if not width:
            return codes.copy()
        ranks = rng.random((rows, width)).argsort(axis=1).argsort(axis=1)
        moved = ranks < 1 + rng.poisson(extra, size=(rows, 1))
        near = np.clip(codes + STEP * rng.normal(size=codes.shape), 0.0, 1.0)
        anywhere = rng.random((rows, width))
        jumps = rng.random((rows, width)) < JUMP
        new = np.where(jumps, anywhere, near)
        for index, parameter in enumerate(self.parameters):
            if isinstance(parameter, Choice):
                k = len(parameter.values)
                new[:, index] = (codes[:, index] + 1 + np.floor(anywhere[:, index] * (k - 1))) % k
        return np.where(moved, new, codes)


def _ordered(parameter: Parameter) -> bool:
    """Whether near values of it behave alike: an interval, or ascending numbers."""
    if isinstance(parameter, Interval):
        return True
    numbers = [v for v in parameter.values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    return len(numbers) == len(parameter.values) and numbers == sorted(numbers)


def _table(choice: Choice) -> Array:
    """The columns of each value of a choice; shape (values, columns)."""
    k = len(choice.values)
    if k == 1:
        return np.empty((1, 0))
    if not _ordered(choice):
        # Rows of the eigenvectors of the centring matrix: every value has norm 1, any two are equally far apart.
        vectors = np.linalg.eigh(np.eye(k) - 1 / k)[1][:, 1:]
        return np.asarray(vectors * (k / (k - 1)) ** 0.5)
    numbers = np.array(choice.values, dtype=np.float64)
    line = np.log(numbers) if numbers[0] > 0 else numbers
    line = (line - line.mean()) / line.std()
    columns = [line]
    if k > 2:
        bend = line**2 - 1
        bend -= line * (bend @ line) / k
        columns.append(CURVATURE**0.5 * bend / bend.std())
    return np.stack(columns, axis=1)


def _alike(parameters: Sequence[Parameter], owner: Sequence[int]) -> Array:
    """The correlation of the columns' effects, by the fields and stages in the parameters' names."""
    fields = [re.sub(r"\d+", "", p.name, count=1) if _ordered(p) else p.name for p in parameters]
    kinds = np.array([(fields.index(fields[p]), column - owner.index(p)) for column, p in enumerate(owner)])
    stages = [int(number[0]) if (number := re.search(r"\d+", p.name)) else 0 for p in parameters]
    stage = np.array([stages[p] for p in owner])
    same = (kinds[:, None] == kinds).all(axis=-1)
    return np.where(same, np.exp(-np.abs(stage[:, None] - stage) / REACH), 0.0)


def _codes_of(choice: Choice) -> dict[tuple[bool, Value], float]:
    """Index of each value; True and 1 are two values."""
    return {(isinstance(value, bool), value): float(index) for index, value in enumerate(choice.values)}


def _code(parameter: Parameter, value: Value, codes: Mapping[tuple[bool, Value], float]) -> float:
    if isinstance(parameter, Choice):
        return codes[isinstance(value, bool), value]
    return (parameter.check(value) - parameter.low) / (parameter.high - parameter.low)


def _value(parameter: Parameter, code: float) -> Value:
    if isinstance(parameter, Choice):
        return parameter.values[int(code)]
    return min(max(parameter.low + code * (parameter.high - parameter.low), parameter.low), parameter.high)
