"""Measured latency: against accuracy, and against what was predicted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from edgenext_search.report.figures import score_label
from edgenext_search.report.latency_words import VERDICTS
from edgenext_search.report.plot import Plot, Series, Style
from edgenext_search.report.wording import cap_of, latency_text, number_or_none, origin_text, score_text, shown_score
from edgenext_search.search.store.records import TrialRecord

_Reading = Callable[[Mapping[str, Any]], float]
_BANDS = (0.10, 0.05)
_COLORS = {"pass": "winner", "fail": "failed", "undecided": "published"}


def latency_figures(trials: Sequence[TrialRecord], summary: Mapping[str, Any]) -> dict[str, Plot]:
    """The figures of the finalists that were measured, by identifier; none where none was."""
    rows = [row for row in summary.get("finalists") or [] if row.get("measured")]
    if not rows:
        return {}
    places = {trial.number: place for place, trial in enumerate(trials)}
    found = {"fig-latency-accuracy": _against_accuracy(rows, places, summary)}
    if predicted := [row for row in rows if number_or_none(row.get("latency"))]:
        found["fig-latency-predicted"] = _against_prediction(predicted, places, summary)
    return found


def _against_accuracy(rows: Sequence[Mapping[str, Any]], places: Mapping[int, int], summary: Mapping[str, Any]) -> Plot:
    cap = summary["latency"].get("cap")
    return Plot(
        title="Accuracy against measured latency",
        x_label=f"Median latency on {summary['latency']['device']}, ms",
        y_label=score_label(summary),
        series=_by_verdict(
            rows, places, x=lambda row: row["measured"]["p50"] / 1e3, y=lambda row: 100 * shown_score(row)["mean"]
        ),
        marks=() if not cap else ((cap / 1e3, f"cap {cap_of('latency', cap)}"),),
    )


def _against_prediction(
    rows: Sequence[Mapping[str, Any]], places: Mapping[int, int], summary: Mapping[str, Any]
) -> Plot:
    ends = [row["latency"] / 1e3 for row in rows]
    span = [0.92 * min(ends), 1.08 * max(ends)]
    bands = [
        Series(
            name=f"within {100 * share:g} %",
            style=Style(kind="area", color="search"),
            x=span,
            y=span,
            low=[(1 - share) * x for x in span],
            high=[(1 + share) * x for x in span],
        )
        for share in _BANDS
    ]
    line = Series(name="as predicted", style=Style(kind="line", color="quiet", dashed=True), x=span, y=span)
    points = _by_verdict(
        rows, places, x=lambda row: row["latency"] / 1e3, y=lambda row: row["measured"]["p50"] / 1e3, interval=True
    )
    return Plot(
        title="Predicted and measured latency",
        x_label="Predicted latency, ms",
        y_label=f"Median latency on {summary['latency']['device']} with its 95 % interval, ms",
        series=[*bands, line, *points],
    )


def _by_verdict(
    rows: Sequence[Mapping[str, Any]],
    places: Mapping[int, int],
    *,
    x: _Reading,
    y: _Reading,
    interval: bool = False,
) -> list[Series]:
    found = []
    for verdict in dict.fromkeys(row["measured"].get("verdict") for row in rows):
        here = [row for row in rows if row["measured"].get("verdict") == verdict]
        found.append(
            Series(
                name=VERDICTS.get(verdict or "", "finalist"),
                style=Style(kind="points", color=_COLORS.get(verdict or "", "search"), size=9),
                x=[x(row) for row in here],
                y=[y(row) for row in here],
                low=[row["measured"]["low"] / 1e3 for row in here] if interval else None,
                high=[row["measured"]["high"] / 1e3 for row in here] if interval else None,
                rows=[places.get(row["trial"], -1) for row in here],
                notes=[_note(row) for row in here],
            )
        )
    return found


def _note(row: Mapping[str, Any]) -> str:
    measured = row["measured"]
    predicted = "" if row.get("latency") is None else f"predicted {latency_text(row['latency'])}\n"
    return (
        f"{row['fingerprint']}, {origin_text(row['origin'])}\ntop-1 {score_text(shown_score(row))} %\n{predicted}"
        f"measured {latency_text(measured['p50'])}, {latency_text(measured['low'])} to {latency_text(measured['high'])}"
        f", n = {measured['n']}"
    )
