"""Figures of scaling studies: errors against costs with the law, and error distributions of two spaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgenext_search.report import style
from edgenext_search.report.scale_words import COST_NAMES, cap_texts
from edgenext_search.report.wording import count_text

if TYPE_CHECKING:
    import plotly.graph_objects as go

_MILLION = 1e6
_CURVE = 60  # points of a drawn law
_COLOURS = (style.SEARCH, style.PUBLISHED)
_BANDS = ("rgba(68, 129, 196, 0.18)", "rgba(204, 122, 26, 0.18)")


def law_figure(summary: Mapping[str, Any], law: Mapping[str, Any]) -> go.Figure:
    """Errors of all shapes against a cost, their medians, the law through them and what it says of the next size.

    Args:
        summary: Of a study, with at least one whole shape.
        law: One of its laws.
    """
    import plotly.graph_objects as go

    name, figure = law["cost"], go.Figure()
    shapes = sorted({row["shape"] for row in summary["candidates"] if row["mean"] is not None})
    for shape in shapes:
        rows = [row for row in summary["candidates"] if row["shape"] == shape and row["mean"] is not None]
        rows.sort(key=lambda row: row[name])
        figure.add_trace(
            go.Scatter(
                x=[row[name] / _MILLION for row in rows],
                y=[100 * (1 - row["mean"]) for row in rows],
                mode="lines+markers",
                name="one shape",
                legendgroup="shapes",
                showlegend=shape == shapes[0],
                line={"width": 1, "color": style.QUIET},
                marker={"size": 5, "color": style.QUIET},
                opacity=0.55,
                hovertext=[_hover(row) for row in rows],
                hoverinfo="text",
            )
        )
    figure.add_trace(_curve(law))
    points = law["points"]
    figure.add_trace(
        go.Scatter(
            x=[point["cost"] / _MILLION for point in points],
            y=[point["error"] for point in points],
            mode="markers",
            name="median of the shapes",
            marker={"size": 10, "color": style.SEARCH},
            hovertemplate="%{y:.2f} %<extra></extra>",
        )
    )
    for key, label, x, colour in (
        ("largest", "largest, from the others", law["largest"]["cost"] * 1.015, style.FRESH),
        ("next", "next size", law["next"]["cost"], style.WINNER),
    ):
        figure.add_trace(_expected(law[key], label, x, colour))
    style.lay_out(figure, f"Error against {COST_NAMES[name]}", "Error on held-out training images, %")
    ticks = [*(point["cost"] for point in points), law["next"]["cost"]]
    figure.update_xaxes(
        title_text=COST_NAMES[name].capitalize(),
        type="log",
        tickvals=[cost / _MILLION for cost in ticks],
        ticktext=[count_text(cost) for cost in ticks],
    )
    return figure


def distribution_figure(summary: Mapping[str, Any]) -> go.Figure:
    """The share of each space's candidates at or below an error, with 95 % bootstrap bands.

    Args:
        summary: Of a comparison, with a scored candidate of each space.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for space, colour, band in zip(summary["comparison"]["spaces"], _COLOURS, _BANDS, strict=True):
        edf, label = space["edf"], style.plain(space["name"])
        errors = [point["error"] for point in edf]
        common = {"mode": "lines", "legendgroup": space["name"], "hoverinfo": "skip"}
        edge = {"width": 0, "shape": "hv", "color": colour}
        figure.add_trace(go.Scatter(x=errors, y=[p["low"] for p in edf], line=edge, showlegend=False, **common))
        figure.add_trace(
            go.Scatter(
                x=errors,
                y=[p["high"] for p in edf],
                line=edge,
                fill="tonexty",
                fillcolor=band,
                name=f"{label}: 95 % band",
                **common,
            )
        )
        figure.add_trace(
            go.Scatter(
                x=errors,
                y=[p["share"] for p in edf],
                mode="lines+markers",
                legendgroup=space["name"],
                name=f"{label}, {space['n']} candidates",
                line={"width": 2, "shape": "hv", "color": colour},
                marker={"size": 5, "color": colour},
                hovertemplate=f"{label}<br>%{{y:.0%}} have at most %{{x:.2f}} %<extra></extra>",
            )
        )
    style.lay_out(figure, "Distribution of errors", "Share of candidates")
    figure.update_xaxes(title_text="Error on held-out training images, %")
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    return figure


def _curve(law: Mapping[str, Any]) -> go.Scatter:
    """The law from the smallest size to the next one."""
    import plotly.graph_objects as go

    a, b, c = (law["law"][key]["value"] for key in "abc")
    low, high = law["points"][0]["cost"], law["next"]["cost"]
    costs = [low * (high / low) ** (step / (_CURVE - 1)) for step in range(_CURVE)]
    return go.Scatter(
        x=[cost / _MILLION for cost in costs],
        y=[a * cost**-b + c for cost in costs],
        mode="lines",
        name="law",
        line={"color": style.SEARCH, "width": 1.8, "dash": "dot"},
        hoverinfo="skip",
    )


def _expected(values: Mapping[str, Any], label: str, x: float, colour: str) -> go.Scatter:
    import plotly.graph_objects as go

    middle = values["predicted"]
    return go.Scatter(
        x=[x / _MILLION],
        y=[middle],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [values["high"] - middle],
            "arrayminus": [middle - values["low"]],
            "thickness": 1.6,
            "width": 6,
            "color": colour,
        },
        mode="markers",
        name=f"{label}: 90 % interval",
        marker={"symbol": "diamond", "size": 9, "color": colour},
        hovertext=[f"{label}<br>{middle:.2f} % ({values['low']:.2f} to {values['high']:.2f})"],
        hoverinfo="text",
    )


def _hover(row: Mapping[str, Any]) -> str:
    lines: Sequence[str] = (
        f"<b>{style.plain(row['fingerprint'])}</b>  shape {row['shape']} at {style.plain(cap_texts(row['budget']))}",
        f"error {100 * (1 - row['mean']):.2f} %, {len(row['scores'])} seeds",
        ", ".join(f"{name} {'-'.join(map(str, row['candidate'][name]))}" for name in ("widths", "depths")),
    )
    return "<br>".join(lines)
