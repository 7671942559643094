"""The audit's figure: what candidates score after a long training, against what had ranked them in the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgenext_search.report import style
from edgenext_search.report.audit_words import reading_text, seeds_text
from edgenext_search.report.wording import epochs_text, is_published, number_or_none, origin_text, percent, score_text

if TYPE_CHECKING:
    import plotly.graph_objects as go


def audit_figure(summary: Mapping[str, Any]) -> go.Figure | None:
    """One mark a candidate and rung; error bars are the standard deviation over the reference's seeds.

    Args:
        summary: The run's summary.

    Returns:
        A figure with one named trace a rung, and one for the winner; None where no candidate has a reference.
    """
    import plotly.graph_objects as go

    audit = summary.get("audit")
    if not audit or not audit["candidates"]:
        return None
    figure = go.Figure()
    candidates, winner, reading = audit["candidates"], summary.get("winner") or {}, reading_text(audit)
    rungs = sorted({point["epochs"] for row in candidates for point in row["curve"]})
    for rank, epochs in enumerate(rungs):
        here = [(row, point) for row in candidates for point in row["curve"] if point["epochs"] == epochs]
        last = epochs == rungs[-1]
        marker = style.solid(len(here)) if last else style.hollow(rank, len(here))
        figure.add_trace(_points(here, f"after {epochs_text(epochs)}", marker, reading, len(rungs) - rank))
        chosen = [item for item in here if last and item[0]["fingerprint"] == winner.get("fingerprint")]
        if chosen:
            ring = _points(chosen, "winner", style.ring(), reading, len(rungs) + 1)
            figure.add_trace(ring.update(error_y=None))
    fidelity = audit["fidelity"]
    text = f"Top-1 after {epochs_text(fidelity['epochs'])}, %: mean ± std of {seeds_text(audit)}"
    style.lay_out(figure, "A long training against the search", style.plain(text))
    label = f"{reading.capitalize()} in the search, on the scale of top-1, %" if reading else "Top-1 in the search, %"
    figure.update_xaxes(title_text=label)
    return figure


def _points(
    rows: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
    name: str,
    marker: dict[str, Any],
    reading: str | None,
    rank: int,
) -> go.Scatter:
    import plotly.graph_objects as go

    return go.Scatter(
        x=[100 * point["merit"] for _, point in rows],
        y=[100 * row["reference"]["mean"] for row, _ in rows],
        error_y={
            "type": "data",
            "array": [100 * (number_or_none(row["reference"]["std"]) or 0.0) for row, _ in rows],
            "thickness": 1.1,
            "width": 3,
            "color": marker["color"],
        },
        mode="markers",
        name=name,
        marker=marker,
        hovertext=[_hover(row, point, reading) for row, point in rows],
        hoverinfo="text",
        legendrank=rank,
    )


def _hover(row: Mapping[str, Any], point: Mapping[str, Any], reading: str | None) -> str:
    origin = f", {style.plain(origin_text(row['origin']))}" if is_published(row["origin"]) else ""
    ranked = f", ranked by the {reading} as {percent(point['merit'])}%" if reading else ""
    lines = [
        f"<b>{style.plain(row['fingerprint'])}</b>  trial {row['trial']}{origin}",
        f"in the search: {percent(point['score'])}% after {epochs_text(point['epochs'])}{ranked}",
        f"trained long: top-1 {score_text(row['reference'])} %",
        f"{row['params']:,} parameters",
    ]
    return "<br>".join(lines)
