"""The tables of scaling studies."""

from __future__ import annotations

from edgenext_search.arch.metrics import METRICS
from edgenext_search.report.document import Cell, Row, Table, columns, row
from edgenext_search.report.scaling.verdict import error_text, expected
from edgenext_search.report.wording import NONE, caps_text, interval_text, percent, size_text, stages_text
from edgenext_search.scaling.records import ScalingResult, SpacesComparison


def sizes_table(result: ScalingResult) -> Table:
    """The shapes' errors at each size."""
    heads = ("Budget", "Shapes", "Median error, %", "Spread", "Best shape", "Its error, %", "Seeds agree")
    agreements = result.ranks.seeds or [None] * len(result.sizes)
    rows = []
    for size, seeds in zip(result.sizes, agreements, strict=True):
        best = size.best
        shape = NONE if best is None else _shape(best.shape, best.origin)
        spread = NONE if size.std is None else f"± {100 * size.std:.1f}"
        error = percent(None if best is None else 1 - best.mean)
        agree = _with_interval(interval_text(seeds))
        rows.append(row(caps_text(size.budget), str(size.n), error_text(size), spread, shape, error, agree))
    shown = columns(*heads, left=("Budget", "Best shape"), main=("Median error, %",))
    return Table(label="Sizes", columns=shown, rows=tuple(rows))


def laws_table(result: ScalingResult) -> Table:
    """The law of each cost, and what it says of the largest size and of the next."""
    heads = ("C", "b", "c, %", "Largest by law, %", "Actual, %", "Next C", "Next by law, %")
    rows = []
    for law in result.laws:
        metric, largest, following = METRICS[law.cost], law.largest, law.next
        value, ends = interval_text(expected(largest), 1)
        rows.append(
            row(
                metric.short,
                _with_interval(interval_text(law.law.b)),
                _with_interval(interval_text(law.law.c, 1)),
                Cell(text=value, note=f"({ends}){'' if largest.covered else ' !'}"),
                f"{largest.actual:.1f}",
                metric.text(following.cost),
                _with_interval(interval_text(expected(following), 1)),
            )
        )
    shown = columns(*heads, left=("C",), main=("Next C", "Next by law, %"))
    return Table(label="Laws", columns=shown, rows=tuple(rows))


def ranks_table(result: ScalingResult) -> Table:
    """The rank correlations of the shapes between sizes."""
    rows = (
        row(
            " and ".join(caps_text(result.budgets[place]) for place in pair.sizes),
            str(pair.n),
            _with_interval(interval_text(pair.tau)),
            _with_interval(interval_text(pair.spearman)),
        )
        for pair in result.ranks.pairs
    )
    heads = ("Sizes", "Shapes", "Kendall’s tau", "Spearman")
    shown = columns(*heads, left=("Sizes",), main=("Kendall’s tau",))
    return Table(label="Rank correlations", columns=shown, rows=tuple(rows))


def spaces_table(comparison: SpacesComparison) -> Table:
    """The errors of the candidates of two spaces."""
    rows = (
        row(
            space.name,
            str(space.n),
            *(NONE if error is None else f"{error:.1f}" for error in (space.mean, space.median, space.best)),
        )
        for space in comparison.spaces
    )
    heads = ("Space", "Candidates", "Mean error, %", "Median, %", "Best, %")
    return Table(label="Spaces", columns=columns(*heads, left=("Space",), main=("Mean error, %",)), rows=tuple(rows))


def candidates_table(result: ScalingResult) -> Table:
    """All candidates with their errors."""
    costs = [metric for metric in METRICS.values() if _has(result, metric.key)]
    left = ("Space", "Shape", "Budget", "Candidate", "Widths", "Depths")
    heads = (*left[:4], *(metric.short for metric in costs), "Error, %", "Seeds", *left[4:])
    rows = (
        Row(
            cells=(
                Cell(text=item.space),
                Cell(text=_shape(item.shape, item.origin)),
                Cell(text=caps_text(item.budget)),
                Cell(text=item.fingerprint, code=True),
                *(Cell(text=metric.text(getattr(item, metric.key))) for metric in costs),
                Cell(text=percent(None if item.mean is None else 1 - item.mean)),
                Cell(text=str(len(item.scores))),
                *(Cell(text=stages_text(item.candidate, name)) for name in ("widths", "depths")),
            )
        )
        for item in result.candidates
    )
    return Table(label="Candidates", columns=columns(*heads, left=left), rows=tuple(rows))


def _has(result: ScalingResult, cost: str) -> bool:
    return any(getattr(item, cost, None) is not None for item in result.candidates)


def _shape(number: int, origin: str) -> str:
    return f"{number}" if origin == "sampler" else f"{number} ({size_text(origin)})"


def _with_interval(texts: tuple[str, str]) -> Cell:
    value, ends = texts
    return Cell(text=value, note=f"({ends})" if ends else "")
