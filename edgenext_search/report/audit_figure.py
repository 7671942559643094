"""The audit's figure: what candidates score after a long training, against what had ranked them in the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgenext_search.report import plot
from edgenext_search.report.audit_words import reading_text, seeds_text
from edgenext_search.report.plot import Plot, Series
from edgenext_search.report.wording import epochs_text, is_published, number_or_none, origin_text, percent, score_text


def audit_figure(summary: Mapping[str, Any]) -> Plot | None:
    """One mark a candidate and rung; error bars are the standard deviation over the reference's seeds.

    Args:
        summary: The run's summary.

    Returns:
        A figure with one series a rung, and one for the winner; None where no candidate has a reference.
    """
    audit = summary.get("audit")
    if not audit or not audit["candidates"]:
        return None
    candidates, winner, reading = audit["candidates"], summary.get("winner") or {}, reading_text(audit)
    rungs = sorted({point["epochs"] for row in candidates for point in row["curve"]})
    shown = []
    for rank, epochs in enumerate(rungs):
        here = [(row, point) for row in candidates for point in row["curve"] if point["epochs"] == epochs]
        last = epochs == rungs[-1]
        shown.append(_points(here, f"after {epochs_text(epochs)}", plot.FULL if last else plot.early(rank), reading))
        chosen = [item for item in here if last and item[0]["fingerprint"] == winner.get("fingerprint")]
        if chosen:
            shown.append(_points(chosen, "winner", plot.RING, reading, bars=False))
    label = f"{reading.capitalize()} in the search, on the scale of top-1, %" if reading else "Top-1 in the search, %"
    return Plot(
        title="A long training against the search",
        x_label=label,
        y_label=f"Top-1 after {epochs_text(audit['fidelity']['epochs'])}, %: mean ± std of {seeds_text(audit)}",
        series=shown,
    )


def _points(
    rows: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
    name: str,
    style: plot.Style,
    reading: str | None,
    *,
    bars: bool = True,
) -> Series:
    means = [100 * row["reference"]["mean"] for row, _ in rows]
    spreads = [100 * (number_or_none(row["reference"]["std"]) or 0.0) for row, _ in rows]
    return Series(
        name=name,
        style=style,
        x=[100 * point["merit"] for _, point in rows],
        y=means,
        low=[mean - spread for mean, spread in zip(means, spreads, strict=True)] if bars else None,
        high=[mean + spread for mean, spread in zip(means, spreads, strict=True)] if bars else None,
        rows=[row["trial"] for row, _ in rows],
        notes=[_note(row, point, reading) for row, point in rows],
    )


def _note(row: Mapping[str, Any], point: Mapping[str, Any], reading: str | None) -> str:
    origin = f", {origin_text(row['origin'])}" if is_published(row["origin"]) else ""
    ranked = f", ranked by the {reading} as {percent(point['merit'])}%" if reading else ""
    lines = [
        f"{row['fingerprint']}  trial {row['trial']}{origin}",
        f"in the search: {percent(point['score'])}% after {epochs_text(point['epochs'])}{ranked}",
        f"trained long: top-1 {score_text(row['reference'])} %",
        f"{row['params']:,} parameters",
    ]
    return "\n".join(lines)
