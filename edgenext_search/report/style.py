"""How the figures look: marks, labels, what shows on hovering, layout."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgenext_search.arch.candidate import Candidate
from edgenext_search.report.pareto import CostName
from edgenext_search.report.wording import count_text, epochs_text, origin_text, percent, score_text, stages_text
from edgenext_search.search.records import TrialRecord

if TYPE_CHECKING:
    import plotly.graph_objects as go

SEARCH = "#4481c4"
PUBLISHED = "#cc7a1a"
WINNER = "#0f9b80"
FRESH = "#8b6fc9"
QUIET = "#84909b"
FAILED = "#d1495b"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

_MANY = 150
_GRID = "rgba(132, 144, 155, 0.22)"


def solid(count: int) -> dict[str, Any]:
    """Trained through the last rung; smaller where there are many."""
    return {"symbol": "circle", "size": 8 if count <= _MANY else 5, "color": SEARCH}


def hollow(rung: int, count: int) -> dict[str, Any]:
    """Stopped early: a shape for each rung, in order."""
    symbol = ("circle-open", "square-open", "diamond-open", "triangle-up-open")[rung % 4]
    return {
        "symbol": symbol,
        "size": 7 if count <= _MANY else 5,
        "color": QUIET,
        "opacity": 0.75,
        "line": {"width": 1.4},
    }


def star(*, full: bool) -> dict[str, Any]:
    """A published shape: solid where it was trained through the last rung."""
    if full:
        return {"symbol": "star", "size": 14, "color": PUBLISHED}
    return {"symbol": "star-open", "size": 13, "color": PUBLISHED, "opacity": 0.75, "line": {"width": 1.4}}


def ring() -> dict[str, Any]:
    """The winner."""
    return {"symbol": "circle-open", "size": 21, "color": WINNER, "line": {"width": 2.6}}


def cross() -> dict[str, Any]:
    """A failed trial."""
    return {"symbol": "x-thin", "size": 8, "line": {"width": 1.8, "color": FAILED}, "color": FAILED}


def score_label(fidelity: str) -> str:
    """What the vertical axis shows."""
    return f"Top-1 on held-out training images, % ({plain(fidelity)})"


def cost_label(cost_name: CostName, summary: Mapping[str, Any]) -> str:
    """What the horizontal axis shows, with the deployment that the cost depends on."""
    deployment = summary.get("deployment") or {}
    classes, size = deployment.get("num_classes", "?"), deployment.get("img_size", "?")
    where = f"at {classes} classes" if cost_name == "params" else f"at {classes} classes, {size} px"
    name = {"params": "Parameters", "madds": "Multiply-adds", "acts": "Activations"}[cost_name]
    return plain(f"{name} {where}, M")


def plain(text: str) -> str:
    """Text that plotly shows as it is: plotly reads a few tags and entities."""
    return html.escape(text, quote=False)


def hover(trial: TrialRecord) -> str:
    """A trial and the whole of its candidate."""
    score = "no score" if trial.score is None else f"{percent(trial.score)}% after {epochs_text(trial.epochs)}"
    lines = [
        f"<b>{trial.candidate.fingerprint}</b>  trial {trial.number}, {plain(origin_text(trial.origin))}",
        f"{trial.state}: {score}" if trial.state != "complete" else f"top-1 {score}",
        *_costs(trial.cost.to_dict()),
        *_shape(trial.candidate),
    ]
    if trial.duplicate_of is not None:
        lines.append(f"same network as trial {trial.duplicate_of}")
    if trial.reason:
        lines.append(plain(trial.reason if len(trial.reason) <= 90 else f"{trial.reason[:90]}…"))
    return "<br>".join(lines)


def finalist_hover(row: Mapping[str, Any], is_winner: bool) -> str:
    """A finalist: what its fresh seeds say, and what the search said."""
    role = "winner" if is_winner else "finalist"
    lines = [
        f"<b>{plain(row['fingerprint'])}</b>  {role}, {plain(origin_text(row['origin']))}",
        f"fresh seeds: top-1 {score_text(row['score'])} %",
        f"in the search: {percent(row['search_score'])}%",
        *_costs(row),
        *_shape(Candidate.from_dict(row["candidate"])),
    ]
    return "<br>".join(lines)


def lay_out(figure: go.Figure, title: str, subtitle: str) -> None:
    """Give a figure its title, axes and legend.

    The vertical axis is named in the second line of the title: horizontal text needs no turned head, and the
    plot keeps its width on a phone.
    """
    axis = {
        "gridcolor": _GRID,
        "zeroline": False,
        "showline": False,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": _GRID,
        "title": {"standoff": 10, "font": {"size": 12.5}},
    }
    figure.update_layout(
        title={
            "text": f"<b>{title}</b><br><span style='font-size:12.5px'>{subtitle}</span>",
            "font": {"size": 16},
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 20, "l": 2},
        },
        font={"family": FONT, "size": 12.5, "color": QUIET},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hoverlabel={"font": {"family": FONT, "size": 12.5}, "align": "left"},
        hovermode="closest",
        margin={"l": 44, "r": 12, "t": 84, "b": 44},
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 0,
            "yref": "container",
            "yanchor": "bottom",
            "font": {"size": 12.5},
            "itemsizing": "trace",
        },
        height=500,
        showlegend=True,
    )
    figure.update_xaxes(**axis, showgrid=False)
    figure.update_yaxes(**axis, automargin=True)
    if any(trace.yaxis == "y2" for trace in figure.data):
        _split(figure, axis)


def _split(figure: go.Figure, axis: Mapping[str, Any]) -> None:
    """Put what was stopped early into a panel of its own beneath the rest."""
    figure.update_layout(
        yaxis={"domain": [0.34, 1.0]},
        yaxis2={**axis, "domain": [0.0, 0.22], "automargin": True, "nticks": 4},
        xaxis={"anchor": "y2"},
    )
    figure.add_annotation(
        text="Stopped early, on a scale of their own",
        x=0,
        xref="paper",
        y=0.23,
        yref="paper",
        xanchor="left",
        yanchor="bottom",
        showarrow=False,
        font={"size": 12, "color": QUIET},
    )


def _costs(costs: Mapping[str, Any]) -> list[str]:
    return [
        f"{costs['params']:,} parameters",
        f"{count_text(costs['madds'])} MAdds, {count_text(costs['acts'])} activations",
    ]


def _shape(candidate: Candidate) -> list[str]:
    return [
        f"widths {stages_text(candidate, 'widths')}",
        f"depths {stages_text(candidate, 'depths')}, of which SDTA {stages_text(candidate, 'sdta_blocks')}",
        f"kernels {stages_text(candidate, 'kernel_sizes')}",
        f"splits {stages_text(candidate, 'sdta_splits')}, heads {stages_text(candidate, 'heads')}",
        f"positional encoding {stages_text(candidate, 'pos_emb')}",
        f"expand ratio {candidate.expand_ratio}, {plain(candidate.norm_act)}",
    ]
