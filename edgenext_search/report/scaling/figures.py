"""The figures of scaling studies: errors against costs with the law, and the distribution of errors in two spaces."""

from __future__ import annotations

from itertools import pairwise

from edgenext_search.arch.metrics import METRICS, Metric
from edgenext_search.report.plot import Plot, Series, Style, run_color
from edgenext_search.report.wording import caps_text, cost_label, fidelity_text, number, stages_text
from edgenext_search.scaling.records import (
    LawResult,
    PredictedError,
    ScalingCandidate,
    ScalingResult,
    SpaceErrors,
    SpacesComparison,
)
from edgenext_search.texts import counted

_CURVE = 60  # points of a drawn law
_ASIDE = 1.015  # times its cost: where the expected error of the largest size is drawn, beside the known one
_SHAPE = Style(kind="points", color="quiet", faint=True, size=5)
_SHAPE_LINE = Style(kind="line", color="quiet", faint=True)
_MEDIAN = Style(kind="points", color="search", size=10)
_LAW = Style(kind="line", color="search", dashed=True)
_BAND = Style(kind="area", color="search")
_LARGEST = Style(kind="points", color="fresh", shape="diamond", size=9)
_NEXT = Style(kind="points", color="winner", shape="diamond", size=9)


def law_figure(result: ScalingResult, law: LawResult) -> Plot:
    """Errors of all shapes against a cost, their medians, the law through them and its prediction of the next size."""
    metric = METRICS[law.cost]
    return Plot(
        title=f"Error against {metric.words}",
        x_label=f"{cost_label(metric, result.deployment)}, on a logarithmic scale",
        y_label=f"Error on held-out training images, % ({fidelity_text(result.fidelity)})",
        series=[
            Series(
                name="law: 90 % interval",
                style=_BAND,
                x=[point.cost / metric.scale for point in law.band],
                y=[None] * len(law.band),
                low=[point.low for point in law.band],
                high=[point.high for point in law.band],
            ),
            *_shapes(result, metric),
            _curve(law, metric),
            _expected(law.largest, metric, _LARGEST, "largest, from the others", aside=_ASIDE),
            _expected(law.next, metric, _NEXT, "next size"),
            _medians(result, law, metric),
        ],
        x_log=True,
    )


def distribution_figure(result: ScalingResult, comparison: SpacesComparison) -> Plot:
    """The share of each space's candidates at or below an error, with 95 % bootstrap bands."""
    spaces = [(space, run_color(place)) for place, space in enumerate(comparison.spaces)]
    return Plot(
        title="Distribution of errors",
        x_label=f"Error at most, % ({fidelity_text(result.fidelity)})",
        y_label="Share of the space's candidates, %",
        series=[
            *(_distribution_band(space, color) for space, color in spaces),
            *(_distribution(space, color) for space, color in spaces),
        ],
        y_range=(0, 100),
    )


def _shapes(result: ScalingResult, metric: Metric) -> list[Series]:
    """All candidates as points, those of a shape joined by a line."""
    scored = [(row, _error(row)) for row in result.candidates if row.mean is not None]
    scored.sort(key=lambda pair: (pair[0].shape, _cost(pair[0], metric)))
    x, y = [_cost(row, metric) for row, _ in scored], [error for _, error in scored]
    line: list[tuple[float, float | None]] = list(zip(x[:1], y[:1], strict=True))
    for ((before, _), (row, _)), at, up in zip(pairwise(scored), x[1:], y[1:], strict=True):
        line += [(at, None)] * (row.shape != before.shape) + [(at, up)]
    return [
        Series(name="one shape", style=_SHAPE_LINE, x=[at for at, _ in line], y=[up for _, up in line], legend=False),
        Series(name="one shape", style=_SHAPE, x=x, y=y, notes=[_note(row, error) for row, error in scored]),
    ]


def _curve(law: LawResult, metric: Metric) -> Series:
    """The most probable law, from the smallest size to the next one."""
    a, b, c = (law.law.a.value, law.law.b.value, law.law.c.value)
    low, high = law.points[0].cost, law.next.cost
    costs = [low * (high / low) ** (step / (_CURVE - 1)) for step in range(_CURVE)]
    return Series(
        name="law", style=_LAW, x=[cost / metric.scale for cost in costs], y=[a * cost**-b + c for cost in costs]
    )


def _medians(result: ScalingResult, law: LawResult, metric: Metric) -> Series:
    return Series(
        name="median of the shapes",
        style=_MEDIAN,
        x=[point.cost / metric.scale for point in law.points],
        y=[point.error for point in law.points],
        notes=[
            f"median of {result.n} shapes at {caps_text(budget)}\nerror {point.error:.2f} %\n"
            f"{metric.text(point.cost)} {metric.words}"
            for budget, point in zip(result.budgets, law.points, strict=True)
        ],
    )


def _expected(error: PredictedError, metric: Metric, style: Style, label: str, aside: float = 1.0) -> Series:
    return Series(
        name=f"{label}: 90 % interval",
        style=style,
        x=[aside * error.cost / metric.scale],
        y=[error.predicted],
        low=[error.low],
        high=[error.high],
        notes=[
            (
                f"{label}\nerror {error.predicted:.2f} % ({error.low:.2f} to {error.high:.2f})\n"
                f"{metric.text(error.cost)} {metric.words}"
            )
        ],
    )


def _distribution(space: SpaceErrors, color: str) -> Series:
    first = space.edf[0].error
    shares = [
        f"{space.name}\n{100 * point.share:.0f} % ({100 * point.low:.0f} to {100 * point.high:.0f}) have at most "
        f"{point.error:.2f} %"
        for point in space.edf
    ]
    return Series(
        name=f"{space.name}, n = {space.n}",
        style=Style(kind="step", color=color),
        x=[first, *(point.error for point in space.edf)],
        y=[0.0, *(100 * point.share for point in space.edf)],
        notes=[f"{space.name}\nthe best has {first:.2f} %", *shares],
    )


def _distribution_band(space: SpaceErrors, color: str) -> Series:
    """A band that changes at the errors of the candidates alone."""
    first = space.edf[0]
    x, low, high = [first.error], [100 * first.low], [100 * first.high]
    for before, point in pairwise(space.edf):
        x += [point.error] * 2
        low += [100 * before.low, 100 * point.low]
        high += [100 * before.high, 100 * point.high]
    return Series(
        name=f"{space.name}: 95 % band",
        style=Style(kind="area", color=color),
        x=x,
        y=[None] * len(x),
        low=low,
        high=high,
    )


def _cost(row: ScalingCandidate, metric: Metric) -> float:
    return float(getattr(row, metric.key)) / metric.scale


def _error(row: ScalingCandidate) -> float:
    return 100 * (1 - (row.mean or 0.0))


def _note(row: ScalingCandidate, error: float) -> str:
    shape = ", ".join(f"{name} {stages_text(row.candidate, name)}" for name in ("widths", "depths"))
    return (
        f"{row.fingerprint}  shape {row.shape} at {caps_text(row.budget)}\n"
        f"error {number(error, 2)} %, {counted(len(row.scores), 'seed')}\n{shape}"
    )
