"""Figures of scaling studies: errors against costs with the law, and error distributions of two spaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from edgenext_search.report.figures import cost_label, scaled
from edgenext_search.report.pareto import CostName
from edgenext_search.report.plot import Plot, Series, Style, run_color
from edgenext_search.report.scale_words import COST_NAMES, amount_text, cap_texts
from edgenext_search.report.wording import fidelity_text

_CURVE = 60  # points of a drawn law
_ASIDE = 1.015  # times its cost: where the expected error of the largest size stands, to leave the known one free
_SHAPE = Style(kind="points", color="quiet", faint=True, size=5)
_SHAPE_LINE = Style(kind="line", color="quiet", faint=True)
_MEAN = Style(kind="points", color="search", size=10)
_LAW = Style(kind="line", color="search", dashed=True)
_BAND = Style(kind="area", color="search")
_LARGEST = Style(kind="points", color="fresh", shape="diamond", size=9)
_NEXT = Style(kind="points", color="winner", shape="diamond", size=9)


def law_figure(summary: Mapping[str, Any], law: Mapping[str, Any]) -> Plot:
    """Errors of all shapes against a cost, their medians, the law through them and what it says of the next size.

    Args:
        summary: Of a study, with at least one whole shape.
        law: One of its laws.
    """
    name: CostName = law["cost"]
    largest, after = law["largest"], law["next"]
    return Plot(
        title=f"Error against {COST_NAMES[name]}",
        x_label=f"{cost_label(name, summary)}, on a logarithmic scale",
        y_label=f"Error on held-out training images, % ({fidelity_text(summary)})",
        series=[
            _band(law, name),
            *_shapes(summary, name),
            _curve(law, name),
            _expected(largest, name, _LARGEST, "largest, from the others", aside=_ASIDE),
            _expected(after, name, _NEXT, "next size"),
            _medians(summary, law, name),
        ],
        x_log=True,
    )


def distribution_figure(summary: Mapping[str, Any]) -> Plot:
    """The share of each space's candidates at or below an error, with 95 % bootstrap bands.

    Args:
        summary: Of a comparison, with a scored candidate of each space.
    """
    spaces = [(space, run_color(place)) for place, space in enumerate(summary["comparison"]["spaces"])]
    return Plot(
        title="Distribution of errors",
        x_label=f"Error at most, % ({fidelity_text(summary)})",
        y_label="Share of the space's candidates, %",
        series=[
            *(_distribution_band(space, color) for space, color in spaces),
            *(_distribution(space, color) for space, color in spaces),
        ],
        y_range=(0, 100),
    )


def _shapes(summary: Mapping[str, Any], name: CostName) -> list[Series]:
    """All candidates as points, those of a shape joined by a line."""
    rows = sorted(
        (row for row in summary["candidates"] if row["mean"] is not None), key=lambda row: (row["shape"], row[name])
    )
    x, y = [scaled(name, row[name]) for row in rows], [_error(row) for row in rows]
    line: list[tuple[float, float | None]] = list(zip(x[:1], y[:1], strict=True))
    for (before, row), at, up in zip(pairwise(rows), x[1:], y[1:], strict=True):
        line += [(at, None)] * (row["shape"] != before["shape"]) + [(at, up)]
    return [
        Series(name="one shape", style=_SHAPE_LINE, x=[at for at, _ in line], y=[up for _, up in line], legend=False),
        Series(name="one shape", style=_SHAPE, x=x, y=y, notes=[_note(row) for row in rows]),
    ]


def _curve(law: Mapping[str, Any], name: CostName) -> Series:
    """The most probable law, from the smallest size to the next one."""
    a, b, c = (law["law"][key]["value"] for key in "abc")
    low, high = law["points"][0]["cost"], law["next"]["cost"]
    costs = [low * (high / low) ** (step / (_CURVE - 1)) for step in range(_CURVE)]
    return Series(
        name="law", style=_LAW, x=[scaled(name, cost) for cost in costs], y=[a * cost**-b + c for cost in costs]
    )


def _band(law: Mapping[str, Any], name: CostName) -> Series:
    return Series(
        name="law: 90 % interval",
        style=_BAND,
        x=[scaled(name, point["cost"]) for point in law["band"]],
        y=[None] * len(law["band"]),
        low=[point["low"] for point in law["band"]],
        high=[point["high"] for point in law["band"]],
    )


def _medians(summary: Mapping[str, Any], law: Mapping[str, Any], name: CostName) -> Series:
    points = law["points"]
    budgets = [cap_texts(budget) for budget in summary["budgets"]]
    return Series(
        name="median of the shapes",
        style=_MEAN,
        x=[scaled(name, point["cost"]) for point in points],
        y=[point["error"] for point in points],
        notes=[
            f"median of {summary['n']} shapes at {budget}\nerror {point['error']:.2f} %\n{_amount(name, point['cost'])}"
            for budget, point in zip(budgets, points, strict=True)
        ],
    )


def _expected(values: Mapping[str, Any], name: CostName, style: Style, label: str, aside: float = 1.0) -> Series:
    low, middle, high = (values[key] for key in ("low", "predicted", "high"))
    return Series(
        name=f"{label}: 90 % interval",
        style=style,
        x=[aside * scaled(name, values["cost"])],
        y=[middle],
        low=[low],
        high=[high],
        notes=[f"{label}\nerror {middle:.2f} % ({low:.2f} to {high:.2f})\n{_amount(name, values['cost'])}"],
    )


def _distribution(space: Mapping[str, Any], color: str) -> Series:
    edf = space["edf"]
    first = edf[0]["error"]
    return Series(
        name=f"{space['name']}, n = {space['n']}",
        style=Style(kind="step", color=color),
        x=[first, *(point["error"] for point in edf)],
        y=[0.0, *(100 * point["share"] for point in edf)],
        notes=[f"{space['name']}\nthe best has {first:.2f} %", *(_share_note(space, point) for point in edf)],
    )


def _share_note(space: Mapping[str, Any], point: Mapping[str, Any]) -> str:
    share, low, high = (f"{100 * point[key]:.0f}" for key in ("share", "low", "high"))
    return f"{space['name']}\n{share} % ({low} to {high}) have at most {point['error']:.2f} %"


def _distribution_band(space: Mapping[str, Any], color: str) -> Series:
    """As high at every error as at the greatest one of a candidate that is not greater."""
    edf = space["edf"]
    x, (low, high) = [edf[0]["error"]], ([100 * edf[0][end]] for end in ("low", "high"))
    for before, point in pairwise(edf):
        x += [point["error"]] * 2
        low += [100 * before["low"], 100 * point["low"]]
        high += [100 * before["high"], 100 * point["high"]]
    return Series(
        name=f"{space['name']}: 95 % band",
        style=Style(kind="area", color=color),
        x=x,
        y=[None] * len(x),
        low=low,
        high=high,
    )


def _amount(name: CostName, value: float) -> str:
    return f"{amount_text(name, value)} {COST_NAMES[name]}"


def _error(row: Mapping[str, Any]) -> float:
    return 100 * (1 - float(row["mean"]))


def _note(row: Mapping[str, Any]) -> str:
    seeds = len(row["scores"])
    lines: Sequence[str] = (
        f"{row['fingerprint']}  shape {row['shape']} at {cap_texts(row['budget'])}",
        f"error {_error(row):.2f} %, {seeds} seed{'' if seeds == 1 else 's'}",
        ", ".join(f"{name} {'-'.join(map(str, row['candidate'][name]))}" for name in ("widths", "depths")),
    )
    return "\n".join(lines)
