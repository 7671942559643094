"""What a figure shows, apart from what draws it: the page's script draws it as SVG, matplotlib for papers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

Kind = Literal["points", "line", "step", "area", "bar"]
Shape = Literal["circle", "square", "diamond", "triangle", "star", "cross"]
_DIGITS = 7  # of coordinates: finer than a pixel of any screen


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a series looks.

    Attributes:
        kind: ``points``; ``line``; ``step``, a line that keeps its height up to the next point; ``area``, between
            ``low`` and ``high``; ``bar``, from zero to x.
        color: Of :data:`COLORS`.
        shape: Of points.
        filled: Whether points are filled; else they are outlines.
        size: Diameter of points in pixels.
        dashed: Whether a line is.
        faint: Whether it stands back behind the others.
    """

    kind: Kind
    color: str
    shape: Shape = "circle"
    filled: bool = True
    size: float = 7.0
    dashed: bool = False
    faint: bool = False

    def to_dict(self) -> dict[str, Any]:
        """All values by name."""
        return asdict(self)


COLORS = {
    "search": "#2f6cb0",
    "winner": "#0b7d67",
    "published": "#a85f0c",
    "fresh": "#7a5cc0",
    "quiet": "#77838e",
    "failed": "#b83247",
    "run1": "#2f6cb0",
    "run2": "#a85f0c",
    "run3": "#0b7d67",
    "run4": "#7a5cc0",
    "run5": "#b83247",
    "run6": "#5a6670",
}
"""By name; these are for light ground, the page has those for dark ground in its style sheet."""

FULL = Style(kind="points", color="search")
STAR = Style(kind="points", color="published", shape="star", size=13)
STAR_EARLY = Style(kind="points", color="published", shape="star", size=12, filled=False, faint=True)
RING = Style(kind="points", color="winner", size=20, filled=False)
CROSS = Style(kind="points", color="failed", shape="cross")
FRESH = Style(kind="points", color="fresh", shape="diamond", size=8)
FRONT = Style(kind="step", color="search")
BAR = Style(kind="bar", color="search")
_EARLY: tuple[Shape, ...] = ("circle", "square", "diamond", "triangle")


def early(rung: int) -> Style:
    """Of trials that were stopped at a rung, counted from 0: a shape for each."""
    return Style(kind="points", color="quiet", shape=_EARLY[rung % len(_EARLY)], filled=False, faint=True, size=6.5)


def run_color(index: int) -> str:
    """The colour of one of several runs."""
    return f"run{index % 6 + 1}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Points or a line under one name.

    Attributes:
        name: In the legend.
        style: How it looks.
        x: Horizontal positions.
        y: Vertical ones; None or NaN leaves a point out, and breaks a line.
        low: Lower ends of the error bars, or of an area; None for none.
        high: Their upper ends.
        rows: For each point the row of the table of trials that it stands for; None where it stands for none.
        notes: For each point what shows on hovering, in lines, beside its trial.
        labels: For each point a text beside it, or an empty one.
        panel: 0, or 1 for the small panel beneath.
        legend: Whether the legend has it.
    """

    name: str
    style: Style
    x: Sequence[float]
    y: Sequence[float | None]
    low: Sequence[float | None] | None = None
    high: Sequence[float | None] | None = None
    rows: Sequence[int] | None = None
    notes: Sequence[str] | None = None
    labels: Sequence[str] | None = None
    panel: int = 0
    legend: bool = True

    def to_dict(self) -> dict[str, Any]:
        """As JSON, in short numbers, without what is not there."""
        short = {name: _short(ends) for name in ("x", "y", "low", "high") if (ends := getattr(self, name)) is not None}
        values = _values(self) | short | {"style": self.style.to_dict(), "panel": self.panel or None}
        values["legend"] = None if self.legend else False
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A figure.

    Attributes:
        title: What it is.
        x_label: What is across, with its unit and conditions.
        y_label: What is up.
        series: In the order they are drawn, the last one on top.
        marks: Vertical lines: where, and what is written at it.
        bands: Shaded from one x to another, and what is written there.
        x_names: Names of the positions 0, 1, ... across, where they are no numbers.
        y_names: The same for the positions up, from the top.
        x_range: The least and the greatest x shown; None for what the series need.
        y_range: The same for y.
        x_log: Whether x, all positive, is on a logarithmic scale.
        whole: Whether only whole numbers are written across.
        small: Whether it is one of many beside each other.
    """

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    marks: Sequence[tuple[float, str]] = ()
    bands: Sequence[tuple[float, float, str]] = ()
    x_names: Sequence[str] | None = None
    y_names: Sequence[str] | None = None
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    x_log: bool = False
    whole: bool = False
    small: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As JSON, for the page's script."""
        return _values(self) | {"series": [series.to_dict() for series in self.series]}

    def named(self) -> Mapping[str, Series]:
        """The series by name."""
        return {series.name: series for series in self.series}


def _values(record: Series | Plot) -> dict[str, object]:
    return {field.name: getattr(record, field.name) for field in fields(record)}


def _short(values: Sequence[float | None]) -> list[float | int | None]:
    return [
        None if value is None or not math.isfinite(value) else value if isinstance(value, int) else _rounded(value)
        for value in values
    ]


def _rounded(value: float) -> float | int:
    short = float(f"{value:.{_DIGITS}g}")
    return int(short) if short.is_integer() else short
