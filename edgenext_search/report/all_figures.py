"""All figures of a run by their identifier, for the page and for papers alike."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from edgenext_search.report.audit_figure import audit_figure
from edgenext_search.report.choices import choice_figures
from edgenext_search.report.figures import history_figure, pareto_figure
from edgenext_search.report.importance import importance_figure
from edgenext_search.report.latency_figures import latency_figures
from edgenext_search.report.pareto import COST_NAMES, CostName, has_score
from edgenext_search.report.plot import Plot
from edgenext_search.report.progress import BY_TRIALS, best_figures, hypervolume_figures
from edgenext_search.report.spread import edf_figure
from edgenext_search.report.wording import costs_of_front
from edgenext_search.search.store.records import TrialRecord

CHOICE = "fig-choice-"
HISTORY, EDF, IMPORTANCE, AUDIT = "fig-history", "fig-edf", "fig-importance", "fig-audit"


def all_figures(trials: Sequence[TrialRecord], summary: Mapping[str, Any]) -> dict[str, Plot]:
    """The figures that there is something to show in, in the order of the page.

    Args:
        trials: All trials of the study.
        summary: The run's summary.
    """
    found: dict[str, Plot] = {}
    if any(has_score(trial) for trial in trials):
        found |= {front_id(name): pareto_figure(trials, summary, name) for name in front_costs(trials, summary)}
        for kind, figures in (
            ("best", best_figures(trials, summary)),
            ("hypervolume", hypervolume_figures(trials, summary)),
        ):
            found |= {f"fig-{kind}{'' if way == BY_TRIALS else '-images'}": made for way, made in figures.items()}
        found[HISTORY] = history_figure(trials, summary)
    found |= latency_figures(trials, summary)
    found |= {choice_id(made): made for plots in choice_figures(trials).values() for made in plots}
    for name, figure in (
        (IMPORTANCE, importance_figure(summary)),
        (EDF, edf_figure(trials, summary)),
        (AUDIT, audit_figure(summary)),
    ):
        if figure is not None:
            found[name] = figure
    return found


def choice_id(plot: Plot) -> str:
    """The identifier of the figure of a choice: ``fig-choice-kernel-size-stage-1``."""
    return f"{CHOICE}{re.sub('[^a-z0-9]+', '-', plot.title.lower())}"


def front_id(name: CostName) -> str:
    """The identifier of the front for a cost."""
    return f"fig-{name}"


def front_costs(trials: Sequence[TrialRecord], summary: Mapping[str, Any]) -> list[CostName]:
    """The costs that there is a front for: what was looked for first, memory only where it was asked for."""
    asked = {*costs_of_front(summary), *(summary.get("budget") or {})}
    usual: dict[CostName, None] = dict.fromkeys(name for name in COST_NAMES if name in costs_of_front(summary))
    usual |= dict.fromkeys(name for name in COST_NAMES if name not in {"memory", "footprint"} or name in asked)
    return [name for name in usual if any(name in trial.cost.to_dict() for trial in trials)]
