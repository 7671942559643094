"""One dimension of a search space: a choice among listed values, or an interval of real numbers."""

from __future__ import annotations

import random
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from edgenext_search.errors import UserError

Value = bool | int | float | str | tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of ``values``; numbers in ascending order are neighbours of each other.

    Attributes:
        name: ``stage3.depth``, ``expand_ratio`` and the like.
        values: The choices; a tuple among them gives one value to each stage.
    """

    name: str
    values: tuple[Value, ...]

    def sample(self, rng: random.Random) -> Value:
        """A value, each as likely as the others."""
        return rng.choice(self.values)

    def check(self, value: object) -> Value:
        """The choice equal to ``value``.

        Raises:
            UserError: There is none.
        """
        if isinstance(value, list):
            value = tuple(value)
        for choice in self.values:
            if choice == value and isinstance(choice, bool) == isinstance(value, bool):
                return choice
        raise UserError(f"{self.name} must be one of {list(self.values)}, but got {value!r}.")

    def nearest(self, wanted: Value) -> Value:
        """The choice closest to ``wanted``, the first of equals; itself where it is a choice."""
        return min(self.values, key=lambda choice: _distance(choice, wanted))

    def toward(self, value: Value, goal: Value) -> Value:
        """The choice one step from ``value`` in the direction of ``goal``."""
        here, there = self.values.index(value), self.values.index(goal)
        return self.values[here + (there > here) - (there < here)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A real number in [low, high].

    Attributes:
        name: ``stage2.width_ratio`` and the like.
        low: Smallest value.
        high: Largest value.
    """

    name: str
    low: float
    high: float

    def sample(self, rng: random.Random) -> float:
        """A uniform draw."""
        return rng.uniform(self.low, self.high)

    def check(self, value: object) -> float:
        """``value`` as a float.

        Raises:
            UserError: It is not a number in the interval.
        """
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not self.low <= value <= self.high:
            raise UserError(f"{self.name} must be a number in [{self.low:g}, {self.high:g}], but got {value!r}.")
        return float(value)

    def nearest(self, wanted: Value) -> float:
        """``wanted``, moved into the interval; a tuple with a number for each stage stands for its mean."""
        number = fmean(wanted) if isinstance(wanted, tuple) else wanted
        return min(max(float(number), self.low), self.high)


Parameter = Choice | Interval


def _distance(choice: Value, wanted: Value) -> float:
    if choice == wanted:
        return -1.0
    if isinstance(choice, tuple) or isinstance(wanted, tuple):
        own = choice if isinstance(choice, tuple) else (choice,) * 4
        other = wanted if isinstance(wanted, tuple) else (wanted,) * 4
        return sum(max(_distance(a, b), 0.0) for a, b in zip(own, other, strict=True))
    if isinstance(choice, str) or isinstance(wanted, str):
        return 1.0
    return abs(choice - wanted)
