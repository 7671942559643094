"""Which parameters of the space matter."""

from __future__ import annotations

from edgenext_search.report.plot import BAR, Plot, Series
from edgenext_search.report.wording import RANKING_METRICS
from edgenext_search.search.results import RunSummary

SHOWN = 14


def importance_figure(summary: RunSummary) -> Plot | None:
    """Each parameter's share of what separates the best trials from all; None if the summary has no importances."""
    importance = summary.importance
    if importance is None:
        return None
    values = list(importance.values.items())[:SHOWN]
    rest = len(importance.values) - len(values)
    more = f"; {rest} more below {100 * values[-1][1]:.1f} %" if rest else ""
    metric = RANKING_METRICS[summary.fidelity.rank_by]
    best = f"best {100 * importance.quantile:g} % of {importance.n} networks by {metric}"
    return Plot(
        title="What the best trials have in common",
        x_label=f"Importance by {importance.method}, %{more}",
        y_label=f"What separates the {best} from all of them",
        series=[
            Series(
                name="importance",
                style=BAR,
                x=[100 * value for _, value in values],
                y=list(range(len(values))),
                notes=[f"{parameter_text(name)}\n{100 * value:.1f} %" for name, value in values],
                legend=False,
            )
        ],
        y_names=[parameter_text(name) for name, _ in values],
    )


def parameter_text(name: str) -> str:
    """A parameter of a space in words: ``stage3.kernel_size`` is ``kernel size, stage 3``."""
    stage, _, field = name.rpartition(".")
    words = field.replace("_", " ").replace("sdta", "SDTA").replace("pos emb", "positional encoding")
    return f"{words}, stage {stage.removeprefix('stage')}" if stage.startswith("stage") else words
