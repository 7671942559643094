"""Which parameters matter: the figure, and its name for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgenext_search.report.plot import BAR, Plot, Series
from edgenext_search.report.wording import ranked_by

SHOWN = 14


def importance_figure(summary: Mapping[str, Any]) -> Plot | None:
    """Each parameter's share of what separates the best trials from all; None where the summary has none.

    Args:
        summary: The run's summary.
    """
    found = summary.get("importance")
    if not found:
        return None
    values = list(found["values"].items())[:SHOWN]
    rest = len(found["values"]) - len(values)
    more = f"; {rest} more below {100 * values[-1][1]:.1f} %" if rest else ""
    by = f" by {reading}" if (reading := ranked_by(summary)) else ""
    return Plot(
        title="What the best trials have in common",
        x_label=f"Importance by {found['method']}, %{more}",
        y_label=f"What separates the best {100 * found['quantile']:g} % of {found['n']} networks{by} from all of them",
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
