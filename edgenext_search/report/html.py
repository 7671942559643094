"""The report as one HTML page that needs nothing beside itself: figures, tables and code are inside."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from edgenext_search.report import sections
from edgenext_search.report.audit_figure import audit_figure
from edgenext_search.report.audit_section import audit_section
from edgenext_search.report.comparison import architecture_section
from edgenext_search.report.conditions import conditions_section
from edgenext_search.report.figures import history_figure, pareto_figure
from edgenext_search.report.files import write_atomically
from edgenext_search.report.markup import Markup, element, join, json_script
from edgenext_search.report.pareto import front_trials, full_fidelity, has_score
from edgenext_search.report.trials_table import trials_section
from edgenext_search.report.wording import budget_text
from edgenext_search.search.records import TrialRecord

AUDIT_FIGURE = "fig-audit"


def write_report(summary: Mapping[str, Any], trials: Sequence[TrialRecord], path: Path) -> None:
    """Write the report of a run as one page, atomically.

    Args:
        summary: The run's summary; a run without winner, baseline or finalists is reported all the same.
        trials: All trials of the study.
        path: The HTML file to write or replace.
    """
    from plotly.offline import get_plotlyjs

    figures: dict[str, Any] = {}
    if any(has_score(trial) for trial in trials):
        figures["fig-params"] = pareto_figure(trials, summary, "params")
        figures["fig-madds"] = pareto_figure(trials, summary, "madds")
        figures["fig-history"] = history_figure(trials, summary)
    if (audited := audit_figure(summary)) is not None:
        figures[AUDIT_FIGURE] = audited
    body = join(
        sections.header(summary),
        sections.notices(summary),
        sections.cards(summary),
        architecture_section(summary),
        _pareto_section(trials) if "fig-params" in figures else None,
        _history_section() if "fig-history" in figures else None,
        sections.finalists_section(summary),
        audit_section(summary, AUDIT_FIGURE),
        sections.model_section(summary),
        trials_section(trials),
        conditions_section(summary),
    )
    page = resources.files("edgenext_search.report").joinpath("page.html").read_text(encoding="utf-8")
    text = Template(page).substitute(
        title=join(f"{summary.get('study', 'study')}: {budget_text(summary.get('budget') or {})}"),
        body=body,
        figures=json_script("figures", {name: json.loads(figure.to_json()) for name, figure in figures.items()}),
        plotly=Markup(f"<script>{get_plotlyjs()}</script>") if figures else "",
    )
    write_atomically(path, text)


def _pareto_section(trials: Sequence[TrialRecord]) -> Markup:
    complete = full_fidelity(trials)
    fronts = [len({trial.candidate for trial in front_trials(trials, name)}) for name in ("params", "madds")]
    networks = len({trial.candidate for trial in complete})
    caption = (
        f"Fully trained networks: {networks}, of which {fronts[0]} are on the front for parameters and {fronts[1]} on "
        "that for multiply-adds: no other is as good for as little. Hollow marks were stopped early, so their "
        "scores rank only among marks of the same number of epochs."
        if complete
        else "No candidate was trained through the last rung, so there is no front."
    )
    return sections.section(
        "pareto",
        "Accuracy for the cost",
        element("div", _figure("fig-params", "params"), _figure("fig-madds", "multiply-adds"), class_="pair"),
        element("p", caption, class_="caption"),
    )


def _history_section() -> Markup:
    return sections.section(
        "history",
        "How the study went",
        _figure("fig-history", "number of trial"),
        element(
            "p",
            "The line counts fully trained candidates alone. The search's scores choose the finalists; they are "
            "not what decides between them.",
            class_="caption",
        ),
    )


def _figure(identifier: str, against: str) -> Markup:
    return sections.plot(identifier, f"Scatter plot of top-1 against {against}", "the table of trials")
